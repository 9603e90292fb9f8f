"""Random cases of a family of networks, made to tell faults apart: several samples, layers of equal and of unequal width,
λ zero and not, other activations and costs. From a numpy Generator only.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from gradcheck.networks import Case, Dense
from gradcheck.networks.repertoire import Head, Repertoire
from gradcheck.networks.sampling import sample_case
from gradcheck.strategies.networks import USUAL, build

T = TypeVar("T")
_LAMBDAS = (0.5, 0.3, 1.5)


def repertoire_of(case: Case) -> Repertoire:
    """The family of one case, where nothing else is known: its own activations, cost, depth and number of outputs."""
    a = case.architecture
    hidden = tuple(dict.fromkeys(layer.activation for layer in a.layers[:-1])) or (a.layers[-1].activation,)
    return Repertoire(
        hidden,
        (Head(a.layers[-1].activation, a.cost, a.scale),),
        l2=a.regularisation.strength != 0,
        l2_form=a.regularisation.form,
        l2_biases=a.regularisation.biases,
        depths=(a.depth, a.depth),
        output_widths=(a.widths[-1], a.widths[-1]),
        bias=a.bias,
        dtype=a.dtype,
    )


def draw_case(
    r: Repertoire, generator: np.random.Generator, depth: int | None = None, square: bool | None = None
) -> Case:
    """One random case; depth and style (square: all layers equally wide) are drawn where they are not given."""
    low, high = r.depths
    layers = int(generator.integers(low, min(high, 4) + 1)) if depth is None else depth
    widths = _widths(r, generator, layers, bool(generator.integers(0, 2)) if square is None else square)
    head = _any(generator, r.heads)
    hidden = [head.activation if r.one_activation else _any(generator, r.hidden) for _ in range(layers - 1)]
    strength = _any(generator, (0.0, *_LAMBDAS)) if r.l2 else 0.0
    architecture = build(r, widths, [*hidden, head.activation], head, strength)
    least, most = r.samples
    samples = (
        int(generator.integers(min(max(least, 2), most), min(most, 5) + 1)) if generator.random() < 0.85 else least
    )
    return sample_case(architecture, samples, generator, hard_targets=bool(generator.integers(0, 2)))


def usual_case(r: Repertoire, generator: np.random.Generator) -> Case:
    """A random case as a verification draws them: all widths and numbers of samples, all usual regimes."""
    depth = int(generator.integers(r.depths[0], min(r.depths[1], 4) + 1))
    widths = [int(generator.integers(r.widths[0], r.widths[1] + 1)) for _ in range(depth)]
    if generator.random() < 0.4:
        widths = [widths[0]] * depth
    widths.append(int(generator.integers(r.output_widths[0], r.output_widths[1] + 1)))
    head = _any(generator, r.heads)
    hidden = [head.activation if r.one_activation else _any(generator, r.hidden) for _ in range(depth - 1)]
    strength = _any(generator, (0.0, *_LAMBDAS)) if r.l2 else 0.0
    architecture = build(r, widths, [*hidden, head.activation], head, strength)
    samples = int(generator.integers(r.samples[0], r.samples[1] + 1))
    regime = _any(generator, USUAL)
    return sample_case(architecture, samples, generator, regime, hard_targets=bool(generator.integers(0, 2)))


def draw_near(case: Case, r: Repertoire, generator: np.random.Generator, k: int) -> Case:
    """A random case of the depth of another one; the k-th has equally wide layers for odd k, and in two of four
    that one's activations and cost too."""
    a = case.architecture
    own = Head(a.layers[-1].activation, a.cost, a.scale)
    square = k % 2 == 1
    if r.one_activation or k % 4 in (1, 2):
        return draw_case(r, generator, a.depth, square)
    drawn = draw_case(replace(r, heads=(own,)), generator, a.depth, square)
    layers = tuple(Dense(d.units, k.activation) for d, k in zip(drawn.architecture.layers, a.layers, strict=True))
    architecture = replace(drawn.architecture, layers=layers)
    return sample_case(architecture, drawn.samples, generator, hard_targets=bool(generator.integers(0, 2)))


def _widths(r: Repertoire, generator: np.random.Generator, depth: int, square: bool) -> list[int]:
    """(n_0, …, n_L), at least 2 where the repertoire allows it."""
    low, high = max(r.widths[0], min(2, r.widths[1])), min(r.widths[1], 5)
    out_low, out_high = r.output_widths
    if square:
        units = int(generator.integers(max(low, 2), max(high, 2) + 1))
        units = min(max(units, out_low), out_high) if out_low <= high and out_high > 1 else units
        return [*[units] * depth, min(max(units, out_low), out_high)]
    several = max(out_low, min(2, out_high))
    last = int(generator.integers(several, out_high + 1)) if generator.random() < 0.8 else out_low
    inner = list(generator.permutation(np.arange(low, high + 1)))
    repeated = [int(n) for n in (inner * (depth // len(inner) + 1))[:depth]]
    return [*repeated, last]


def _any(generator: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(generator.integers(0, len(options)))]


def single_sample(case: Case, k: int = 0) -> Case:
    """One sample of a case, with λ = 0: where δ can be read off a claim."""
    architecture = replace(case.architecture, regularisation=replace(case.architecture.regularisation, strength=0.0))
    return replace(
        case,
        architecture=architecture,
        inputs=case.inputs[:, k : k + 1].copy(),
        targets=case.targets[:, k : k + 1].copy(),
    )
