"""Strategies for dense networks: architectures drawn piece by piece, numbers from a seed and a number of decimals.

Structure is drawn with Hypothesis and shrinks to the smallest network; the numbers come from a drawn seed, rounded to a
drawn number of decimals, so that a minimal case has short decimals. What must not be left to luck (one sample and several,
a square hidden layer and widths all different, every head, every activation) is in `corner_cases`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gradcheck.networks import Activation, Architecture, Case, Dense, Regularisation, forward
from gradcheck.networks.repertoire import Head, Repertoire, default_repertoire
from gradcheck.networks.sampling import REGIMES, Regime, sample_case, with_labels
from gradcheck.numerics import Arrays, random_direction

USUAL: tuple[Regime, ...] = (
    "ordinary",
    "ordinary",
    "ordinary",
    "tiny",
    "large",
    "saturated",
    "near_kink",
    "at_kink",
    "ill_conditioned",
)
LAMBDAS = (0.0, 0.5, 0.1, 1.5)
DIGITS = (1, 2, None, None)
STYLES = ("free", "square", "distinct", "equal")


def regimes(among: Sequence[Regime] = REGIMES) -> st.SearchStrategy[Regime]:
    """The regimes of `gradcheck.networks.sampling`, simplest first."""
    return st.sampled_from(tuple(among))


def repertoires() -> st.SearchStrategy[Repertoire]:
    """The repertoire of everything built in; narrow it with `dataclasses.replace`."""
    return st.just(default_repertoire())


@st.composite
def architectures(draw: st.DrawFn, repertoire: Repertoire | None = None) -> Architecture:
    """Dense networks of a repertoire (default: everything built in): depth, widths, activations, head, λ."""
    r = repertoire or default_repertoire()
    low, high = r.depths
    inner = draw(
        st.lists(st.tuples(st.integers(*r.widths), st.sampled_from(r.hidden)), min_size=low - 1, max_size=high - 1)
    )
    widths = draw(_styled([units for units, _ in inner], r))
    widths = list(r.fixed) if r.fixed else widths
    head = draw(st.sampled_from(r.heads))
    wide_enough(widths, head, r)
    hidden = [head.activation if r.one_activation else f for _, f in inner]
    strength = draw(st.sampled_from(LAMBDAS)) if r.l2 else 0.0
    return build(r, widths, [*hidden, head.activation], head, strength)


@st.composite
def cases(
    draw: st.DrawFn, repertoire: Repertoire | None = None, regimes_among: Sequence[Regime] = USUAL
) -> Case:  # fmt: skip
    """Cases of a repertoire with numbers in one of the regimes; they shrink to few units and short decimals."""
    r = repertoire or default_repertoire()
    architecture = draw(architectures(r))
    samples = draw(st.integers(*r.samples))
    regime = draw(regimes(regimes_among))
    digits = draw(st.sampled_from(DIGITS))
    hard = draw(st.booleans())
    seed = draw(st.integers(0, 2**32 - 1))
    case = sample_case(architecture, samples, np.random.default_rng(seed), regime, digits, hard)
    return labelled(case, r, seed)


def labelled(case: Case, r: Repertoire, seed: int) -> Case:
    """With one class a sample as its target, where the subject takes only that."""
    return with_labels(case, np.random.default_rng(seed)) if r.labels else case


@st.composite
def directions(draw: st.DrawFn, like: Arrays) -> dict[str, Any]:
    """Gaussian directions in the names and shapes of a point."""
    return random_direction(like, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


def build(
    r: Repertoire, widths: Sequence[int], activations: Sequence[Any], head: Head, strength: float
) -> Architecture:
    """An architecture of the repertoire from its drawn parts."""
    layers = tuple(Dense(n, f) for n, f in zip(widths[1:], activations, strict=True))
    regularisation = Regularisation(r.l2_fixed or strength, r.l2_form, r.l2_biases)
    return Architecture(widths[0], layers, head.cost, head.scale, regularisation, r.dtype, r.bias)


@st.composite
def _styled(draw: st.DrawFn, inner: Sequence[int], r: Repertoire) -> list[int]:
    ends = draw(st.integers(*r.widths)), draw(st.integers(*r.output_widths))
    return styled(draw(st.sampled_from(STYLES)), inner, ends, r)


def wide_enough(widths: list[int], head: Head, r: Repertoire) -> None:
    """Two output units at least behind a softmax: one unit that sums to one has no gradient."""
    if head.activation.range == "simplex" and r.output_widths[1] > 1:
        widths[-1] = max(widths[-1], 2)


def styled(style: str, inner: Sequence[int], ends: tuple[int, int], r: Repertoire) -> list[int]:
    """(n_0, …, n_L) around the drawn hidden widths: free, all hidden ones and n_0 equal, all of them different, or all equal,
    the outputs too: only there does a forgotten transpose run in every layer."""
    (first, last), (low, high) = ends, r.widths
    if style == "equal":
        return [first] * (len(inner) + 1) + [min(max(first, r.output_widths[0]), r.output_widths[1])]
    if style == "square":
        return [first] * (len(inner) + 1) + [last]
    if style == "distinct" and high - low >= len(inner):
        order = [
            first + step if first + step <= high else first + step - (high - low + 1) for step in range(len(inner) + 1)
        ]
        return [*order, last]
    return [first, *inner, last]


def corner_cases(repertoire: Repertoire, seed: int) -> Iterator[Case]:
    """What must not be left to luck, once each: every head and every hidden activation, over shapes that cover one sample
    and several, depth 1, 2 and more, a square hidden layer and widths all different, λ = 0 and λ > 0."""
    generator = np.random.default_rng(seed)
    shapes = cycle(_corner_shapes(repertoire))
    hidden = cycle(repertoire.hidden)
    count = max(len(repertoire.heads), len(repertoire.hidden), 6)
    heads = cycle(repertoire.heads)
    for k in range(count):
        head = next(heads)
        widths, samples = next(shapes)
        inner = [head.activation if repertoire.one_activation else next(hidden) for _ in widths[1:-1]]
        strength = (0.0, 0.5)[(k + 1) % 2] if repertoire.l2 else 0.0
        architecture = build(repertoire, widths, [*inner, head.activation], head, strength)
        case = sample_case(architecture, samples, generator, hard_targets=k % 3 == 0)
        yield with_labels(case, generator) if repertoire.labels else case


def extreme_cases(repertoire: Repertoire, seed: int) -> Iterator[Case]:
    """Beyond the range of `cases`: every head with |z| of its layer up to 40, 100 and 800, then every hidden activation.

    ln 0 begins near 37 (16 in float32), and an exponential overflows at 710 (88).
    """
    generator = np.random.default_rng([seed, 8])
    for widths, activations, head in _extreme_networks(repertoire):
        for top in (40.0, 100.0, 800.0):
            architecture = build(repertoire, widths, activations, head, 0.0)
            case = sample_case(architecture, 2, generator, hard_targets=True)
            case = with_labels(case, generator) if repertoire.labels else case
            yield _scaled(case, top)


def _extreme_networks(r: Repertoire) -> Iterator[tuple[list[int], list[Activation], Head]]:
    """Each head behind as few layers as there may be; then two layers, with each hidden activation or else each head."""
    low, high = r.depths
    outputs = max(r.output_widths[0], min(2, r.output_widths[1]))
    depths = [low, 2] if low < 2 <= high else [low]
    for depth in depths:
        hidden = [h.activation for h in r.heads] if r.one_activation else list(r.hidden)
        count = len(r.heads) if depth == low else len(hidden)
        for head, inner, _ in zip(cycle(r.heads), cycle(hidden), range(count), strict=False):
            widths = list(r.fixed) if r.fixed else [2] * depth + [outputs]
            yield widths, [*[inner] * (depth - 1), head.activation], head


def _scaled(case: Case, top: float) -> Case:
    """The case with layer 1 scaled so that its weighted inputs reach from −`top` to `top`: two samples x and −x, no bias.

    Neighbouring units have opposite signs: what comes of logits depends on how far they are apart.
    """
    x = case.inputs[:, :1]
    case = replace(case, inputs=np.hstack([x, -x]))
    case = case.at({"b1": np.zeros_like(case.bias(1))}) if "b1" in case.parameters else case
    z = forward(case)[0][1]
    turned = np.copysign((-1.0) ** np.arange(len(z)), z[:, 0] * (-1.0) ** np.arange(len(z)))[:, None]
    return case.at({"W1": case.parameters["W1"] * turned * (top / max(float(np.max(np.abs(z))), 1e-3))})


def _corner_shapes(r: Repertoire) -> list[tuple[list[int], int]]:
    """(widths, samples) within the repertoire's limits."""
    wanted = [([3, 4, 2], 5), ([2, 3], 1), ([2, 3, 3, 2], 3), ([3, 2], 4), ([4, 3, 5, 2], 1), ([2, 2, 2], 3)]
    if r.fixed:
        return [(list(r.fixed), m) for m in (5, 1, 3, 4) if r.samples[0] <= m <= r.samples[1]]
    low, high = r.depths
    fitting = [(w, m) for w, m in wanted if low <= len(w) - 1 <= high and r.samples[0] <= m <= r.samples[1]]
    least, most = r.output_widths
    fitting = [([*w[:-1], min(max(w[-1], least), most)], m) for w, m in fitting]
    return fitting or [([2, *[3] * (low - 1), least], max(r.samples[0], 1))]
