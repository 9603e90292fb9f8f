"""A transcription is arithmetic on arrays: anything else in the source is refused before it is compiled."""

import numpy as np
import pytest

from gradcheck.oracles.restricted import Refused, compile_function


def test_arithmetic_runs():
    """Sizes, helpers, constants and numpy's functions of arrays."""
    source = "def f(v0):\n    n = v0.shape[0]\n    v1 = np.sum(v0 * half(v0), axis=(0, ))\n    return (v1 / n,)\n"
    (result,) = compile_function(source, "f", {"half": lambda v: v / 2})(np.ones((4, 2)))
    np.testing.assert_array_equal(result, [0.5, 0.5])


@pytest.mark.parametrize(
    "body",
    [
        "import os",
        "return __import__('os')",
        "return np.load('x')",
        "return np.lib",
        "return v0.tofile('x')",
        "return v0.__class__",
        "return (lambda: 1)()",
        "return [v for v in v0]",
        "return np.sum(v0, out=v0)",
        "np = v0",
        "consts = v0",
        "del v0",
        "v0 += 1\n    return v0",
        "return v0 if v0 else v0",
        "return v0[__import__]",
        "return np.sum(*v0)",
        "return np.sum(v0, **v0)",
        "return 1j",
        "return ...",
        "return (v1 := v0)",
        "return np.sum(v0)(np.load)",
        "v0.shape = 3",
        "exec('1')\n    return v0",
        "return f'{v0}'",
        "return b'x'",
    ],
)
def test_everything_else_is_refused(body):
    """Imports, files, attributes, comprehensions, keywords, builtins."""
    with pytest.raises(Refused):
        compile_function(f"def f(v0):\n    {body}\n", "f", {})


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1",
        "def g(v0):\n    return v0",
        "def f(v0=np.sum):\n    return v0",
        "@h\ndef f(v0):\n    return v0",
        "def f(:",
        "def f(np):\n    return np",
        "def f(__x):\n    return __x",
        "def f(*, v0=1):\n    return v0",
        "def f(v0: np.load):\n    return v0",
        "def f(v0):\n    return v0\n\nimport os",
    ],
)
def test_anything_but_the_one_function_is_refused(source):
    """No other statement, name, default value or decorator."""
    with pytest.raises(Refused):
        compile_function(source, "f", {"h": abs})


def test_builtins_are_out_of_reach():
    """A name that no table holds is no builtin either."""
    with pytest.raises(NameError):
        compile_function("def f(v0):\n    return open(v0)\n", "f", {})("x")
