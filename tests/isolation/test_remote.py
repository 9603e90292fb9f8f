"""A subject in a child process: the handler's answers, the wire, and what is not believed of either."""

import numpy as np
import pytest

from gradcheck.checks import examine
from gradcheck.errors import SubjectError, UsageError
from gradcheck.isolation import wire
from gradcheck.isolation.handler import create
from gradcheck.isolation.protocol import decode, encode
from gradcheck.isolation.remote import RemoteSubject
from gradcheck.networks import Activation, Architecture, Case, Cost, Dense, OperationCase, activation_named, cost_named
from gradcheck.networks.sampling import sample_case
from gradcheck.subjects import Claim, Effect, Layout, LocalSubject, Problem, detect, load

COLUMNS = Layout()


def network(*widths, seed=0, samples=3, activation="tanh"):
    """A random case."""
    layers = tuple(Dense(n, activation_named(activation)) for n in widths[1:])
    return sample_case(Architecture(widths[0], layers, cost_named("mse")), samples, np.random.default_rng(seed))


def copied(value):
    """A value as it comes out of the bytes of a frame."""
    return decode(b"".join(encode(value)))


class Loopback:
    """A worker without a process: requests and answers cross as bytes, as they do between processes."""

    def __init__(self, path, convention=None):
        setup = {"path": str(path), "object": None, "convention": convention, "name": "student"}
        self.handler = create(copied(setup))
        self.asked = []

    def request(self, op, payload, *, calls=1):
        """As `Worker.request`."""
        self.asked.append(op)
        return copied(self.handler.handle(op, copied(payload)))


@pytest.fixture
def remote(tanh_file):
    """remote(edits …) -> (RemoteSubject, LocalSubject, worker) of the same file."""

    def make(*edits):
        path = tanh_file(*edits)
        worker = Loopback(path)
        return RemoteSubject(worker), LocalSubject(detect(load(str(path)), "student")), worker

    return make


def test_a_clean_case_takes_one_round_trip(remote):
    """For value, claim and the cost beside it; with the effects of another case, one a rung."""
    there, here, worker = remote()
    case, other = network(3, 4, 2), network(2, 3, seed=1)
    found = examine(there, case, COLUMNS)
    assert worker.asked == ["offer", "vjp"]
    assert found == examine(here, case, COLUMNS)
    assert examine(there, case, COLUMNS, other=other) == examine(here, case, COLUMNS, other=other)
    assert worker.asked[2:] == ["vjp", "effects", "forward"]


def test_what_is_announced_comes_with_the_claim(remote):
    """The same values as without, in no request of their own; once, and for these very points."""
    there, here, worker = remote()
    case = network(3, 4, 2)
    moved = [case.at({n: a + t for n, a in case.parameters.items()}) for t in (0.1, -0.1)]
    there.announce(case, moved)
    there.vjp(case, COLUMNS)
    assert there.forward(moved, COLUMNS) == here.forward(moved, COLUMNS)
    assert worker.asked == ["offer", "vjp"]
    assert there.forward(moved, COLUMNS) == here.forward(moved, COLUMNS)
    assert worker.asked == ["offer", "vjp", "forward"]


def test_what_is_announced_for_another_point_is_forgotten(remote):
    """And so is what is not asked for."""
    there, here, worker = remote()
    case, other = network(3, 4, 2), network(2, 2)
    there.announce(other, [other])
    there.vjp(case, COLUMNS)
    there.announce(case, [case])
    there.vjp(case, COLUMNS)
    assert there.forward([other], COLUMNS) == here.forward([other], COLUMNS)
    assert worker.asked == ["offer", "vjp", "vjp", "forward"]


def test_what_fails_ahead_fails_when_it_is_asked_for(remote):
    """The claim is there all the same."""
    there, _, _ = remote(
        (
            "    a = forward(weights, biases, x)\n    penalty",
            "    a = forward(weights, biases, x)\n    assert weights[0][0, 0] < 50\n    penalty",
        )
    )
    case = network(3, 4, 2)
    far = [case.at({"W1": case.parameters["W1"] + 100})]
    there.announce(case, far)
    assert not there.vjp(case, COLUMNS)[1](case.cotangent).problems
    with pytest.raises(SubjectError, match="AssertionError"):
        there.forward(far, COLUMNS)


def test_fewer_values_than_points_are_a_broken_protocol(remote, monkeypatch):
    """Each point has its own."""
    there, _, worker = remote()
    monkeypatch.setattr(worker, "request", lambda op, payload, **_: [1.0])
    with pytest.raises(SubjectError, match="1 values for 2 points"):
        there.forward([network(2, 2)] * 2, COLUMNS)


def test_the_offer_crosses(remote):
    """Everything in it, layouts too."""
    there, here, _ = remote()
    assert there.offer == here.offer


