"""Between the trusted layout and the subject's own: orientation of weights and samples, and where the biases live.

Trusted layout: W (to, from), b (to, 1), samples in columns. A layout is a convention and never a fault.
It must not know calling conventions; adapters use it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Literal, get_args

import numpy as np

from gradcheck.networks import Architecture, Case, OperationCase
from gradcheck.numerics import Array, Arrays

Weights = Literal["to_from", "from_to"]
Samples = Literal["columns", "rows"]
Bias = Literal["column", "vector", "row", "first_row", "first_column", "none"]
Order = Literal["C", "F"]
Grouping = Literal["layers", "weights_first"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
SAMPLES: tuple[Samples, ...] = get_args(Samples)
BIAS: tuple[Bias, ...] = get_args(Bias)


@dataclass(frozen=True, slots=True)
class Layout:
    """weights (to, from) or (from, to); samples in columns or rows; biases (n, 1), (n,), (1, n), folded into the first
    row or column of the weight matrix, or absent.

    order, grouping: for parameters in one flat vector only: each matrix in C or Fortran order, and W1, b1, W2, b2, … or
    W1, W2, …, b1, b2, ….
    """

    weights: Weights = "to_from"
    samples: Samples = "columns"
    bias: Bias = "column"
    order: Order = "C"
    grouping: Grouping = "layers"

    @property
    def folded(self) -> bool:
        """Whether the biases are a row or column of the weight matrices."""
        return self.bias in ("first_row", "first_column")

    def describe(self) -> str:
        """One line for people."""
        text = f"weights {self.weights}, samples in {self.samples}, bias {self.bias}"
        flat = ["unrolled in Fortran order"] * (self.order == "F") + ["weights before biases"] * (
            self.grouping != "layers"
        )
        return ", ".join([text, *flat])


def layouts(
    weights: Sequence[Weights] = WEIGHTS, samples: Sequence[Samples] = SAMPLES, bias: Sequence[Bias] = BIAS
) -> list[Layout]:
    """The sensible combinations, customary ones first: a folded bias row needs (from, to), a bias column (to, from)."""
    everything = [Layout(w, s, b) for w, s, b in product(weights, samples, bias)]
    sensible = [
        k
        for k in everything
        if not (k.bias == "first_row" and k.weights == "to_from")
        and not (k.bias == "first_column" and k.weights == "from_to")
    ]
    return sensible or everything


def parameters_to_subject(case: Case, layout: Layout) -> tuple[list[Array], list[Array] | None]:
    """Fresh weights and biases, layer 1 first, in the subject's layout and dtype; biases None when folded or absent."""
    layers, dtype = range(1, case.architecture.depth + 1), case.dtype
    weights, biases = [case.weight(l) for l in layers], [case.bias(l) for l in layers]
    if layout.folded:
        weights = [np.hstack([b, W]) for W, b in zip(weights, biases, strict=True)]
    turned = layout.weights != "to_from"
    weights = [np.array(W.T if turned else W, dtype=dtype, order="C") for W in weights]
    if layout.folded or layout.bias == "none":
        return weights, None
    return weights, [np.array(b.reshape(bias_shape(len(b), layout)), dtype=dtype) for b in biases]


def samples_to_subject(a: Array, layout: Layout, dtype: str) -> Array:
    """A fresh copy of inputs or targets (units, samples) with samples where the subject expects them."""
    return np.array(a if layout.samples == "columns" else a.T, dtype=dtype, order="C")


def samples_from_subject(a: Any, layout: Layout) -> Array:
    """The subject's output activations as (units, samples), float64."""
    matrix = np.atleast_2d(np.asarray(a, dtype=np.float64))
    return matrix if layout.samples == "columns" else matrix.T


def bias_shape(units: int, layout: Layout) -> tuple[int, ...]:
    """Shape of one separate bias in the subject's layout."""
    if layout.bias == "column":
        return (units, 1)
    return (1, units) if layout.bias == "row" else (units,)


def subject_shapes(architecture: Architecture, layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shapes that the subject's gradients must have: W1, b1, … (only W's when the bias is folded or absent)."""
    shapes: dict[str, tuple[int, ...]] = {}
    biases = not layout.folded and layout.bias != "none"
    for layer, (before, units) in enumerate(pairwise(architecture.widths), start=1):
        columns = before + 1 if layout.folded else before
        shapes[f"W{layer}"] = (units, columns) if layout.weights == "to_from" else (columns, units)
        if biases:
            shapes[f"b{layer}"] = bias_shape(units, layout)
    return shapes


def gradient_to_trusted(gradient: Arrays, layout: Layout) -> dict[str, Array]:
    """Gradients in the subject's layout (with exactly the shapes of `subject_shapes`) to W1 (to, from), b1 (to, 1) …"""
    trusted: dict[str, Array] = {}
    for name, g in gradient.items():
        if name.startswith("b"):
            trusted[name] = g.reshape(-1, 1)
        elif name.startswith("W"):
            W = g if layout.weights == "to_from" else g.T
            if layout.folded:
                trusted[name] = W[:, 1:]
                trusted[f"b{name[1:]}"] = W[:, :1]
            else:
                trusted[name] = W
        else:
            trusted[name] = g if layout.samples == "columns" else g.T
    return trusted


def layout_from_json(data: Mapping[str, Any]) -> Layout:
    """From {"weights": …, "samples": …, "bias": …}, order and grouping where they are not the customary ones."""
    flat = {key: data[key] for key in ("order", "grouping") if key in data}
    return Layout(data["weights"], data["samples"], data["bias"], **flat)


def operation_to_subject(name: str, a: Array, layout: Layout, dtype: str) -> Array:
    """A fresh copy of one argument of an operation: w (to, from), b (to, 1), anything else (units, samples)."""
    if name == "w":
        return np.array(a if layout.weights == "to_from" else a.T, dtype=dtype, order="C")
    if name == "b":
        return np.array(a.reshape(bias_shape(a.shape[0], layout)), dtype=dtype)
    return samples_to_subject(a, layout, dtype)


def operation_shapes(point: OperationCase, layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shapes that the gradients of an operation's arguments must have."""
    return {n: operation_to_subject(n, a, layout, "float64").shape for n, a in point.arguments.items()}


def operation_to_trusted(gradient: Arrays, layout: Layout) -> dict[str, Array]:
    """Gradients of an operation's arguments, in exactly the shapes of `operation_shapes`, in the trusted layout."""
    trusted: dict[str, Array] = {}
    for name, g in gradient.items():
        turned = layout.weights == "from_to" if name == "w" else layout.samples == "rows"
        trusted[name] = g.reshape(-1, 1) if name == "b" else g.T if turned else g
    return trusted
