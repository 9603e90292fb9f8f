"""One fault of the catalogue in the trusted network: does the campaign find it, and the diagnosis place and name it?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.campaign.verification import Options, detect
from gradcheck.checks import Recognition, examine
from gradcheck.errors import SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.matching import know, synthesise
from gradcheck.faults.outcomes import Diagnosed, Plan
from gradcheck.faults.planting import claims_of, planted, planted_state
from gradcheck.faults.sampling import draw_case, usual_case
from gradcheck.faults.state import STATE, StateFault
from gradcheck.networks import Case
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject

_TRIES = 60


@dataclass(frozen=True, slots=True)
class CatalogueTrial:
    """how: by what it was found, empty where it was not; visible: whether a random case shows it at all."""

    name: str
    how: str
    visible: bool = True
    diagnosed: Diagnosed | None = None


class CatalogueTrials:
    """Every fault planted once, wherever it can stand."""

    def __init__(self, plan: Plan, names: Sequence[str] | None = None) -> None:
        self.plan = plan
        self.repertoire = default_repertoire()
        generator = np.random.default_rng([plan.seed, 42])
        order = [str(n) for n in generator.permutation(list(CATALOGUE))]
        self.chosen = list(names if names is not None else order[: plan.faults])
        self.to_diagnose = frozenset(self.chosen[: plan.diagnosed])
        self.state = list(STATE)

    def __len__(self) -> int:
        return len(self.chosen) + len(self.state)

    def try_one(self, index: int) -> CatalogueTrial:
        """Plant one fault: of an equation, then of state."""
        if index >= len(self.chosen):
            return self._state(self.state[index - len(self.chosen)])
        fault = CATALOGUE[self.chosen[index]]
        recognition = Recognition(Layout(), self.repertoire, trusted=True)
        found = detect(planted(fault), recognition, Options(self.plan.examples, self.plan.seed))
        if found is None:
            return CatalogueTrial(fault.name, "", self._visible_somewhere(fault, index))
        diagnosed = self._diagnosed(fault, index) if fault.name in self.to_diagnose and not fault.shape else None
        return CatalogueTrial(fault.name, found.how, True, diagnosed)

    def _visible_somewhere(self, fault: Fault, index: int) -> bool:
        generator = np.random.default_rng([self.plan.seed, 47, index])
        return any(_shows(fault, usual_case(self.repertoire, generator)) for _ in range(self.plan.cases))

    def _diagnosed(self, fault: Fault, index: int) -> Diagnosed | None:
        generator = np.random.default_rng([self.plan.seed, 48, index])
        drawn = (draw_case(self.repertoire, generator, None, k % 2 == 1) for k in range(_TRIES))
        planting = Planting(fault)
        case = next((c for c in drawn if _shows(fault, c) and synthesise(c, (planting,)) is not None), None)
        if case is None:
            return None
        found = diagnose(case, claims_of((planting,)), repertoire=self.repertoire, seed=self.plan.seed)
        places = planting.places(case.architecture)
        placed = bool(found.places) and (found.places[0].equation, found.places[0].layer) in places
        names = [e.fault for e in found.explanations]
        wrong = (f"{fault.name}: {', '.join(names)}",) if names and fault.name not in names else ()
        return Diagnosed(1, int(placed), int(fault.name in names), wrong)

    def _state(self, fault: StateFault) -> CatalogueTrial:
        """As the campaign asks: one case, then another after it."""
        subject = planted_state(fault)
        case = draw_case(self.repertoire, np.random.default_rng([self.plan.seed, 49]), 3, square=True)
        moved = {n: a + 0.25 for n, a in case.parameters.items()}
        other = replace(case.at(moved), inputs=case.inputs + 0.5)
        how = _fault(subject, case, other) or _fault(subject, other)
        return CatalogueTrial(fault.name, how)


def _shows(fault: Fault, case: Case) -> bool:
    """Whether the fault changes the gradient of a case by far more than rounding."""
    if not fault.layers(case.architecture):
        return False
    gradient = synthesise(case, (Planting(fault),))
    if gradient is None:
        return True
    if not all(np.all(np.isfinite(g)) for g in gradient.values()):
        return False
    known = know(case, gradient, fresh=False)
    return known.tells_apart(gradient, known.gradient)


def _fault(subject: LocalSubject, case: Case, other: Case | None = None) -> str:
    try:
        fault = examine(subject, case, Layout(), other=other, differences=False).fault
    except SubjectError as error:
        return error.kind
    return "" if fault is None else fault.name.lower()
