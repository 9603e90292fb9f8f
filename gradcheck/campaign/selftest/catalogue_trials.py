"""One fault of the catalogue in the trusted network, or in a layer of `reference/layers`: is it found, placed and named?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.campaign.outcome import Options
from gradcheck.campaign.selftest.operation_judge import OperationJudge
from gradcheck.campaign.verification import detect
from gradcheck.checks import Recognition, examine
from gradcheck.errors import SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.fault import Fault, Planting
from gradcheck.faults.layers import FAULTS as OF_LAYERS
from gradcheck.faults.layers import LayerFault, planted_source, source_of
from gradcheck.faults.matching import know, synthesise
from gradcheck.faults.outcomes import Diagnosed, Plan
from gradcheck.faults.planting import claims_of, planted, planted_state
from gradcheck.faults.sampling import draw_case, usual_case
from gradcheck.faults.specimen import Source
from gradcheck.faults.state import STATE, StateFault
from gradcheck.networks import Case
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects.configuration import SubjectConfiguration
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject

_TRIES = 60
_LAYER_SHARE = 10
"""Of a sample of the catalogue, a tenth as many faults of layers are planted besides."""


@dataclass(frozen=True, slots=True)
class CatalogueTrial:
    """how: by what it was found, empty where it was not; visible: whether a random case shows it at all."""

    name: str
    how: str
    visible: bool = True
    diagnosed: Diagnosed | None = None


class CatalogueTrials:
    """Every fault planted once, wherever it can stand; with a layer, those of that layer alone."""

    def __init__(self, plan: Plan, names: Sequence[str] | None = None, layer: str = "") -> None:
        self.plan = plan
        self.repertoire = default_repertoire()
        generator = np.random.default_rng([plan.seed, 42])
        order = [str(n) for n in generator.permutation(list(CATALOGUE))]
        self.chosen = list(names if names is not None else order[: plan.faults])
        self.to_diagnose = frozenset(self.chosen[: plan.diagnosed])
        self.others: list[StateFault | LayerFault] = [*STATE, *([] if names is not None else self._layer_faults())]
        if layer:
            self.chosen, self.others = [], [f for f in OF_LAYERS if f.layer == layer]
        self._judges: dict[str, OperationJudge] = {}

    def __len__(self) -> int:
        return len(self.chosen) + len(self.others)

    def _layer_faults(self) -> list[LayerFault]:
        """All of them, or a share of the sample; none where the references are not installed."""
        if self.plan.faults is None:
            return list(OF_LAYERS)
        generator = np.random.default_rng([self.plan.seed, 50])
        order = [OF_LAYERS[int(k)] for k in generator.permutation(len(OF_LAYERS))]
        return order[: self.plan.faults // _LAYER_SHARE]

    def try_one(self, index: int) -> CatalogueTrial:
        """Plant one fault: of an equation, then of state, then of a layer."""
        if index >= len(self.chosen):
            other = self.others[index - len(self.chosen)]
            return self._layer(other) if isinstance(other, LayerFault) else self._state(other)
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

    def _layer(self, fault: LayerFault) -> CatalogueTrial:
        """In the reference of the layer, judged as that one was recognised."""
        text = planted_source(fault)
        if text is None:
            return CatalogueTrial(fault.name, "", visible=False)
        original = _of_text(fault.layer, str(source_of(fault.layer)))
        judge = self._judges.get(fault.layer) or OperationJudge(original, fault.layer, self.plan)
        self._judges[fault.layer] = judge
        subject = _of_text(fault.layer, text)
        found = judge.detect(subject)
        if found is None:
            return CatalogueTrial(fault.name, "")
        result = judge.diagnosed(subject, original, found) if self.plan.diagnosed else None
        if result is None:
            return CatalogueTrial(fault.name, found.how)
        diagnosed, wrong = result
        return CatalogueTrial(
            fault.name, found.how, True, replace(diagnosed, wrong=(f"{fault.name}: {wrong}",) if wrong else ())
        )


def _of_text(layer: str, text: str) -> LocalSubject:
    return Source(text, f"{layer}.py", SubjectConfiguration(layer=layer)).subject()


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
