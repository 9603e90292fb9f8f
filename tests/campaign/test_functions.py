"""Any function: right pullbacks of many kinds pass, each with one planted fault fails; trees, dtypes, kinks, conventions."""

import numpy as np
import pytest

import gradcheck

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3)) + 3 * np.eye(3)
V = rng.normal(size=5)
Z = rng.normal(size=4) + 1j * rng.normal(size=4)
INDEX = np.array([0, 2, 2, 1])


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def solve_pullback(g, A, b):
    gb = np.linalg.solve(A.T, g)
    return -np.outer(gb, np.linalg.solve(A, b)), gb


def cholesky(B):
    return np.linalg.cholesky((B + B.T) / 2)


def cholesky_pullback(g, B, half=0.5):
    L = cholesky(B)
    P = np.tril(L.T @ g)
    P[np.diag_indices(3)] *= half
    inverse = np.linalg.inv(L)
    S = inverse.T @ P @ inverse
    return (S + S.T) / 2


def sort_pullback(g, x):
    out = np.zeros_like(x)
    out[np.argsort(x)] = g
    return out


def gather_pullback(g, x):
    out = np.zeros_like(x)
    np.add.at(out, INDEX, g)
    return out


def gather_overwriting(g, x):
    out = np.zeros_like(x)
    out[INDEX] = g
    return out


