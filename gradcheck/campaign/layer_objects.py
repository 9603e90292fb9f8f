"""Layer objects: find out which trusted layer an object computes, then judge its pullback against jax.grad too.

The object's output decides: a proposal of `checks.recognition.layers` holds where it gives the same output, within rounding, at
random cases in every shape. Where none does, and at any case where the outputs part (a clip, a guard), finite differences of
the object's own forward pass judge alone: a convention is never a fault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.campaign.layers import NEAR, beside, first_of_all, trusted_at, wrong_parts
from gradcheck.checks.operations import Trusted
from gradcheck.checks.recognition.layers import Asked, proposals
from gradcheck.errors import FATAL, SubjectError, UsageError
from gradcheck.faults.layers import LayerFault, explanations
from gradcheck.networks import OperationCase
from gradcheck.networks.layers import LAYERS
from gradcheck.networks.layers.assignment import Assignment, Role, in_definition, output_in_definition
from gradcheck.networks.namespace import xp_numpy
from gradcheck.networks.sampling import MARGIN
from gradcheck.numerics import Array, Estimate
from gradcheck.oracles.layers import definition_of, output_of, trusted_layer
from gradcheck.oracles.running_error import Unknown
from gradcheck.report import Explanation, Finding, Place
from gradcheck.subjects import Layout, Subject
from gradcheck.subjects.claims import PLAIN_FUNCTION

_TRIES = 20
_SEEN = 3
_CONSTANTS = 6
"""Different targets or indices of one shape: each is traced once by the oracle."""
_GUARD = 1e-5
_LOOSE = 1e-6
"""Relative difference of outputs beyond which a proposal is dropped before its rounding bound is computed."""


@dataclass(frozen=True, slots=True)
class LayerOfObject:
    """An operation of a subject and what it was recognised as.

    said: by the user, so that its forward pass is judged too. dtype: float32 where its outputs are numbers of that kind.
    """

    subject: Subject
    name: str
    assignment: Assignment | None
    said: bool = False
    dtype: str = "float64"

    def case(self, generator: np.random.Generator, k: int | None = None) -> OperationCase:
        """Gaussian arguments in shapes that the object takes, away from the kinks of the layer where that can be."""
        variants = self.subject.offer.operation_shapes[self.name]
        shapes = variants[int(generator.integers(len(variants)))]
        for _ in range(_TRIES if self.assignment else 1):
            case = self._drawn(generator, shapes)
            if self.assignment is None or _nearest(case) > NEAR:
                return case
        return case

    def _drawn(self, generator: np.random.Generator, shapes: Mapping[str, tuple[int, ...]]) -> OperationCase:
        drawn = dict(self.subject.offer.operation_draws.get(self.name, {}))
        arguments, fixed = {}, dict(self.assignment.fixed()) if self.assignment else self._guard(shapes)
        for n, shape in shapes.items():
            if n and drawn.get(n, "") in _ARGUMENTS:
                arguments[n] = _ARGUMENTS[drawn.get(n, "")](generator, shape)
            elif n:
                few = np.random.default_rng([int(generator.integers(_CONSTANTS)), *shape])
                fixed[n] = constant(drawn[n], few, shape)
        if "x" in arguments and "x" not in drawn:
            arguments["x"] = arguments["x"] + np.copysign(3 * MARGIN, arguments["x"])
        cotangent = np.asarray(generator.standard_normal(shapes[""])).astype(self.dtype).astype(np.float64)
        case = OperationCase(f"{PLAIN_FUNCTION}{self.name}", arguments, cotangent, fixed, self.dtype)
        return _with_mask(self.subject, case) if self.assignment and self.assignment.layer == "masked" else case

    def away(self, case: OperationCase) -> bool:
        """Whether a case keeps away from the kinks of the layer, as far as they are known, and from ties."""
        return self.assignment is None or all(_nearest(c) > NEAR for c in (case, beside(case)))

    def _guard(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        """The largest number that an unknown cost may add inside its logarithm, and its gradient leave out."""
        small = [n for n in self.subject.offer.operation_numbers[self.name] if 0 < n <= _GUARD]
        return {"guard": max(small)} if small and shapes[""] == () else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What it was recognised as, for the report; nothing for a network as a whole that is none of the layers."""
        if self.assignment is not None:
            return (f"{self.name}: {'said to be' if self.said else 'recognised as'} {self.assignment.described()}",)
        if self.name in self.subject.offer.chain[-1:]:
            return ()
        return (f"{self.name}: its forward pass is that of no trusted layer; judged by differences of its own output",)

    def trusted(self, case: OperationCase) -> Trusted | None:
        """The trusted corner at a case; None where the object's output is another one there, unless the user said the layer."""
        if self.assignment is None:
            return None
        try:
            found = trusted_at(case)[0]
        except Unknown:
            return None
        if self.assignment.settings.get("guard"):
            found = _with_or_without_guard(case, found)
        telling = self.dtype == "float64" or _tells(found)
        return found if self.said or (telling and _same_output(self.subject, case, found)) else None


