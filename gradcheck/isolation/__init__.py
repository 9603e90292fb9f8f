"""Untrusted subjects in a limited child process; knows nothing about networks, derivatives or verdicts."""

from gradcheck.isolation.protocol import ProtocolError
from gradcheck.isolation.worker import Worker

__all__ = ["ProtocolError", "Worker"]
