"""Verify one forward/backward pair: find out which trusted layer its forward pass is, then judge the pullback.

A layer is recognised when the outputs agree at random cases, with the settings that the signature does not take (ε, the order
of gates) tried in turn. Where no layer agrees, finite differences of the subject's own forward pass judge alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gradcheck.campaign.operation_shrinking import OperationShrinking
from gradcheck.campaign.outcome import Options, Outcome
from gradcheck.checks.operations import Trusted
from gradcheck.errors import FATAL, SubjectError, UsageError
from gradcheck.faults.layers import LayerFault, explanations
from gradcheck.networks import OperationCase
from gradcheck.networks.layers import LAYERS, Dice
from gradcheck.numerics import Array
from gradcheck.oracles.layers import output_of, trusted_layer
from gradcheck.report import Explanation, Finding, Place, Tally
from gradcheck.strategies.layers import layer_inputs
from gradcheck.subjects import Layout, Subject

NEAR = 1e-3
"""Cases in which two compared values come nearer than this are drawn again: no kink within reach of the differences."""
STRUCTURES = 47
"""Structures (sizes and settings) of one campaign: tracing one costs a hundred times what a case of it costs."""
_TRIES = 20
_SEEN = 3
_QUIET = frozenset({"layout", "time_major", "weights", "bias", "kernel", "axes"})
"""Settings that are worth a word only where they are not the usual ones."""
Verify = Callable[..., Outcome]
_LAST: list[Any] = []


@dataclass(frozen=True, slots=True)
class Reading:
    """How a pair is read: its layer, the settings that it fixes itself, and what its forward pass takes."""

    pair: str
    layer: str
    pinned: Mapping[str, Any]
    takes: Sequence[str]

    def case(
        self, generator: np.random.Generator, k: int | None = None, dtype: str = "float64", seed: int = 0
    ) -> OperationCase:
        """The k-th random case of a campaign with this seed, the first ones small; away from kinks where that can be.

        The structure (sizes, settings) is the (k mod `STRUCTURES`)-th, the numbers are the generator's; None: both are.
        """
        which = [k % STRUCTURES, seed, 13] if k is not None else int(generator.integers(2**32))
        for _ in range(_TRIES):
            small = k is not None and k < 2
            case = self._draw(np.random.default_rng(which), small=small, dtype=dtype, numbers=generator)
            if trusted_at(case)[1] > NEAR:
                return case
        return case

    def _draw(
        self,
        generator: np.random.Generator,
        *,
        small: bool,
        dtype: str,
        numbers: np.random.Generator | None = None,
    ) -> OperationCase:
        arguments, settings = LAYERS[self.layer].draw(Dice(generator, self.pinned, small, numbers))
        return self._with(arguments, settings, numbers or generator, dtype)

    def _with(
        self, arguments: Mapping[str, Array], settings: Mapping[str, Any], numbers: np.random.Generator, dtype: str
    ) -> OperationCase:
        """What the forward pass takes of a layer's arguments and settings, and a cotangent."""
        dropped = {n for n in LAYERS[self.layer].optional if n not in self.takes and n not in self.pinned}
        arguments = {n: _rounded(a, dtype) for n, a in arguments.items() if n in self.takes}
        kept = {n: _rounded(v, dtype) for n, v in settings.items() if n not in dropped}
        output = output_of(self.layer, arguments, kept)
        cotangent = _rounded(numbers.standard_normal(output.shape), dtype)
        return OperationCase(self.pair, arguments, cotangent, {**kept, "layer": self.layer}, dtype)

    def like(self, case: OperationCase) -> st.SearchStrategy[OperationCase]:
        """Cases of the precision of a given one, which shrink to the smallest sizes."""
        inputs = layer_inputs(LAYERS[self.layer], self.pinned)
        return inputs.map(lambda i: self._with(i[0], i[1], np.random.default_rng([i[2], 2]), case.dtype))


def trusted_at(case: OperationCase) -> tuple[Trusted, float]:
    """The trusted corner at a case, and its distance from a kink; the last case is asked for twice, and worked out once."""
    if not _LAST or _LAST[0] is not case:
        t, nearest = trusted_layer(case)
        _LAST[:] = case, (Trusted(t.output, t.output_error, t.pullback), nearest)
    found: tuple[Trusted, float] = _LAST[1]
    return found


def away_from_kinks(case: OperationCase) -> bool:
    """Whether no two compared values come near one another, nor are the same by the numbers of the case: zeros have ties."""
    return all(trusted_at(c)[1] > NEAR for c in (case, beside(case)))


def beside(case: OperationCase) -> OperationCase:
    """A case so near that what ties there comes within `NEAR` here."""
    generator = np.random.default_rng(31)
    return case.at({n: a + 0.01 * NEAR * generator.standard_normal(a.shape) for n, a in case.arguments.items()})


def verify_layer(subject: Subject, pair: str, options: Options, verify: Verify, said: str | None) -> Outcome:
    """The campaign of one pair; `verify` runs it. Raises UsageError for a layer that the signature cannot be."""
    candidates = subject.offer.candidates[pair]
    if said is not None and said not in candidates:
        msg = f"--layer {said}: the signature of {pair} is not that of this layer; it fits {', '.join(candidates)}"
        raise UsageError(msg)
    chosen = {n: t for n, t in candidates.items() if said in (None, n)}
    reading, agrees = recognise(subject, pair, chosen, options.seed)
    if reading is None:
        return Outcome((), Tally(), (), (f"not checked: {pair}: its forward pass ran for none of {', '.join(chosen)}",))

    def draw(generator: np.random.Generator, k: int) -> OperationCase:
        return reading.case(generator, k, "float32" if k % 6 == 5 else "float64", options.seed)

    trusted = (lambda case: trusted_at(case)[0]) if agrees or said else (lambda case: None)
    shrinking = OperationShrinking(options.seed, reading.like, away_from_kinks)
    outcome = verify(subject, Layout(), draw, trusted, options, shrinking)
    usual = {n: v[0] for n, v in LAYERS[reading.layer].unsaid.items() if n in _QUIET}
    fixed = "".join(f", {n} = {v}" for n, v in reading.pinned.items() if usual.get(n) != v)
    note = f"{pair}: {reading.layer}{fixed}" if agrees else f"{pair}: its forward pass is that of no trusted layer; judged by differences of its own output"  # noqa: E501  # fmt: skip
    findings = tuple(explained(f, subject, reading) if agrees else f for f in outcome.findings)
    return replace(outcome, findings=findings, notes=(note, *outcome.notes))