def _tells(found: Trusted) -> bool:
    """Whether any gradient stands out of its bound, which in float32 grows fast along a sequence."""
    pull = found.pullback
    return any(np.linalg.norm(g) > 10 * np.linalg.norm(pull.error[n]) for n, g in pull.value.items())


def _with_or_without_guard(case: OperationCase, guarded: Trusted) -> Trusted:
    """A gradient that leaves the guard out is as good: the bound reaches from the one to the other."""
    bare = trusted_at(replace(case, fixed={**case.fixed, "guard": 0.0}))[0].pullback
    known = guarded.pullback
    error = {n: np.abs(g - bare.value[n]) + np.maximum(known.error[n], bare.error[n]) for n, g in known.value.items()}
    return replace(guarded, pullback=Estimate(known.value, error, known.method))


def constant(how: str, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """An argument that is not differentiated: ``integers 6`` (0 … 5), ``classes 3``, ``one_hot``, or ``real`` numbers."""
    word, _, high = how.partition(" ")
    if word in ("integers", "classes"):
        index = generator.integers(int(high), size=shape)
        if index.size > 1:
            index.flat[-1] = index.flat[0]  # a row that is used twice
        return index
    if word == "one_hot":
        return np.eye(shape[-1])[generator.integers(shape[-1], size=shape[:-1])]
    return generator.standard_normal(shape) if word == "real" else 0.05 + 0.9 * generator.random(shape)


_ARGUMENTS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "": lambda generator, shape: generator.standard_normal(shape),
    "positive": lambda generator, shape: 0.3 + np.abs(generator.standard_normal(shape)),
    "unit": lambda generator, shape: 0.05 + 0.9 * generator.random(shape),
}


def known_layer(subject: Subject, name: str, seed: int, said: str | None = None) -> LayerOfObject:
    """The operation with its recognition. Raises UsageError for a stated layer whose arguments the object cannot have."""
    plain = LayerOfObject(subject, name, None)
    variants = subject.offer.operation_shapes[name]
    generator = np.random.default_rng([seed, 19])
    cases = [plain._drawn(generator, shapes) for shapes in variants for _ in range(_SEEN)]
    try:
        values = subject.forward(cases, Layout())
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return plain
    if all(np.array_equal(v, v.astype(np.float32)) for v in values):
        plain, cases = replace(plain, dtype="float32"), [replace(c, dtype="float32") for c in cases]
    asked = _asked(subject, name)
    first = None
    for proposal in proposals(asked, said):
        runs = [_gives(proposal, case, value) for case, value in zip(cases, values, strict=True)]
        if all(runs) and all(_within(proposal, c, v) for c, v in zip(cases[::_SEEN], values[::_SEEN], strict=True)):
            return replace(plain, assignment=proposal, said=said is not None)
        first = first or (proposal if None not in runs else None)
    if said is not None:
        if first is None:
            msg = f"--layer {said}: {name} cannot be this layer: it has arguments {_shapes_text(asked)}"
            raise UsageError(msg)
        return replace(plain, assignment=first, said=True)
    return _as_mask(plain, asked, cases, values) or plain


