"""Find out by experiment what a subject computes: layout, activations, cost, scale, L2 term, and which sizes it takes.

Forward passes only: the subject's cost (or its output, or its own cost derivative) is compared with the trusted family on
random cases, and a convention is what all of them agree on. Nothing here is a verdict; a difference that no convention
explains is left for the primal check to judge.
"""

from gradcheck.checks.recognition.experiments import Experiments
from gradcheck.checks.recognition.fixed import fixed
from gradcheck.checks.recognition.scales import match_scale
from gradcheck.checks.recognition.told import told
from gradcheck.checks.recognition.types import Recognised, Recognition, Wanted
from gradcheck.errors import UsageError
from gradcheck.subjects.protocol import Subject

__all__ = ["Recognised", "Recognition", "Wanted", "match_scale", "recognise"]


def recognise(subject: Subject, wanted: Wanted, seed: int = 0) -> Recognition:
    """The recognition of a network subject. Raises SubjectError when nothing it offers can be run at all."""
    e = Experiments(subject, wanted, seed)
    if not e.pairs():
        msg = (
            f"no cost of {', '.join(c.name for c in e.costs)} is legal behind an output activation of "
            f"{', '.join(f.name for f in e.activations)}; configure activations and costs that fit together"
        )
        raise UsageError(msg)
    return told(e) if e.offer.told_activations and e.offer.told_cost else fixed(e)
