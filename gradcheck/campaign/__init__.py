"""Campaigns: draw cases, climb the ladder at each, shrink what fails, and write the report."""

from gradcheck.campaign.outcome import Options
from gradcheck.campaign.verification import verify_subject

__all__ = ["Options", "verify_subject"]