def _asked(subject: Subject, name: str) -> Asked:
    offer = subject.offer
    shapes = offer.operation_shapes[name][0]
    drawn = offer.operation_draws.get(name, {})
    constants = {n: how.partition(" ")[0] for n, how in drawn.items() if how not in (*_ARGUMENTS, "real")}
    arguments = {n: s for n, s in shapes.items() if n}
    return Asked(name, arguments, shapes[""], offer.operation_numbers.get(name, ()), constants)


def _shapes_text(asked: Asked) -> str:
    return ", ".join(f"{n} {s}" for n, s in asked.shapes.items())


def _gives(proposal: Assignment, case: OperationCase, value: Array) -> bool | None:
    """Whether a proposal gives this output, roughly; None where it does not run or gives another shape."""
    try:
        with np.errstate(all="ignore"):
            expected = np.asarray(definition_of(_as(proposal, case))(case.arguments, xp_numpy), dtype=np.float64)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError):
        return None
    if expected.shape != value.shape:
        return None
    return bool(np.allclose(value, expected, rtol=_LOOSE, atol=_LOOSE * float(np.max(np.abs(value), initial=0.0))))


def _within(proposal: Assignment, case: OperationCase, value: Array) -> bool:
    """The same within the rounding bound of the definition."""
    found = trusted_at(_as(proposal, case))[0]
    return bool(np.all(np.abs(value - found.output) <= 4 * found.output_error + 1e-300))


def _as(proposal: Assignment, case: OperationCase) -> OperationCase:
    return replace(case, fixed={**case.fixed, **proposal.fixed()})


def _same_output(subject: Subject, case: OperationCase, found: Trusted) -> bool:
    try:
        value = subject.forward([case], Layout())[0]
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return False
    return bool(np.all(np.abs(value - found.output) <= 4 * found.output_error + 1e-300))


def _nearest(case: OperationCase) -> float:
    try:
        return trusted_at(case)[1]
    except Unknown:
        return np.inf


def _with_mask(subject: Subject, case: OperationCase) -> OperationCase:
    """With the mask that the subject draws: what it makes of ones, its generators as they always are."""
    ones = subject.forward([case.at({"x": np.ones(case.arguments["x"].shape)})], Layout())[0]
    return replace(case, fixed={**case.fixed, "mask": ones})


def _as_mask(
    plain: LayerOfObject, asked: Asked, cases: list[OperationCase], values: list[Array]
) -> LayerOfObject | None:
    """Dropout: the output is the input times one mask in each shape, which has zeros."""
    if asked.parameters or asked.inputs != ("x",) or asked.shapes["x"] != asked.output:
        return None
    known = replace(plain, assignment=Assignment("masked", roles=(Role("x", "x"),)))
    masks = [np.asarray(_with_mask(plain.subject, c).fixed["mask"]) for c in cases]
    zeros = any(np.any(m == 0) and np.any(m != 0) for m in masks)
    same = all(np.allclose(v, c.arguments["x"] * m, rtol=1e-12) for v, c, m in zip(values, cases, masks, strict=True))
    return known if zeros and same else None


def explained_object(finding: Finding, known: LayerOfObject) -> Finding:
    """With the arguments and gates that are wrong, and the catalogued faults that reproduce the claim."""
    a = known.assignment
    if finding.code.name != "GC405" or a is None:
        return finding
    generator = np.random.default_rng(5)
    cases = [known.case(generator) for _ in range(_SEEN)]
    claims = [known.subject.vjp(case, Layout())[1](case.cotangent).gradient for case in cases]
    if any(set(claim) != set(case.arguments) for claim, case in zip(claims, cases, strict=True)):
        return finding
    where = list(dict.fromkeys(w for c, g in zip(cases, claims, strict=True) for w in _wrong(a, c, g)))
    first = _at_one_step(known, cases[0])
    if any("gate" in w for w in first):
        where = first_of_all(first, where)
    if not where:  # right away from kinks: no mistake of the catalogue is at one alone
        return finding
    faults = _faults(a, cases, claims)
    said = "".join(f"; it equals the gradient one gets when {f.title}" for f in faults)
    return replace(
        finding,
        detail=f"{finding.detail}; wrong: the gradient of {', '.join(where)}{said}",
        places=tuple(Place(f"gradient of {w}") for w in where),
        explanations=tuple(Explanation(f.name, f.title, hint=f.hint) for f in faults),
    )


