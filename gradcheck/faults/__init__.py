"""Faults of hand-written backprop: the catalogue, planting, matching (diagnosis), the self-test, and the texts that explain."""

from gradcheck.faults.backprop import TRUSTED, Equations, Sweep, backprop
from gradcheck.faults.catalogue import CATALOGUE, FAMILIES
from gradcheck.faults.diagnosis import Diagnosis, Explanation, Mistake, diagnose
from gradcheck.faults.explanations import explain, explain_all
from gradcheck.faults.fault import Fault, Planting, plant
from gradcheck.faults.outcomes import Plan, SelfTest, Survivor
from gradcheck.faults.planting import claims_of, planted, planted_state
from gradcheck.faults.state import STATE, StateFault

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "STATE",
    "TRUSTED",
    "Diagnosis",
    "Equations",
    "Explanation",
    "Fault",
    "Mistake",
    "Plan",
    "Planting",
    "SelfTest",
    "StateFault",
    "Survivor",
    "Sweep",
    "backprop",
    "claims_of",
    "diagnose",
    "explain",
    "explain_all",
    "plant",
    "planted",
    "planted_state",
]
