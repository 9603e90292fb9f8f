"""A subject in this process: what it raises, prints, draws at random and returns."""

import itertools
import random
import textwrap
import warnings

import numpy as np
import pytest

from gradcheck.errors import SubjectError
from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of

ROWS = Layout("from_to", "rows", "vector")


def made(loss=None, backprop=None):
    """A subject of two functions; what is left out returns something harmless."""
    pair = (loss or (lambda weights, biases, x, y: 0.0), backprop or (lambda weights, biases, x, y: (weights, biases)))
    return LocalSubject(detect(members_of(pair), "pair"))


def raising(error):
    """A loss that raises."""

    def loss(weights, biases, x, y):
        raise error

    return made(loss)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (TypeError("no such thing"), "exception", "TypeError: no such thing in test_local.py:"),
        (ValueError(), "exception", "ValueError in test_local.py:"),
        (NotImplementedError("softplus"), "unsupported", "softplus"),
        (SystemExit(0), "exit", "sys.exit(0)"),
        (MemoryError(), "memory", "MemoryError"),
        (RecursionError("deep"), "exception", "RecursionError: deep"),
    ],
)
def test_what_the_subject_raises_is_a_subject_error(network_case, error, kind, says):
    """With the kind, one line, and the place in the subject's own file."""
    with pytest.raises(SubjectError) as caught:
        raising(error).forward([network_case(2, 3)], Layout())
    assert caught.value.kind == kind
    assert says in caught.value.message
    assert "(function loss)" in caught.value.message


def test_the_traceback_has_no_frame_of_ours(network_case):
    """Only the subject's lines are shown."""
    with pytest.raises(SubjectError) as caught:
        raising(KeyError("W9")).forward([network_case(2, 3)], Layout())
    assert "in loss" in caught.value.details
    assert "gradcheck/subjects/local" not in caught.value.details


def test_the_place_is_not_inside_numpy(tmp_path, network_case):
    """An error that numpy raises is placed at the subject's line that called it."""
    source = """
    import numpy as np
    def loss(weights, biases, x, y):
        return np.linalg.inv(np.zeros((2, 2)))[0, 0]
    def backprop(weights, biases, x, y):
        return weights, biases
    """
    path = tmp_path / "inverse.py"
    path.write_text(textwrap.dedent(source))
    with pytest.raises(SubjectError, match=r"LinAlgError: Singular matrix in inverse\.py:4 \(function loss\)"):
        LocalSubject(detect(load(str(path)), "inverse")).forward([network_case(2, 3)], Layout())


def test_an_interrupt_is_not_swallowed(network_case):
    """Ctrl-C stops gradcheck, not the subject."""
    with pytest.raises(KeyboardInterrupt):
        raising(KeyboardInterrupt()).forward([network_case(2, 3)], Layout())


@pytest.mark.parametrize("value", [None, "1.0", np.ones(2), 1j, [1.0, 2.0], {}])
def test_a_cost_that_is_no_number_breaks_the_contract(network_case, value):
    """The message says what was returned."""
    with pytest.raises(SubjectError, match="the cost must be one real number") as caught:
        made(lambda weights, biases, x, y: value).forward([network_case(2, 3)], Layout())
    assert caught.value.kind == "contract"


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.ones(()), np.ones((1, 1)), np.matrix([[1.0]]), True])
def test_a_cost_with_one_entry_is_a_number(network_case, value):
    """In any wrapping."""
    assert made(lambda weights, biases, x, y: value).forward([network_case(2, 3)], Layout()) == [1.0]


def test_each_evaluation_starts_from_the_same_seeds(network_case):
    """Dropout masks are the same each time, from numpy and from random."""
    subject = made(lambda weights, biases, x, y: np.random.random() + random.random())
    values = subject.forward([network_case(2, 3)] * 2, Layout())
    assert values[0] == values[1]


def test_warnings_of_numpy_are_silent(network_case):
    """An overflow in the subject is not our user's noise."""
    subject = made(lambda weights, biases, x, y: np.exp(1e9) + np.log(np.zeros(1))[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subject.forward([network_case(2, 3)], Layout())


def test_the_case_itself_is_never_handed_over(network_case):
    """A subject that overwrites everything it gets spoils nothing."""

    def loss(weights, biases, x, y):
        for a in (*weights, *biases, x, y):
            a[...] = 7.0
        return 0.0

    case = network_case(2, 3)
    made(loss).forward([case, case], Layout())
    assert not np.any(case.inputs == 7.0)
    assert not np.any(case.parameters["W1"] == 7.0)


def test_a_float32_case_is_handed_over_in_float32(network_case):
    """Everything the subject gets has the case's dtype."""
    seen = []

    def loss(weights, biases, x, y):
        seen.extend(a.dtype for a in (*weights, *biases, x, y))
        return 0.0

    subject = made(loss)
    seen.clear()
    subject.forward([network_case(2, 3, dtype="float32")], Layout())
    assert set(seen) == {np.dtype("float32")}


def test_the_claim_scales_with_its_cotangent(subject, network_case):
    """A network's pullback is linear in the scalar cotangent."""
    case = network_case(3, 4, 2)
    pullback = subject("functional").vjp(case, Layout())[1]
    np.testing.assert_array_equal(pullback(np.array(3.0)).gradient["W1"], 3 * pullback(np.ones(())).gradient["W1"])


def test_outputs_must_have_one_column_a_sample(network_case):
    """An output of another shape breaks the contract."""

    class Network:
        """Its outputs are doubled."""

        def __init__(self, sizes):
            self.weights = [np.zeros((n, k)) for k, n in itertools.pairwise(sizes)]
            self.biases = [np.zeros((n, 1)) for n in sizes[1:]]

        def feedforward(self, a):
            """Twice as long."""
            return np.zeros((2 * len(self.biases[-1]), 1))

        def backprop(self, x, y):
            """Zeros."""
            return self.biases, self.weights

    with pytest.raises(SubjectError, match=r"must have shape \(3, 3\); the subject returned \(6, 3\)"):
        LocalSubject(detect(members_of(Network), "n")).output(network_case(2, 3), Layout())


def test_what_a_convention_lacks_is_unsupported(subject, network_case):
    """The functional contract declares no outputs."""
    with pytest.raises(SubjectError) as caught:
        subject("functional").output(network_case(2, 3), Layout())
    assert caught.value.kind == "unsupported"
