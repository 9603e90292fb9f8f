"""From an examination or a failure of the subject to a finding: code, words, places and the case to replay."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradcheck.checks import Examination, Fault
from gradcheck.checks.comparison import Discrepancy
from gradcheck.checks.kink_slopes import WrongSlope
from gradcheck.checks.localisation import Place as Located
from gradcheck.errors import SubjectError
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import Diagnosis, Mistake
from gradcheck.faults.scale import UNIFORM
from gradcheck.networks import Case, Point, digest
from gradcheck.report import Code, Difference, Explanation, Finding, Place, Verdict

CODES: Mapping[Fault, Code] = {
    Fault.MISSING: Code.GC101,
    Fault.COUNT: Code.GC102,
    Fault.TYPE: Code.GC103,
    Fault.SHAPE: Code.GC104,
    Fault.DTYPE: Code.GC105,
    Fault.NONFINITE: Code.GC106,
    Fault.MUTATION: Code.GC201,
    Fault.ALIASING: Code.GC202,
    Fault.NONDETERMINISM: Code.GC203,
    Fault.STALE_STATE: Code.GC204,
    Fault.ACCUMULATION: Code.GC205,
    Fault.MEMORY_ORDER: Code.GC206,
    Fault.NOT_LINEAR: Code.GC207,
    Fault.UPSTREAM_IGNORED: Code.GC208,
    Fault.NO_GRADIENT: Code.GC406,
    Fault.NOT_ADDITIVE: Code.GC407,
    Fault.ORDER: Code.GC408,
    Fault.UNITS: Code.GC409,
    Fault.LOSS_SCALE: Code.GC410,
    Fault.FORWARD: Code.GC301,
    Fault.COST_CODE: Code.GC302,
    Fault.SCALE: Code.GC303,
    Fault.ALL_DIFFER: Code.GC305,
    Fault.PRECISION: Code.GC601,
    Fault.UNSTABLE: Code.GC602,
}
EQUATIONS: Mapping[str, Code] = {
    "BP1": Code.GC401,
    "BP2": Code.GC402,
    "BP3": Code.GC403,
    "BP4": Code.GC404,
    "regularisation": Code.GC304,
}
FAILURES: Mapping[str, Code] = {
    "load": Code.GC901,
    "exception": Code.GC902,
    "contract": Code.GC902,
    "unsupported": Code.GC902,
    "timeout": Code.GC903,
    "memory": Code.GC904,
    "crash": Code.GC905,
    "exit": Code.GC906,
    "protocol": Code.GC907,
}
NO_NAME = "it is none of the"
"""How the evidence of a diagnosis that came to its end without a name begins."""
WORDS: Mapping[str, str] = {
    "BP1": "the output error δ = ∇C ⊙ σ′(z)",
    "BP2": "the recursion δ = (Wᵀ δ above) ⊙ σ′(z)",
    "BP3": "the bias gradient db = Σ δ",
    "BP4": "the weight gradient dW = δ aᵀ",
    "regularisation": "the gradient of the L2 term",
}
_RUNG_EQUATION: Mapping[str, str] = {"structure": "structure", "effects": "effects", "primal": "forward"}


def finding_of(examination: Examination, point: Point, places: Sequence[Located] = (), confirmed: str = "") -> Finding:
    """The finding of a broken rung, with its counterexample."""
    fault = examination.fault
    assert fault is not None, "only a broken rung is a finding"
    code = CODES.get(fault) or (EQUATIONS[places[0].equation] if places else Code.GC405)
    return Finding(
        code,
        "pass" if fault is Fault.UNSTABLE else "fail",
        examination.rung,
        _detail(examination, places) + confirmed,
        tuple(Place(p.equation, p.layer) for p in places) or _default_places(examination),
        discrepancies=differences_of(examination),
        counterexample={"digest": digest(point), **point.to_json()},
    )


def slope_finding(examination: Examination, case: Case, wrong: WrongSlope) -> Finding:
    """A slope at a kink that neither side nor anything between has."""
    architecture, right = case.architecture, f"right is anything from {wrong.low:.4g} to {wrong.high:.4g}"
    if wrong.layer is None:
        said = f"where the cost {architecture.cost.name} has two slopes, its derivative is {wrong.slope:.4g}; {right}"
        return replace(
            finding_of(examination, case), code=Code.GC401, detail=said, places=(Place("BP1", architecture.depth),)
        )
    name = architecture.activation_names[wrong.layer - 1]
    said = f"at its kink, the derivative of {name} in layer {wrong.layer} is {wrong.slope:.4g}; {right}"
    place = Place("BP1" if wrong.layer == architecture.depth else "BP2", wrong.layer)
    return replace(finding_of(examination, case), code=Code.GC501, detail=said, places=(place,))


def diagnosed_findings(examination: Examination, case: Case, diagnosis: Diagnosis) -> list[Finding]:
    """One finding for each place where there are mistakes; one for what has no name."""
    if not diagnosis.mistakes:
        unknown = _unknown(examination, case, diagnosis)
        uniform = examination.ratio is not None and is_customary(examination.ratio)
        return [replace(unknown, code=Code.GC303) if uniform else unknown]
    groups: dict[tuple[Located, ...], list[Mistake]] = {}
    for mistake in diagnosis.mistakes:
        groups.setdefault(mistake.places, []).append(mistake)
    found = [
        _explained(finding_of(examination, case, places or diagnosis.places), mistakes, diagnosis.evidence, case)
        for places, mistakes in groups.items()
    ]
    return [_headed_as_scale(f) for f in found] if examination.ratio is not None and len(found) == 1 else found


def _headed_as_scale(finding: Finding) -> Finding:
    """One factor in all gradients: the cost says nothing of which of the two is meant."""
    factors = finding.explanations and all(e.fault in UNIFORM for e in finding.explanations)
    return replace(finding, code=Code.GC303) if factors else finding


def _explained(finding: Finding, mistakes: Sequence[Mistake], evidence: tuple[str, ...], case: Case) -> Finding:
    depth = case.architecture.depth
    explanations = tuple(
        Explanation(e.fault, e.title, e.layer, e.equation, at_layer(e.hint, m.places[0].layer, depth), k)
        for k, m in enumerate(mistakes, start=1)
        for e in m.explanations
    )
    activation = any(CATALOGUE[e.fault].activation for e in explanations)
    return replace(
        finding, code=Code.GC501 if activation else finding.code, explanations=explanations, evidence=evidence
    )


def _unknown(examination: Examination, case: Case, diagnosis: Diagnosis) -> Finding:
    finding = finding_of(examination, case, diagnosis.places)
    said = f"{NO_NAME} {len(CATALOGUE)} mistakes of the catalogue, alone or in pairs"
    detail = finding.detail.replace("the mistake is in", "an unknown mistake in", 1)
    return replace(finding, detail=detail, evidence=(*diagnosis.evidence, said))


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def at_layer(hint: str, layer: int | None, depth: int) -> str:
    """The hint with its superscripts l − 1, l, l + 1 and L as numbers: ``δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹)`` becomes ``δ² = (W³ᵀ δ³)``."""
    if layer is None:
        return hint
    numbers = {"ˡ⁺¹": layer + 1, "ˡ⁻¹": layer - 1, "ᴸ⁻¹": depth - 1, "ˡ": layer, "ᴸ": depth}
    for sign, number in numbers.items():
        hint = hint.replace(sign, str(number).translate(_SUPERSCRIPTS))
    return hint


def failure_of(
    error: SubjectError, point: Point | None, verdict: Verdict = "error", places: Sequence[Located] = ()
) -> Finding:
    """The finding of a subject that failed to run, at a case if it had come so far."""
    details = f"\n{error.details.strip()}" if error.details.strip() else ""
    return Finding(
        FAILURES.get(error.kind, Code.GC902),
        verdict,
        "isolation",
        f"{error.message}{details}",
        tuple(Place(p.equation, p.layer) for p in places),
        counterexample=None if point is None else {"digest": digest(point), **point.to_json()},
    )


def nothing_checked(reason: str, code: Code = Code.GC951) -> Finding:
    """The finding of a run without evidence."""
    return Finding(code, "inconclusive", "evidence", reason)


def _detail(examination: Examination, places: Sequence[Located]) -> str:
    parts = [examination.message]
    if places and examination.fault is Fault.BACKWARD:
        first = places[0]
        where = "" if first.layer is None else f" of layer {first.layer}"
        parts.append(f"the mistake is in {WORDS.get(first.equation, first.equation)}{where}")
    if examination.ratio is not None and is_customary(examination.ratio):
        parts.append(f"the claim is {examination.ratio:.10g} times the expected gradient, in every tensor")
    return "; ".join(p for p in parts if p)


def is_customary(ratio: float) -> bool:
    """Whether people forget this factor: a small whole number or its inverse, with either sign; others are accidents."""
    return any(abs(abs(r) - k) < 1e-9 * k for r in (ratio, 1 / ratio) for k in range(1, 33))


def _default_places(examination: Examination) -> tuple[Place, ...]:
    name = examination.parameter or (examination.wrong[0] if examination.wrong else None)
    layer = int(name[1:]) if name and name[1:].isdigit() else None
    equation = _RUNG_EQUATION.get(examination.rung, "cost" if examination.fault in _COST_SIDE else "unknown")
    return (Place(equation, layer),)


_COST_SIDE = frozenset({Fault.COST_CODE, Fault.SCALE, Fault.FORWARD, Fault.ALL_DIFFER})


def differences_of(examination: Examination) -> tuple[Difference, ...]:
    """The discrepancies of an examination, in plain numbers."""
    return tuple(_difference(d) for d in examination.discrepancies)


def _difference(d: Discrepancy) -> Difference:
    return Difference(d.parameter, d.index, float(d.claimed), float(d.expected), float(d.bound), d.oracle)