def recognise(
    subject: Subject, pair: str, candidates: Mapping[str, Sequence[str]], seed: int
) -> tuple[Reading | None, bool]:
    """The first reading whose outputs are the trusted ones; else the first that runs, and False."""
    runs: Reading | None = None
    for reading in readings(pair, candidates):
        agreement = _agrees(subject, reading, seed)
        if agreement:
            return reading, True
        if agreement is False and runs is None:
            runs = reading
    return runs, False


def readings(pair: str, candidates: Mapping[str, Sequence[str]]) -> Iterator[Reading]:
    """Every candidate with every value of the settings that its forward pass does not take."""
    for name, takes in candidates.items():
        untold = {n: v for n, v in LAYERS[name].unsaid.items() if n not in takes}
        for values in product(*untold.values()):
            yield Reading(pair, name, dict(zip(untold, values, strict=True)), takes)


def _agrees(subject: Subject, reading: Reading, seed: int) -> bool | None:
    """Whether the outputs agree at some cases; None where the forward pass does not run."""
    generator = np.random.default_rng([seed, 17])
    for _ in range(_SEEN):
        case = reading._draw(generator, small=False, dtype="float64")
        try:
            value = subject.forward([case], Layout())[0]
        except SubjectError as error:
            if error.kind in FATAL:
                raise
            return None
        expected = output_of(reading.layer, case.arguments, case.fixed)
        if value.shape != expected.shape:
            return None
        if not np.allclose(value, expected, rtol=1e-7, atol=1e-9):
            return False
    return True


def explained(finding: Finding, subject: Subject, reading: Reading) -> Finding:
    """With the arguments and parts (gates) that are wrong, and the catalogued faults that reproduce the claim."""
    if finding.code.name != "GC405":
        return finding
    generator = np.random.default_rng(5)
    cases = [reading.case(generator) for _ in range(_SEEN)]
    claims = [subject.vjp(case, Layout())[1](case.cotangent).gradient for case in cases]
    if any(set(claim) != set(case.arguments) for claim, case in zip(claims, cases, strict=True)):
        return finding
    where = list(dict.fromkeys(w for case, claim in zip(cases, claims, strict=True) for w in wrong_parts(case, claim)))
    first = _at_one_step(subject, cases[0])
    if any("gate" in w for w in first):
        where = first_of_all(first, where)
    faults: list[LayerFault] = explanations(reading.layer, cases, claims)
    said = "".join(f"; it equals the gradient one gets when {f.title}" for f in faults)
    return replace(
        finding,
        detail=f"{finding.detail}; wrong: the gradient of {', '.join(where)}{said}" if where else finding.detail,
        places=tuple(Place(f"gradient of {w}") for w in where) or finding.places,
        explanations=tuple(Explanation(f.name, f.title, hint=f.hint) for f in faults),
    )


def first_of_all(first: list[str], where: list[str]) -> list[str]:
    """What is wrong at one step, with its gates, and then what is wrong besides once it has spread."""
    known = {w.partition(" ")[0] for w in first}
    spread = dict.fromkeys(w.partition(" ")[0] for w in where)
    return [*first, *(n for n in spread if n not in known)]


def _at_one_step(subject: Subject, case: OperationCase) -> list[str]:
    """What is wrong when a sequence has one step only: there a mistake at one gate has not spread to the others yet."""
    if "gates" not in case.fixed or case.arguments["x"].ndim != 3:
        return []
    first = np.s_[:1] if case.fixed.get("time_major") else np.s_[:, :1]
    x = case.arguments["x"][first]
    short = replace(case, arguments={**case.arguments, "x": x}, cotangent=case.cotangent[first])
    claim = subject.vjp(short, Layout())[1](short.cotangent).gradient
    return list(wrong_parts(short, claim)) if set(claim) == set(short.arguments) else []


def wrong_parts(case: OperationCase, claim: Mapping[str, Any]) -> Iterator[str]:
    """``wx (gate f)`` where only named parts of an argument's last axis are wrong, else the argument."""
    trusted = trusted_layer(case)[0].pullback
    order = str(case.fixed.get("gates", ""))
    for name, expected in trusted.value.items():
        if name not in claim:
            continue
        wrong = np.abs(claim[name] - expected) > 2 * trusted.error[name]
        if not wrong.any():
            continue
        wrong = wrong.T if case.fixed.get("weights") == "to_from" else wrong
        width = wrong.shape[-1] // len(order) if order and name in ("wx", "wh", "b") else 0
        gates = [g for k, g in enumerate(order) if width and wrong[..., k * width : (k + 1) * width].any()]
        yield f"{name} (gate {', '.join(gates)})" if 0 < len(gates) < len(order) else name


def _rounded(value: Any, dtype: str) -> Any:
    """Numbers that the dtype represents exactly, in float64."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype).astype(np.float64)
    return value