def test_values_cross_in_one_request_for_one_case_at_many_points(remote):
    """Points of different cases are asked one by one."""
    there, here, worker = remote()
    case = network(3, 4, 2)
    points = [case.at({"W1": case.weight(1) + h}) for h in (0.0, 0.1, 0.2)]
    np.testing.assert_array_equal(there.forward(points, COLUMNS), here.forward(points, COLUMNS))
    assert worker.asked == ["offer", "forward"]
    there.forward([case, network(2, 2)], COLUMNS)
    assert worker.asked[2:] == ["forward", "forward"]
    assert there.forward([], COLUMNS) == []


def test_value_and_claim_cross_in_one_request(remote):
    """The pullback asks again only for another cotangent."""
    there, here, worker = remote()
    case = network(3, 4, 2)
    value, pullback = there.vjp(case, COLUMNS)
    expected, here_pullback = here.vjp(case, COLUMNS)
    assert value == expected
    for cotangent in (case.cotangent, np.ones(()), np.full((), 2.0)):
        claim, known = pullback(cotangent), here_pullback(cotangent)
        assert (claim.problems, claim.dtypes) == (known.problems, known.dtypes)
        np.testing.assert_array_equal(claim.gradient["W1"], known.gradient["W1"])
    assert worker.asked == ["offer", "vjp", "vjp"]


def test_effects_cross(remote):
    """In words."""
    there, here, _ = remote(("    return d_weights, d_biases", "    x += 1.0\n    return d_weights, d_biases"))
    first, second = network(3, 4, 2), network(3, 4, 2, seed=1)
    assert there.effects(first, second, COLUMNS) == here.effects(first, second, COLUMNS) != []


def test_problems_of_a_claim_cross(remote):
    """Structure is read in the child."""
    there, _, _ = remote(("    return d_weights, d_biases", "    return d_weights[:-1], d_biases"))
    (problem,) = there.vjp(network(3, 4, 2), COLUMNS)[1](np.ones(())).problems
    assert problem.kind == "count"


def test_output_and_cost_derivative_cross(tmp_path):
    """Of a convention that declares them."""
    from pathlib import Path

    path = Path(__file__).parents[1] / "subjects" / "files" / "nielsen.py"
    there, here = RemoteSubject(Loopback(path)), LocalSubject(detect(load(str(path)), "student"))
    case, layout = network(3, 4, 2, activation="sigmoid"), here.offer.layouts[0]
    output = there.output(case, layout)
    np.testing.assert_array_equal(output, here.output(case, layout))
    derivative = there.cost_derivative(case, output, case.targets, layout)
    np.testing.assert_array_equal(derivative, here.cost_derivative(case, output, case.targets, layout))
    assert there.vjp(case, layout)[0] is None


def test_an_operation_crosses(tmp_path):
    """Arguments, cotangent, fixed data, and a random second cotangent."""
    path = tmp_path / "layers.py"
    path.write_text(
        "import numpy as np\n\ndef relu_forward(x):\n    return np.maximum(x, 0), x\n\n"
        "def relu_backward(dout, cache):\n    return dout * (cache > 0)\n"
    )
    worker = Loopback(path)
    there = RemoteSubject(worker)
    case = OperationCase("relu", {"x": np.array([[1.0, -2.0]])}, np.array([[3.0, 4.0]]), {})
    layout = there.offer.layouts[0]
    value, pullback = there.vjp(case, layout)
    np.testing.assert_array_equal(value, [[1.0, 0.0]])
    np.testing.assert_array_equal(pullback(case.cotangent).gradient["x"], [[3.0, 0.0]])
    np.testing.assert_array_equal(pullback(np.ones((1, 2))).gradient["x"], [[1.0, 0.0]])
    assert len(there.forward([case, case], layout)) == 2


def test_an_unknown_request_is_refused(tanh_file):
    """By the handler."""
    with pytest.raises(ValueError, match="unknown request 'dance'"):
        Loopback(tanh_file()).request(
            "dance", {"layout": wire.pack_layout(COLUMNS), "points": wire.pack_points([network(2, 2)])}
        )


def test_the_child_needs_no_definition_of_the_users_own():
    """There an own activation and cost are names, which the subject is told."""
    swish, quartic = Activation("swish", np.tanh), Cost("quartic", np.sum)
    case = network(2, 2)
    own = Case(Architecture(2, (Dense(2, swish),), quartic), case.parameters, case.inputs, case.targets)
    (there,) = wire.unpack_points(copied(wire.pack_points([own])))
    assert (there.architecture.activation_names, there.architecture.cost.name) == (("swish",), "quartic")
    with pytest.raises(NotImplementedError, match="only a name here"):
        there.architecture.layers[0].activation(case.inputs, np)


LIES = {
    "offer": {"name": "x"},
    "forward": ["many"],
    "output": np.zeros((7, 7)),
    "cost_derivative": "none",
    "vjp": {"value": 1.0},
    "effects": [{"what": "x"}],
}


