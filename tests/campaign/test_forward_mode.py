"""Tangents and Hessian-vector products: right ones pass, wrong ones fail at the argument and the component."""

import numpy as np
import pytest

from gradcheck import UsageError, check_hvp, check_jvp

rng = np.random.default_rng(4)
x, w = rng.standard_normal((3, 2)), rng.standard_normal((2, 4))


def layer(x, w):
    return np.tanh(x @ w)


def right(tangents, x, w):
    dx, dw = tangents
    y = np.tanh(x @ w)
    return (dx @ w + x @ dw) * (1 - y**2)


def wrong(tangents, x, w):
    dx, dw = tangents
    return (dx @ w + x @ dw) * (1 - np.tanh(x @ w))


def forgets_w(tangents, x, w):
    return (tangents[0] @ w) * (1 - np.tanh(x @ w) ** 2)


def test_a_right_tangent_passes():
    """For each argument alone and for all of them together."""
    report = check_jvp(layer, right, [x, w])
    assert report.verdict == "pass"
    assert {p.parameter for p in report.power} == {"x", "w", "all arguments together"}
    assert max(p.smallest_relative_error for p in report.power) < 1e-9


def test_a_wrong_tangent_fails_with_its_components():
    """Each shown number is a component of the output."""
    (finding,) = check_jvp(layer, wrong, [x, w]).findings
    assert finding.code.name == "GC405"
    assert all(d.parameter == "tangent of output" for d in finding.discrepancies)
    assert "tangent of x" in finding.counterexample["arguments"]


def test_the_forgotten_argument_is_named():
    """w is, and not x."""
    (finding,) = check_jvp(layer, forgets_w, [x, w]).findings
    assert [p.equation for p in finding.places] == ["tangent along w", "tangent along all arguments together"]


def test_only_the_wrong_component_is_shown():
    """One entry of the output."""

    def one(tangents, x, w):
        out = right(tangents, x, w)
        out[2, 3] *= 1 + 1e-6
        return out

    (finding,) = check_jvp(layer, one, [x, w]).findings
    assert {d.index for d in finding.discrepancies} == {(2, 3)}


def test_a_reference_brings_jax_in():
    """Where it is the same function, a pass; where it is another, the primal is said to differ."""
    import jax.numpy as jnp

    assert check_jvp(layer, right, [x, w], reference=lambda x, w: jnp.tanh(x @ w), max_examples=5).verdict == "pass"
    (finding,) = check_jvp(layer, right, [x, w], reference=lambda x, w: jnp.sin(x @ w)).findings
    assert finding.code.name == "GC301"


def test_the_pair_that_jax_jvp_returns():
    """(output, tangent), of a single argument."""
    assert check_jvp(np.sin, lambda v, x: (np.sin(x), np.cos(x) * v), [x]).verdict == "pass"
    assert check_jvp(np.sin, lambda v, x: (np.sin(x), np.sin(x) * v), [x]).verdict == "fail"


def test_trees_integers_and_narrow_floats():
    """A mapping of float32 arrays, and indices that have no tangent."""

    def gather(p, k):
        return {"rows": p["table"][k] * p["scale"]}

    def pushed(tangents, p, k):
        v, none = tangents
        assert none is None
        return {"rows": v["table"][k] * p["scale"] + p["table"][k] * v["scale"]}

    given = [{"table": np.float32(w), "scale": np.float32(1.5)}, np.array([1, 0, 1])]
    assert check_jvp(gather, pushed, given).verdict == "pass"


def test_complex_arguments():
    """The tangent of a function that is not holomorphic."""
    z = x + 1j * x[::-1]
    assert (
        check_jvp(lambda z: z * np.conj(z) * 1j, lambda v, z: 1j * (v * np.conj(z) + z * np.conj(v)), [z]).verdict
        == "pass"
    )
    assert check_jvp(lambda z: z * np.conj(z) * 1j, lambda v, z: 2j * v * np.conj(z), [z]).verdict == "fail"