FUNCTIONS = {
    "solve": (np.linalg.solve, solve_pullback, lambda g, A, b: (solve_pullback(g, A, b)[0].T, solve_pullback(g, A, b)[1]),
              [A, V[:3]]),
    "cholesky": (cholesky, cholesky_pullback, lambda g, B: cholesky_pullback(g, B, half=1.0), [A @ A.T]),
    "sort": (np.sort, sort_pullback, lambda g, x: g[np.argsort(x)], [V]),
    "softmax": (softmax, lambda g, x: softmax(x) * (g - g @ softmax(x)), lambda g, x: 0 * x, [V]),
    "inverse": (np.linalg.inv, lambda g, A: -np.linalg.inv(A).T @ g @ np.linalg.inv(A).T,
                lambda g, A: -np.linalg.inv(A) @ g @ np.linalg.inv(A), [A]),
    "cumsum": (np.cumsum, lambda g, x: np.cumsum(g[::-1])[::-1], lambda g, x: np.cumsum(g), [V]),
    "where": (lambda x: np.where(x > 0, x, 0.1 * x), lambda g, x: np.where(x > 0, g, 0.1 * g), lambda g, x: g * 1.0, [V]),
    "gather": (lambda x: x[INDEX], gather_pullback, gather_overwriting, [V[:3]]),
    "norm": (np.linalg.norm, lambda g, x: g * x / np.linalg.norm(x), lambda g, x: g * x, [V]),
    "variance": (np.var, lambda g, x: 2 * g * (x - x.mean()) / x.size, lambda g, x: 2 * g * x / x.size, [V]),
    "log": (np.log, lambda g, x: g / x, lambda g, x: g * x, [np.abs(V)]),
    "broadcast": (lambda a, b: a * b, lambda g, a, b: ((g * b).sum(0), (g * a).sum(1, keepdims=True)),
                  lambda g, a, b: ((g * b).sum(0), np.ones_like(b) * (g * a).sum()), [V, A[:, :1]]),
    "fft": (np.fft.fft, lambda g, z: np.fft.fft(g), lambda g, z: np.fft.ifft(g), [Z]),
    "modulus": (np.abs, lambda g, z: g * np.conj(z) / np.abs(z), lambda g, z: g * np.abs(z) / z.real, [Z]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_passes_and_wrong_fails(name):
    """The wrong one differs from the right one by one mistake."""
    primal, right, wrong, arguments = FUNCTIONS[name]
    report = gradcheck.check_vjp(primal, right, arguments, max_examples=12)
    assert (report.verdict, report.tally.cases) == ("pass", 12)
    failed = gradcheck.check_vjp(primal, wrong, arguments, max_examples=12)
    assert (failed.verdict, failed.findings[0].code.name) == ("fail", "GC405")


PARAMETERS = {"layers": [{"W": A, "b": V[:3]}], "steps": 3, "name": "net", "none": None}


def net(parameters, x, *, scale=1.0):
    layer = parameters["layers"][0]
    return {"z": scale * (layer["W"] @ x + layer["b"])}


def net_pullback(g, parameters, x, *, scale=1.0):
    gz = scale * g["z"]
    return {"layers": [{"W": np.outer(gz, x), "b": gz.copy()}]}, parameters["layers"][0]["W"].T @ gz


def test_trees_and_static_arguments():
    """Constants need no cotangent; leaves are named by their path."""
    report = gradcheck.check_vjp(net, net_pullback, [PARAMETERS, V[:3]], static={"scale": 2.0}, max_examples=8)
    assert report.verdict == "pass"
    assert {p.parameter for p in report.power} == {"parameters['layers'][0]['W']", "parameters['layers'][0]['b']", "x"}


def test_a_wrong_leaf_is_named_by_its_path():
    """A transposed weight gradient."""

    def wrong(g, parameters, x):
        gp, gx = net_pullback(g, parameters, x)
        gp["layers"][0]["W"] = gp["layers"][0]["W"].T.copy()
        return gp, gx

    report = gradcheck.check_vjp(net, wrong, [PARAMETERS, V[:3]], max_examples=8)
    assert {d.parameter for d in report.findings[0].discrepancies} == {"parameters['layers'][0]['W']"}


@pytest.mark.parametrize(
    ("returned", "code", "text"),
    [
        (lambda W, b, gx: ({"layers": [{"W": W}]}, gx), "GC101", "parameters['layers'][0]['b']"),
        (lambda W, b, gx: ({"layers": [{"W": W, "b": b}] * 2}, gx), "GC102", "parameters['layers']"),
        (lambda W, b, gx: ({"layers": [{"W": W[:2], "b": b}]}, gx), "GC104", "parameters['layers'][0]['W']"),
        (lambda W, b, gx: ({"layers": [{"W": W + 0j, "b": b}]}, gx), "GC103", "return the real part"),
    ],
    ids=["missing", "count", "shape", "complex"],
)
def test_structure_is_told_with_the_path(returned, code, text):
    """What is missing, too many, of another shape or kind."""

    def pullback(g, parameters, x):
        gp, gx = net_pullback(g, parameters, x)
        return returned(gp["layers"][0]["W"], gp["layers"][0]["b"], gx)

    (finding,) = gradcheck.check_vjp(net, pullback, [PARAMETERS, V[:3]], max_examples=3).findings
    assert finding.code.name == code
    assert text in finding.detail


def square(z):
    return np.abs(z) ** 2


CLAIMS = {"jax": lambda g, z: 2 * g * np.conj(z), "torch": lambda g, z: 2 * g * z}


@pytest.mark.parametrize("convention", CLAIMS)
def test_a_complex_convention_is_recognised(convention):
    """Not stated, it is a recognised convention; stated rightly, it passes too."""
    report = gradcheck.check_vjp(square, CLAIMS[convention], Z, max_examples=5)
    assert (report.verdict, report.conventions[0].value.split()[0].strip(":")) == ("pass", convention)
    stated = gradcheck.check_vjp(square, CLAIMS[convention], Z, complex_convention=convention, max_examples=5)
    assert (stated.verdict, stated.conventions[0].how) == ("pass", "configured")


def test_another_convention_than_the_stated_one():
    """A finding of its own, not a wrong gradient."""
    (finding,) = gradcheck.check_vjp(square, CLAIMS["torch"], Z, complex_convention="jax", max_examples=5).findings
    assert finding.code.name == "GC306"
    assert "torch" in finding.detail


def test_a_missing_conj_is_neither_convention():
    """z ↦ z·w: right in g, conjugated in the result only."""

    def pullback(g, a, b):
        return np.conj(g * b), np.conj(g * a)

    (finding,) = gradcheck.check_vjp(lambda a, b: a * b, pullback, [Z, Z[::-1].copy()], max_examples=5).findings
    assert finding.code.name == "GC405"
    assert "a conj is missing" in finding.detail


@pytest.mark.parametrize("at_zero", [0.0, 0.3, 1.0])
def test_any_slope_between_is_right_at_a_kink(at_zero):
    """And is reported as a convention."""

    def pullback(g, x):
        return g * np.where(x == 0, at_zero, x > 0)

    report = gradcheck.check_vjp(lambda x: np.maximum(x, 0), pullback, np.zeros(3), max_examples=4)
    assert report.verdict == "pass"
    assert "at a kink of x" in {c.what for c in report.conventions}


def test_a_slope_far_outside_is_wrong_at_a_kink():
    """Five is no slope of relu."""

    def pullback(g, x):
        return g * np.where(x == 0, 5.0, x > 0)

    report = gradcheck.check_vjp(lambda x: np.maximum(x, 0), pullback, np.zeros(3), max_examples=4)
    assert (report.verdict, report.findings[0].code.name) == ("fail", "GC405")


@pytest.mark.parametrize(("dtype", "fault"), [(np.float32, 1e-4), (np.float16, 0.3)])
def test_narrow_floats(dtype, fault):
    """Right to their own rounding; a fault above it is seen."""
    x = V.astype(dtype)

    def right(g, x):
        return g * (1 - np.tanh(x) ** 2)

    assert gradcheck.check_vjp(np.tanh, right, x, max_examples=10).verdict == "pass"
    assert (
        gradcheck.check_vjp(np.tanh, lambda g, x: right(g, x) * dtype(1 + fault), x, max_examples=10).verdict == "fail"
    )


def test_empty_arrays_and_numbers():
    """Nothing to differentiate by is no error where something else is there."""
    report = gradcheck.check_vjp(
        lambda a, b: a.sum() + b * b, lambda g, a, b: (a * g, 2 * g * b), [np.zeros((0, 2)), 1.5]
    )
    assert report.verdict == "pass"


def test_a_reference_with_a_bound_of_its_own():
    """An ill-conditioned system is no alarm; its transpose is."""
    import jax.numpy as jnp

    hilbert = 1 / (np.arange(3)[:, None] + np.arange(3) + 1.0)
    arguments = [hilbert, np.ones(3)]
    right = gradcheck.check_vjp(np.linalg.solve, solve_pullback, arguments, reference=jnp.linalg.solve, max_examples=6)
    assert right.verdict == "pass"
    wrong = gradcheck.check_vjp(
        np.linalg.solve,
        lambda g, A, b: (solve_pullback(g, A, b)[0].T, solve_pullback(g, A, b)[1]),
        arguments,
        reference=jnp.linalg.solve,
        max_examples=6,
    )
    assert (wrong.verdict, wrong.findings[0].discrepancies[0].parameter) == ("fail", "a")


def test_an_unknown_convention():
    """The choices are named."""
    with pytest.raises(gradcheck.UsageError, match='"jax", "torch"'):
        gradcheck.check_vjp(square, CLAIMS["jax"], Z, complex_convention="matlab")
