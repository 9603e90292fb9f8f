"""Whether an update takes samples together or one after another: found by a few samples, each alone and all at once.

It must not know conventions.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gradcheck.errors import SubjectError
from gradcheck.networks import Case
from gradcheck.numerics import Array
from gradcheck.subjects.failures import subject_code
from gradcheck.subjects.layout import Layout, gradient_to_trusted
from gradcheck.subjects.protocol import Malformed
from gradcheck.subjects.updates import Step

_SAME, _OTHER = 1e-9, 1e-6
_LARGER = 5.0
"""How much larger than usual the weights are: a step then shows in the next one."""


def samples_of(case: Case, columns: list[int]) -> Case:
    """The case with these samples only."""
    return replace(case, inputs=case.inputs[:, columns], targets=case.targets[:, columns])


def moved(case: Case, displacement: Mapping[str, Array], layout: Layout) -> Case:
    """The case at the parameters that a displacement, in the subject's layout, leads to."""
    change = gradient_to_trusted(displacement, layout)
    return case.at({n: a - change.get(n, 0.0) for n, a in case.parameters.items()})


def one_after_another(step: Callable[[Case], Step], case: Case, layout: Layout) -> bool:
    """Whether several samples move the parameters as each does from where the one before led, or as one of them alone."""
    case = case.at({n: _LARGER * a for n, a in case.parameters.items()})
    try:
        with subject_code():
            together = step(case)
            alone = [step(samples_of(case, [s])) for s in range(case.samples)]
            chain = _chain(step, case, layout)
    except (SubjectError, Malformed):  # it takes no single sample
        return False
    if min(_error(together, one) for one in alone) <= _SAME:
        return True
    return _error(together, *chain) <= _SAME and _error(together, *alone) > _OTHER


def _chain(step: Callable[[Case], Step], case: Case, layout: Layout) -> list[Step]:
    """The steps of one sample after another."""
    steps: list[Step] = []
    for s in range(case.samples):
        steps.append(step(samples_of(case, [s])))
        case = moved(case, steps[-1].displacement, layout)
    return steps


def _error(together: Step, *parts: Step) -> float:
    """The largest difference of a step from a sum of others, relative to it."""
    pairs = [(d, sum((p.displacement[n] for p in parts), np.zeros(()))) for n, d in together.displacement.items()]
    return max(
        float(np.max(np.abs(d - s), initial=0.0)) / (float(np.max(np.abs(d), initial=0.0)) + 1e-300) for d, s in pairs
    )
