"""Hand-made reports: what the renderers, the faces and the JSON form are tested with."""

from dataclasses import replace
from math import inf, nan
from typing import Any

from gradcheck.report import (
    Code,
    Curve,
    Difference,
    Explanation,
    Finding,
    Line,
    Place,
    Power,
    Recognised,
    Report,
    SubjectInfo,
    Tally,
    Tensor,
)

SUBJECT = SubjectInfo("student.py", None, "nielsen", "ab" * 32)

CASE: dict[str, Any] = {
    "kind": "network",
    "architecture": {
        "inputs": 1,
        "layers": [{"units": 2, "activation": "sigmoid"}, {"units": 1, "activation": "tanh"}],
        "cost": {"name": "mse"},
        "scale": "1/m",
        "regularisation": {"strength": 0.1, "form": "lambda/2", "biases": False},
        "dtype": "float64",
        "bias": True,
    },
    "parameters": {"W1": [[0.5], [1.0]], "b1": [[0.0], [0.0]], "W2": [[0.1, 0.30000000000000004]], "b2": [[0.0]]},
    "inputs": [[1.0]],
    "targets": [[0.0]],
}

OPERATION: dict[str, Any] = {
    "kind": "operation",
    "operation": "affine",
    "arguments": {"x": [[1.0, 2.0]] * 5, "w": [[0.5, 0.25]] * 2},
    "cotangent": [[1.0, -1.0]] * 5,
    "fixed": {},
    "dtype": "float64",
}

FINDING = Finding(
    code=Code.GC402,
    verdict="fail",
    rung="components",
    detail="The error of layer 1 is what one gets without the derivative of the activation.",
    places=(Place("BP2", 1),),
    explanations=(
        Explanation("missing_derivative", "σ′ is left out of the recursion", 1, "BP2", "multiply by σ′(z¹)"),
        Explanation("ones_for_prime", "1 stands for σ′", None, "BP2", "multiply by σ′(z¹)"),
        Explanation("twice", "everything is twice as large", None, "BP1", "leave out the 2", 2),
    ),
    evidence=("your gradient equals the one you get when σ′ is left out", "wrong on 4 of 5 cases"),
    lines=(Line("student.py", 12, "delta = W.T @ delta", False, "it assigns to delta"),),
    discrepancies=(
        Difference("W1", (0, 0), 0.125, 0.0625, 1e-12, "finite difference"),
        Difference("W1", (1, 0), 0.5, 0.1, 1e-12, "jax"),
        Difference("b1", (0, 0), 0.12345678912, 0.12345678901, 1e-15, "jax"),
    ),
    counterexample=CASE,
    replay="gradcheck replay reports/student-0123456789ab.json",
    script="reports/student-0123456789ab.py",
    tensors=(
        Tensor("W1", [[0.125], [0.5]], [[0.0625], [0.1]], [[1e-12], [1e-12]]),
        Tensor("W2", [[0.1, 0.2]], [[0.1, 0.2]], [[1e-15, 1e-15]]),
    ),
    curve=Curve(1, "sigmoid", ((-1.0, 0.27, 0.2), (-0.5, 0.38, 0.24), (0.5, 0.62, 0.24), (1.0, 0.73, 0.2))),
)

HOSTILE_TEXT = "[red]x[/red] `a`` | b\n::error file=x::pwned\r%0A <script> \x1b[2J\x00\x07\ud800 \u202e end"


def passing() -> Report:
    """A pass with power and conventions."""
    return Report(
        verdict="pass",
        subject=SUBJECT,
        environment={"python": "3.11", "seed": 7, "seconds": 1.25},
        tally=Tally(200, 12345, 3, {"saturated": 2, "at a kink": 1}),
        power=(Power("W1", 3.1e-9, 0.99999, 197), Power("b1", 2e-8, 1.0, 197)),
        conventions=(Recognised("weights", "to_from", "recognised"), Recognised("cost scale", "1/m", "configured")),
    )


def failing() -> Report:
    """A fail with everything a finding can have."""
    return replace(passing(), verdict="fail", power=(), findings=(FINDING,))


def inconclusive() -> Report:
    """Nothing was checked."""
    finding = Finding(Code.GC951, "inconclusive", "evidence", "No case was legal for these options.")
    return replace(passing(), verdict="inconclusive", tally=Tally(), power=(), findings=(finding,))


def broken() -> Report:
    """The subject raised."""
    detail = 'Traceback (most recent call last):\n  File "student.py", line 3\nZeroDivisionError: division by zero'
    finding = Finding(Code.GC902, "error", "isolation", detail)
    return replace(passing(), verdict="error", tally=Tally(), power=(), conventions=(), findings=(finding,))


def hostile() -> Report:
    """Every text that a subject controls tries to break out of its format, and no number is finite."""
    t = HOSTILE_TEXT
    finding = replace(
        FINDING,
        detail=t,
        places=(Place(t, None),),
        explanations=(Explanation(t, t, None, t, t),),
        evidence=(t,),
        lines=(Line(t, 1, t, True, t),),
        discrepancies=(Difference(t, (0,), nan, inf, -inf, t),),
        counterexample={"kind": "network", "parameters": {t: [nan, t]}, "architecture": t},
        replay=t,
        script=t,
        title=t,
        tensors=(Tensor(t, [nan, inf], [-inf, nan], [nan, nan]), Tensor(t, 1.0, nan, 0.0), Tensor(t, [], [], [])),
        curve=Curve(1, t, ((nan, inf, -inf), (0.0, nan, 1.0))),
    )
    return replace(
        failing(),
        subject=SubjectInfo(t, t, t, None),
        findings=(finding,),
        conventions=(Recognised(t, t, "recognised"),),
        notes=(t,),
        environment={t: t, "nan": nan},
    )


def every() -> list[Report]:
    """One of each kind."""
    return [passing(), failing(), inconclusive(), broken(), hostile()]
