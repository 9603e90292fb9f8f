"""The examples of `gradcheck explain` do what they claim: the wrong one is found under its code, the right one is clean."""

import numpy as np
import pytest

import gradcheck
from gradcheck.campaign.findings import CODES, EQUATIONS
from gradcheck.campaign.outcome import Options
from gradcheck.campaign.verification import detect
from gradcheck.checks import Fault, Wanted, recognise
from gradcheck.faults.explanations import CODES as PAGES
from gradcheck.faults.places import places_of
from gradcheck.faults.specimen import Source, answer
from gradcheck.subjects.configuration import SubjectConfiguration

NETWORK = """
import numpy as np


def sigma(z):
    return 1 / (1 + np.exp(-z))


def sigma_prime(z):
    return sigma(z) * (1 - sigma(z))


sigmoid_prime = sigma_prime
FUNCTION


def forward(weights, biases, x):
    z, a = [x], [x]
    for w, b in zip(weights, biases):
        z.append(w @ a[-1] + b)
        a.append(ACTIVATION(z[-1]))
    return z, a


def loss(weights, biases, x, y, l2):
    m, a = x.shape[1], forward(weights, biases, x)[1][-1]
    return np.sum((a - y) ** 2) / (2 * m) + l2 / 2 * sum(np.sum(w * w) for w in weights)


def backprop(weights, biases, x, y, l2):
    m, L, lam, W = x.shape[1], len(weights), l2, [None, *weights]
    z, a = forward(weights, biases, x)
    dW, db = [None] * (L + 1), [None] * (L + 1)
    OUTPUT
    delta = delta / m
    for l in range(L, 0, -1):
        if l < L:
            RECURSION
        mask = 1.0
        prime = PRIME(z[l])
        MASK
        BIAS
        WEIGHT
    dW, db = dW[1:], db[1:]
    RESULT
"""
RIGHT = {
    "FUNCTION": "",
    "ACTIVATION": "sigma",
    "PRIME": "sigma_prime",
    "OUTPUT": "delta = (a[-1] - y) * PRIME(z[-1])",
    "RECURSION": "delta = (W[l + 1].T @ delta) * PRIME(z[l])",
    "MASK": "",
    "BIAS": "db[l] = delta.sum(axis=1, keepdims=True)",
    "WEIGHT": "dW[l] = delta @ a[l - 1].T + lam * W[l]",
    "RESULT": "return dW, db",
}
SLOTS = {
    "GC102": ("RESULT", {}),
    "GC104": ("BIAS", {}),
    "GC201": ("OUTPUT", {"delta = a[-1] - y": "delta = (a[-1] - y) * PRIME(z[-1])", "delta = -y": "delta = -y * PRIME(z[-1])"}),
    "GC203": ("MASK", {}),
    "GC304": ("WEIGHT", {"a.T": "a[l - 1].T"}),
    "GC401": ("OUTPUT", {}),
    "GC402": ("RECURSION", {}),
    "GC403": ("BIAS", {}),
    "GC404": ("WEIGHT", {".T": ".T + lam * W[l]"}),
    "GC601": ("RECURSION", {"(W.T @ delta)": "(W[l + 1].T @ delta)", "prime": "sigma_prime(z[l])"}),
}  # fmt: skip
"""Where an example stands in the network, and how its abbreviations read there."""


def network(code="", example=""):
    """The network with an example in it."""
    parts = dict(RIGHT)
    if code:
        slot, readings = SLOTS[code]
        for short, whole in readings.items():
            example = example.replace(short, whole)
        parts[slot] = example
    text = NETWORK
    for name, part in parts.items():
        line = next((l for l in text.splitlines() if l.strip() == name), "")
        indent = line[: len(line) - len(line.lstrip())]
        text = text.replace(name, part.replace("\n", f"\n{indent}"))
    return text.replace("PRIME", parts["PRIME"])


def code_of(text):
    """Of the first case that is not clean."""
    subject = Source(text, "example", SubjectConfiguration()).subject()
    recognition = recognise(subject, Wanted())
    found = detect(subject, recognition, Options(60))
    if found is None:
        return None
    fault = Fault[found.how.upper()]
    if fault in CODES:
        return CODES[fault].name
    claims = lambda case: answer(subject, case, recognition.layout).gradient  # noqa: E731
    return EQUATIONS[places_of(found.case, claims)[0].equation].name


def test_the_network_is_right():
    """Without an example in it."""
    assert code_of(network()) is None


@pytest.mark.parametrize("code", SLOTS)
def test_the_wrong_example_is_found_under_its_code(code):
    """And the right one is clean."""
    assert code_of(network(code, PAGES[code].wrong)) == code
    assert code_of(network(code, PAGES[code].right)) is None


def test_a_wrong_derivative_has_the_code_of_its_activation(tmp_path):
    """GC501: tanh_prime without the square."""
    path = tmp_path / "example.py"
    for example, codes in ((PAGES["GC501"].wrong, ["GC501"]), (PAGES["GC501"].right, [])):
        parts = network().replace("FUNCTION", "").replace("sigmoid_prime = sigma_prime", example)
        path.write_text(
            parts.replace("(z[", "(Z[").replace("sigma_prime(Z[", "tanh_prime(z[").replace("sigma(Z[", "np.tanh(z[")
        )
        found = gradcheck.verify(path, in_process=True, max_examples=40).findings
        assert [f.code.name for f in found if f.verdict == "fail"] == codes


OF_FUNCTIONS = {
    "GC207": (lambda x: np.maximum(x, 0), np.linspace(-1.7, 2.3, 5)),
    "GC208": (lambda x: np.maximum(x, 0), np.linspace(-1.7, 2.3, 5)),
    "GC405": (lambda x: np.exp(x) / np.exp(x).sum(axis=0), np.linspace(-1, 1, 6).reshape(3, 2)),
}


@pytest.mark.parametrize("code", OF_FUNCTIONS)
def test_the_examples_of_pullbacks(code):
    """relu and softmax."""
    primal, x = OF_FUNCTIONS[code]

    def codes(example):
        def pullback(dout, x):
            names = {"np": np, "dout": dout, "x": x, "s": primal(x)}
            exec(example, names)
            return names["dx"]

        return {f.code.name for f in gradcheck.check_vjp(primal, pullback, [x], max_examples=20).findings}

    assert codes(PAGES[code].wrong) == {code}
    assert codes(PAGES[code].right) == set()


def test_the_example_of_a_complex_convention():
    """f(x) = c x with the conjugate of the other convention."""
    c = 0.3 - 1.2j

    def codes(example):
        pullback = eval(f"lambda cotangent, x: {example.removeprefix('return ').partition('#')[0]}", {"np": np, "c": c})
        report = gradcheck.check_vjp(lambda x: c * x, pullback, [np.array([0.4 + 0.2j])], complex_convention="jax")
        return {f.code.name for f in report.findings}

    assert codes(PAGES["GC306"].wrong) == {"GC306"}
    assert codes(PAGES["GC306"].right) == set()
