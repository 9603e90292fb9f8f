"""The gradient of the trusted definition to 50 digits, by backprop in mpmath: what all bounds are measured against.

Written apart from gradcheck: it shares the names and constants of the definitions, not the code. The formulas are those that
neither cancel nor overflow; at a kink the slope is that of the trusted definition (0 below and at it).

z, a, delta   lists of rows (unit, sample) of mpf
"""

from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from gradcheck.networks import Case
from gradcheck.numerics import Array

DIGITS = 50
Rows = list[list[Any]]
ERF_CONSTANT, TANH_CONSTANT, CUBIC = 0.7071067811865476, 0.7978845608028654, 0.044715


def gradient(case: Case) -> dict[str, Array]:
    """Gradients of W1, b1, … as object arrays of mpf, 50 digits."""
    with mp.workdps(DIGITS):
        return _gradient(case)


def distance(value: Array, reference: Array) -> Array:
    """|value − reference| as float64, subtracted in 50 digits; inf where the value is not finite."""
    with mp.workdps(DIGITS):
        pairs = zip(np.ravel(value), np.ravel(reference), strict=True)
        out = [float(abs(mpf(float(v)) - r)) if np.isfinite(v) else float("inf") for v, r in pairs]
    return np.array(out).reshape(np.shape(value))


def value(name: str, z: Any) -> Any:
    """f(z) of an elementwise activation, 50 digits."""
    with mp.workdps(DIGITS):
        return _formula(name)[0](z)


def slope(name: str, z: Any) -> Any:
    """f′(z) of an elementwise activation, 50 digits."""
    with mp.workdps(DIGITS):
        return _formula(name)[1](z)


def along(reference: Mapping[str, Array], direction: Mapping[str, Array]) -> Any:
    """⟨reference, direction⟩ in 50 digits."""
    with mp.workdps(DIGITS):
        return mp.fsum(
            mp.fdot(list(np.ravel(reference[n])), [mpf(float(x)) for x in np.ravel(v)]) for n, v in direction.items()
        )


def _gradient(case: Case) -> dict[str, Array]:
    architecture = case.architecture
    names, cost = list(architecture.activation_names), architecture.cost.name
    fused = {("sigmoid", "bce"): "bce_logits", ("softmax", "cross_entropy"): "cross_entropy_logits"}
    if (names[-1], cost) in fused:
        names[-1], cost = "identity", fused[names[-1], cost]
    weights = [_rows(case.weight(l)) for l in range(1, architecture.depth + 1)]
    z, a = _forward(case, weights, names)
    scale = _scale(architecture.scale, case.samples)
    upstream = [[scale * g for g in row] for row in _transposed(_cost_gradient(cost, a[-1], _rows(case.targets)))]
    decay = 2 * mpf(architecture.regularisation.strength) * _l2_factor(architecture.regularisation.form, case.samples)
    penalised_biases = architecture.regularisation.biases
    out: dict[str, Array] = {}
    for l in range(architecture.depth, 0, -1):
        delta = _delta(names[l - 1], z[l], a[l], upstream)
        W, before = weights[l - 1], a[l - 1]
        dW = [
            [mp.fdot(d, row) + decay * w for row, w in zip(before, ws, strict=True)]
            for d, ws in zip(delta, W, strict=True)
        ]
        out[f"W{l}"] = np.array(dW, dtype=object)
        if architecture.bias:
            b = case.bias(l)[:, 0]
            db = [
                [mp.fsum(d) + (decay * mpf(float(v)) if penalised_biases else 0)] for d, v in zip(delta, b, strict=True)
            ]
            out[f"b{l}"] = np.array(db, dtype=object)
        upstream = [[mp.fdot(column, d) for d in zip(*delta, strict=True)] for column in zip(*W, strict=True)]
    return {n: out[n] for n in architecture.shapes()}


def _forward(case: Case, weights: list[Rows], names: list[str]) -> tuple[list[Rows], list[Rows]]:
    z: list[Rows] = [[]]
    a = [_rows(case.inputs)]
    for l, (W, name) in enumerate(zip(weights, names, strict=True), start=1):
        b = case.bias(l)[:, 0]
        columns = list(zip(*a[-1], strict=True))
        z.append([[mp.fdot(w, c) + mpf(float(v)) for c in columns] for w, v in zip(W, b, strict=True)])
        a.append(_softmax(z[l]) if name == "softmax" else [[_value(name, t) for t in row] for row in z[l]])
    return z, a


def _rows(a: Array) -> Rows:
    return [[mpf(float(v)) for v in row] for row in a]


def _transposed(columns: Rows) -> Rows:
    return [list(row) for row in zip(*columns, strict=True)]


