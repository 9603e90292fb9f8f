"""Subjects: loading a file, recognising its calling convention, and asking it for costs, gradients and effects."""

from gradcheck.subjects.claims import read_claim
from gradcheck.subjects.configuration import SubjectConfiguration, configuration_from, narrow
from gradcheck.subjects.detect import CONVENTIONS, Convention, detect
from gradcheck.subjects.effects import observe
from gradcheck.subjects.layout import Layout, layout_from_json, layouts
from gradcheck.subjects.loading import check_path, load, members_of, split_target
from gradcheck.subjects.local import LocalSubject
from gradcheck.subjects.match import Match
from gradcheck.subjects.protocol import Adapter, Call, Claim, Effect, Malformed, Offer, Problem, Pullback, Subject

__all__ = [
    "CONVENTIONS",
    "Adapter",
    "Call",
    "Claim",
    "Convention",
    "Effect",
    "Layout",
    "LocalSubject",
    "Malformed",
    "Match",
    "Offer",
    "Problem",
    "Pullback",
    "Subject",
    "SubjectConfiguration",
    "check_path",
    "configuration_from",
    "detect",
    "layout_from_json",
    "layouts",
    "load",
    "members_of",
    "narrow",
    "observe",
    "read_claim",
    "split_target",
]