@pytest.mark.parametrize("op", LIES)
def test_an_answer_without_the_promised_form_breaks_the_protocol(remote, op):
    """Whatever the child says is checked again here."""
    there, _, worker = remote()
    case = network(3, 4, 2)
    honest, worker.request = worker.request, lambda asked, payload: LIES[op] if asked == op else honest(asked, payload)
    calls = {
        "offer": lambda: RemoteSubject(worker),
        "forward": lambda: there.forward([case], COLUMNS),
        "output": lambda: there.output(case, COLUMNS),
        "cost_derivative": lambda: there.cost_derivative(case, case.targets, case.targets, COLUMNS),
        "vjp": lambda: there.vjp(case, COLUMNS),
        "effects": lambda: there.effects(case, case, COLUMNS),
    }
    with pytest.raises(SubjectError, match="not the promised form") as caught:
        calls[op]()
    assert caught.value.kind == "protocol"


@pytest.mark.parametrize(
    ("name", "gradient"),
    [("W1", np.zeros((2, 2))), ("W9", np.zeros((1, 1))), ("W1", [[1.0]]), ("W1", np.zeros((4, 3), dtype=np.float32))],
    ids=["shape", "name", "list", "dtype"],
)
def test_a_gradient_of_another_form_is_a_problem(name, gradient):
    """And is not believed."""
    claim = wire.unpack_claim({"gradient": {name: gradient}, "problems": [], "dtypes": {}}, network(3, 4, 2))
    assert claim.gradient == {}
    assert [p.kind for p in claim.problems] == ["shape"]


@pytest.mark.parametrize(
    ("names", "count"), [("W1", 11), ("W1", 13), ("W1 W9", 12), ("", 0), ("W1 b1", 12), (None, 12)]
)
def test_a_block_of_gradients_that_does_not_fit_breaks_the_protocol(names, count):
    """Names that are not known, and too many or too few numbers."""
    data = {"names": names, "numbers": np.zeros(count), "problems": [], "dtypes": "float64"}
    with pytest.raises((ValueError, AttributeError)):
        wire.unpack_claim(data, network(3, 4, 2) if count else network(3, 5))


@pytest.mark.parametrize("big", [False, True], ids=["one array", "as they are"])
def test_a_case_at_several_arguments_crosses(big, monkeypatch):
    """Bit by bit, whether its numbers travel in one array or not."""
    monkeypatch.setattr(wire, "SMALL", 0 if big else wire.SMALL)
    case = network(3, 4, 2)
    points = [case, *(case.at({n: t * a for n, a in case.parameters.items()}) for t in (1.5, 0.1))]
    there = wire.unpack_points(copied(wire.pack_points(points)))
    assert [p.to_json() for p in there] == [p.to_json() for p in points]
    claim = Claim(dict(case.parameters), dtypes=dict.fromkeys(case.parameters, "float64"))
    back = wire.unpack_claim(copied(wire.pack_claim(claim, case)), case)
    assert {n: g.tobytes() for n, g in back.gradient.items()} == {n: g.tobytes() for n, g in claim.gradient.items()}
    assert (back.problems, back.dtypes) == ((), claim.dtypes)


def test_a_guarded_cost_and_every_setting_cross():
    """The architecture is the same but for definitions, which are names."""
    from gradcheck.networks import Regularisation
    from gradcheck.networks.costs import guarded

    layers = (Dense(2, activation_named("leaky_relu(0.1)")), Dense(2, activation_named("softmax")))
    cost, decay = guarded("cross_entropy", 1e-7), Regularisation(0.25, "lambda/(2m)", True)
    own = Architecture(2, layers, cost, "1", decay, "float32")
    case = sample_case(own, 3, np.random.default_rng(0))
    (there,) = wire.unpack_points(copied(wire.pack_points([case])))
    assert there.to_json() == case.to_json()


def test_the_gradient_by_the_input_has_the_inputs_shape():
    """It is no parameter, and welcome."""
    case = network(3, 4, 2)
    data = wire.pack_claim(Claim({"x": np.ones((3, 3))}, (Problem("missing", "b1", "gone"),)), case)
    claim = wire.unpack_claim(data, case)
    assert (list(claim.gradient), claim.problems[0].kind) == (["x"], "missing")


def test_effects_round_trip():
    """Kind and words."""
    effects = [Effect("mutation", "x"), Effect("aliasing", "y")]
    assert wire.unpack_effects(wire.pack_effects(effects)) == effects


def test_create_takes_the_convention_it_is_told(tanh_file):
    """The same file as rows."""
    assert Loopback(tanh_file(), "row_major").handler.handle("offer", None)["convention"] == "row_major"
    with pytest.raises((SubjectError, UsageError)):
        Loopback(tanh_file(), "nielsen")
