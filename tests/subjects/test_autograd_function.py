"""torch.autograd.Function: right ones of many kinds pass, with one planted fault they fail."""

import numpy as np
import pytest

import gradcheck

torch = pytest.importorskip("torch")
rng = np.random.default_rng(0)
X = torch.from_numpy(rng.normal(size=(3, 4)))
W = torch.from_numpy(rng.normal(size=(2, 4)))


class Linear(torch.autograd.Function):
    """x Wᵀ, scaled; the scale is a constant."""

    @staticmethod
    def forward(ctx, x, w, scale):
        ctx.save_for_backward(x, w)
        ctx.scale = scale
        return scale * x @ w.T

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return ctx.scale * g @ w, ctx.scale * g.T @ x, None


class LinearUnscaled(Linear):
    """The weight gradient without the scale."""

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return ctx.scale * g @ w, g.T @ x, None


class Split(torch.autograd.Function):
    """Two results, with a context of its own step, and None for zero."""

    @staticmethod
    def forward(x, w):
        return x.exp(), 2 * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output[0])

    @staticmethod
    def backward(ctx, g, h):
        return g * ctx.saved_tensors[0], 2 * h


class SplitForgetting(Split):
    """No gradient of the second argument."""

    @staticmethod
    def backward(ctx, g, h):
        return g * ctx.saved_tensors[0], None


class Sum(torch.autograd.Function):
    """A sum hands its cotangent on twice; torch allows that."""

    @staticmethod
    def forward(ctx, a, b):
        return a + b

    @staticmethod
    def backward(ctx, g):
        return g, g


class SumOnce(Sum):
    """In the wrong order of signs."""

    @staticmethod
    def backward(ctx, g):
        return g, -g


class Overwriting(Sum):
    """Writes to its cotangent, which torch forbids."""

    @staticmethod
    def backward(ctx, g):
        half = g.clone()
        g.mul_(2)
        return half, half.clone()


class InPlace(torch.autograd.Function):
    """Marks its argument as dirty."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.exp_()
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class InPlaceUnmarked(torch.autograd.Function):
    """Overwrites its argument and says nothing."""

    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        return x.exp()

    @staticmethod
    def backward(ctx, g):
        return g


class Square(torch.autograd.Function):
    """|z|² of complex numbers in torch's convention."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z * z.conj()).real

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class SquareConjugated(Square):
    """In jax's convention."""

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].conj()


Z = torch.complex(X[0], X[1])
RIGHT = {Linear: [X, W, 0.5], Split: [X, W], Sum: [X, X.clone()], InPlace: [X], Square: [Z]}
WRONG = {
    LinearUnscaled: ([X, W, 0.5], "GC405"),
    SplitForgetting: ([X, W], "GC405"),
    SumOnce: ([X, X.clone()], "GC405"),
    Overwriting: ([X, X.clone()], "GC201"),
    InPlaceUnmarked: ([X], "GC201"),
    SquareConjugated: ([Z], "GC306"),
}


@pytest.mark.parametrize("function", RIGHT, ids=lambda c: c.__name__)
def test_right_ones_pass(function):
    """In double precision and in single."""
    assert gradcheck.check_vjp(function, arguments=RIGHT[function], max_examples=10).verdict == "pass"
    narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    single = [a.to(narrow[a.dtype]) if isinstance(a, torch.Tensor) else a for a in RIGHT[function]]
    assert gradcheck.check_vjp(function.apply, arguments=single, max_examples=10).verdict == "pass"


@pytest.mark.parametrize("function", WRONG, ids=lambda c: c.__name__)
def test_wrong_ones_fail(function):
    """Each with one mistake."""
    arguments, code = WRONG[function]
    report = gradcheck.check_vjp(function, arguments=arguments, max_examples=10)
    assert (report.verdict, report.findings[0].code.name) == ("fail", code)


def test_arguments_must_be_an_example():
    """A mapping names no places."""
    with pytest.raises(gradcheck.UsageError, match="by position"):
        gradcheck.check_vjp(Sum, arguments={"a": X, "b": X})


def test_a_plain_function_needs_a_pullback():
    """What is missing is said, and what would do."""
    with pytest.raises(gradcheck.UsageError, match=r"torch\.autograd\.Function"):
        gradcheck.check_vjp(torch.exp, arguments=[X])