def _scale(name: str, m: int) -> Any:
    return mpf(1) / (2 * m) if name == "1/(2m)" else mpf(1) / m if name == "1/m" else _unknown(name)


def _l2_factor(form: str, m: int) -> Any:
    return mpf(1) / 2 if form == "lambda/2" else _unknown(form)


def _unknown(name: str) -> Any:
    msg = f"the 50-digit reference has no {name!r}"
    raise NotImplementedError(msg)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


def _inner(z: Any) -> Any:
    return mpf(TANH_CONSTANT) * (z + mpf(CUBIC) * z**3)


def _gelu_slope(z: Any) -> Any:
    t = z * mpf(ERF_CONSTANT)
    return mp.erfc(-t) / 2 + t * mp.exp(-t * t) / mp.sqrt(mp.pi)


def _gelu_tanh_slope(z: Any) -> Any:
    s = _sigmoid(2 * _inner(z))
    return s + 2 * z * s * _sigmoid(-2 * _inner(z)) * mpf(TANH_CONSTANT) * (1 + 3 * mpf(CUBIC) * z * z)


_PLAIN: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "softplus": (lambda z: max(z, mpf(0)) + mpmath.log1p(mp.exp(-abs(z))), _sigmoid),
    "gelu": (lambda z: z * mp.erfc(-z * mpf(ERF_CONSTANT)) / 2, _gelu_slope),
    "gelu_tanh": (lambda z: z * _sigmoid(2 * _inner(z)), _gelu_tanh_slope),
    "identity": (lambda z: z, lambda z: mpf(1)),
}
_PARAMETRIC: Mapping[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "leaky_relu": (lambda z, p: z if z > 0 else p * z, lambda z, p: mpf(1) if z > 0 else p),
    "elu": (lambda z, p: z if z > 0 else p * mp.expm1(z), lambda z, p: mpf(1) if z > 0 else p * mp.exp(z)),
}


def _formula(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    family, _, rest = name.partition("(")
    if family in _PLAIN:
        return _PLAIN[family]
    value, slope = _PARAMETRIC[family]
    p = mpf(float(rest.rstrip(")")))
    return lambda z: value(z, p), lambda z: slope(z, p)


def _value(name: str, z: Any) -> Any:
    return _formula(name)[0](z)


def _softmax(z: Rows) -> Rows:
    columns = []
    for column in zip(*z, strict=True):
        e = [mp.exp(t - max(column)) for t in column]
        total = mp.fsum(e)
        columns.append([t / total for t in e])
    return _transposed(columns)


def _delta(name: str, z: Rows, a: Rows, upstream: Rows) -> Rows:
    if name != "softmax":
        slope = _formula(name)[1]
        return [[slope(t) * u for t, u in zip(zs, us, strict=True)] for zs, us in zip(z, upstream, strict=True)]
    columns = []
    for s, u in zip(zip(*a, strict=True), zip(*upstream, strict=True), strict=True):
        # s_j (u_j − Σ s_k u_k) without the cancellation of a saturated unit: Σ_k s_k (u_j − u_k)
        columns.append(
            [sj * mp.fsum(sk * (uj - uk) for sk, uk in zip(s, u, strict=True)) for sj, uj in zip(s, u, strict=True)]
        )
    return _transposed(columns)


def _cost_gradient(cost: str, a: Rows, y: Rows) -> Rows:
    """∂C/∂a, one list a SAMPLE."""
    pairs = list(zip(zip(*a, strict=True), zip(*y, strict=True), strict=True))
    return [_COSTS[cost](list(ac), list(yc)) for ac, yc in pairs]


def _logits_cross_entropy(a: list[Any], y: list[Any]) -> list[Any]:
    s = [row[0] for row in _softmax([[t] for t in a])]
    return [sj * mp.fsum(y) - yj for sj, yj in zip(s, y, strict=True)]


def _logit_bce(t: Any, y: Any) -> Any:
    return _sigmoid(t) * (1 - y) - _sigmoid(-t) * y


def _hinge(a: list[Any], y: list[Any]) -> list[Any]:
    t = mp.fdot(a, y)
    inside = [mpf(yj == 0 and aj - t + 1 > 0) for aj, yj in zip(a, y, strict=True)]
    return [i - yj * mp.fsum(inside) for i, yj in zip(inside, y, strict=True)]


_COSTS: Mapping[str, Callable[[list[Any], list[Any]], list[Any]]] = {
    "mse": lambda a, y: [2 * (p - q) for p, q in zip(a, y, strict=True)],
    "mae": lambda a, y: [mp.sign(p - q) for p, q in zip(a, y, strict=True)],
    "bce_logits": lambda a, y: [_logit_bce(p, q) for p, q in zip(a, y, strict=True)],
    "cross_entropy_logits": _logits_cross_entropy,
    "hinge": _hinge,
}