def test_any_slope_between_both_at_a_kink():
    """relu′(0) may be 0, ½ or 1, and nothing else."""
    at = np.array([0.0, 1.0, -2.0])

    def relu(x):
        return np.maximum(x, 0)

    def slope(c):
        return lambda v, x: np.where(x == 0, c, x > 0) * v

    verdicts = [check_jvp(relu, slope(c), [at], max_examples=1).verdict for c in (0.0, 0.5, 1.0, 1.01, -0.01)]
    assert verdicts == ["pass"] * 3 + ["fail"] * 2


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (lambda v, x: np.cos(x).sum() * v, "GC405"),
        (lambda v, x: np.cos(x)[:1] * v[:1], "GC104"),
        (lambda v, x: None, "GC103"),
        (lambda v, x: np.cos(x) * v * rng.standard_normal(), "GC203"),
        (lambda v, x: np.multiply(v, np.cos(x), out=v), "GC201"),
    ],
)
def test_broken_contracts(bad, code):
    """Each has its code."""
    report = check_jvp(np.sin, bad, [x])
    assert [f.code.name for f in report.findings] == [code]


# -- Hessian-vector products --------------------------------------------------------------------------------------------


def cost(x, w):
    return float(np.sum(np.tanh(x @ w) ** 2))


def gradient(x, w):
    y = np.tanh(x @ w)
    dz = 2 * y * (1 - y**2)
    return dz @ w.T, x.T @ dz


def product(vectors, x, w):
    u, v = vectors
    y = np.tanh(x @ w)
    dz, dy = 2 * y * (1 - y**2), (u @ w + x @ v) * (1 - y**2)
    d2 = dy * (2 - 6 * y**2)
    return d2 @ w.T + dz @ v.T, u.T @ dz + x.T @ d2


def no_cross_term(vectors, x, w):
    """Gauss–Newton-like: the change of w itself is forgotten."""
    a, b = product(vectors, x, w)
    y = np.tanh(x @ w)
    return a - (2 * y * (1 - y**2)) @ vectors[1].T, b


def test_a_right_hessian_product_passes_with_and_without_the_gradient():
    """The gradient makes it a thousand times sharper, at least."""
    sharp, blunt = check_hvp(cost, product, [x, w], gradient=gradient), check_hvp(cost, product, [x, w], max_examples=6)
    assert (sharp.verdict, blunt.verdict) == ("pass", "pass")
    assert (
        1000 * max(p.smallest_relative_error for p in sharp.power)
        < min(p.smallest_relative_error for p in blunt.power)
        < 1e-3
    )


@pytest.mark.parametrize("known", [{"gradient": gradient}, {}])
def test_a_wrong_hessian_product_fails(known):
    """And its asymmetry is said."""
    (finding,) = check_hvp(cost, no_cross_term, [x, w], max_examples=6, **known).findings
    assert finding.code.name == "GC405"
    assert any("not symmetric" in e for e in finding.evidence)


def test_a_reference_of_the_cost():
    """jax.grad of it is differentiated along v."""
    import jax.numpy as jnp

    reference = {"reference": lambda x, w: jnp.sum(jnp.tanh(x @ w) ** 2), "max_examples": 5}
    assert check_hvp(cost, product, [x, w], gradient=gradient, **reference).verdict == "pass"
    assert check_hvp(cost, product, [x, w], **reference).verdict == "pass"
    assert check_hvp(cost, no_cross_term, [x, w], **reference).verdict == "fail"
    other = {"reference": lambda x, w: jnp.sum(jnp.tanh(x @ w) ** 2) / 2, "max_examples": 1}
    (finding,) = check_hvp(cost, product, [x, w], **other).findings
    assert finding.code.name == "GC301"


def test_complex_arguments_of_a_cost_are_refused():
    """With what to do instead."""
    with pytest.raises(UsageError, match="real and imaginary parts"):
        check_hvp(lambda z: float(np.sum(np.abs(z) ** 2)), lambda v, z: 2 * v, [x + 1j])