def _wrong(a: Assignment, case: OperationCase, claim: Mapping[str, Array]) -> list[str]:
    """Own arguments whose gradients are wrong, with the gate where only some columns of one are."""
    trusted = trusted_layer(case)[0].pullback
    wrong = [n for n, g in trusted.value.items() if np.any(np.abs(claim[n] - g) > 2 * trusted.error[n])]
    there = definition_case(a, case, claim)
    if there is None:
        return wrong
    parts = {w.partition(" ")[0]: w for w in wrong_parts(*there) if "gate" in w}
    owners = {r.argument: r.own for r in a.roles if not r.gate}
    gates = {owners[n]: f"{owners[n]} {w.partition(' ')[2]}" for n, w in parts.items() if n in owners}
    return [gates.get(n, n) for n in wrong]


def _at_one_step(known: LayerOfObject, case: OperationCase) -> list[str]:
    """What is wrong when a sequence has one step only: there a mistake at one gate has not spread to the others yet."""
    a = known.assignment
    assert a is not None
    x = case.arguments.get("x", np.zeros(()))
    if "gates" not in a.settings or x.ndim != 3 or any(r.own == "x" and r.moves[:1] not in ((),) for r in a.roles[:1]):
        return []
    at = np.s_[:1] if a.settings.get("time_major") else np.s_[:, :1]
    if case.cotangent.shape[:2] != x.shape[:2]:
        return []
    short = replace(case, arguments={**case.arguments, "x": x[at]}, cotangent=case.cotangent[at])
    try:
        claim = known.subject.vjp(short, Layout())[1](short.cotangent).gradient
    except SubjectError as error:
        if error.kind in FATAL:
            raise
        return []
    return _wrong(a, short, claim) if set(claim) == set(short.arguments) else []


def _faults(a: Assignment, cases: list[OperationCase], claims: list[Mapping[str, Array]]) -> list[LayerFault]:
    there = [definition_case(a, c, g) for c, g in zip(cases, claims, strict=True)]
    known = [t for t in there if t is not None]
    if a.layer not in LAYERS or len(known) < len(there) or not known:
        return []
    return explanations(a.layer, [c for c, _ in known], [g for _, g in known])


_NEUTRAL: Mapping[str, tuple[str, Callable[[Mapping[str, Array]], Array]]] = {
    "lstm": ("c0", lambda a: np.zeros(a["h0"].shape)),
    "conv2d": ("b", lambda a: np.zeros(a["w"].shape[0])),
    "conv1d": ("b", lambda a: np.zeros(a["w"].shape[0])),
}
"""What the references take and an object may do without, with the value that changes nothing."""


def definition_case(
    a: Assignment, case: OperationCase, claim: Mapping[str, Array]
) -> tuple[OperationCase, dict[str, Array]] | None:
    """Case and claim in the definition's arrangement; None where an own argument has no counterpart there."""
    settings: dict[str, Any] = {n: v for n, v in case.fixed.items() if n not in ("layer", "assigned")}
    full = replace(a, settings=settings)
    arguments, gradient, told = in_definition(full, case.arguments, claim)
    made = {r.argument for r in a.roles if any(m[0] in ("zeros", "nothing") for m in r.moves)}
    if "+" in {r.argument for r in a.roles}:
        return None
    if a.layer in _NEUTRAL:
        name, neutral = _NEUTRAL[a.layer]
        if name not in arguments:
            made.add(name)
            arguments[name] = neutral(arguments)
    if a.layer == "multi_head_attention":
        told["mask"] = np.ones((arguments["x"].shape[1],) * 2)
    try:
        output = output_of(a.layer, arguments, told)
        cotangent = output_in_definition(a, case.cotangent, output.shape)
    except (ValueError, TypeError, KeyError):
        return None
    fixed = {**told, "layer": a.layer}
    own = {n: g for n, g in gradient.items() if n not in made}
    return OperationCase(case.operation, arguments, cotangent, fixed), own
