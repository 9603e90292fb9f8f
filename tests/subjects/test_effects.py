"""State: each effect is seen on a planted fault, and absent on its correct neighbour."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, LocalSubject, detect, load, members_of
from gradcheck.subjects.effects import _within, leaves, same, shares

ROWS = Layout("from_to", "rows", "vector")
STATE: dict = {}


@pytest.fixture
def effects(file, network_case):
    """The effects of the correct file with its backprop (or loss) replaced by one that gets the correct one."""

    def observe(backprop=None, loss=None, *, widths=(3, 4, 4, 2), samples=3):
        STATE.clear()
        right = load(file("rows"))
        pair = (_wrapped(right["loss"], loss), _wrapped(right["backprop"], backprop))
        cases = [network_case(*widths, samples=samples, seed=s) for s in (1, 2)]
        return LocalSubject(detect(members_of(pair), "pair")).effects(*cases, ROWS)

    return observe


def _wrapped(right, fault):
    if fault is None:
        return right
    return lambda weights, biases, x, y: fault(right, weights, biases, x, y)


def kinds(effects):
    """The set of kinds."""
    return {e.kind for e in effects}


def writes_input(right, W, b, x, y):
    """In-place normalisation."""
    x -= x.mean()
    return right(W, b, x, y)


def decays_weights(right, W, b, x, y):
    """Weight decay in place, after the gradient."""
    result = right(W, b, x, y)
    W[1] *= 0.999
    return result


def replaces_slot(right, W, b, x, y):
    """A new array in the handed list."""
    result = right(W, b, x, y)
    b[0] = b[0] - 0.1
    return result


def pops(right, W, b, x, y):
    """Takes the handed list apart."""
    result = right(W, b, x, y)
    W.pop()
    return result


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (writes_input, ["x"]),
        (decays_weights, ["weights[1]"]),
        (replaces_slot, ["biases[0]"]),
        (pops, ["weights[2]"]),
    ],
)
def test_a_mutation_is_named(effects, fault, names):
    """The array is named as the subject would write it, and nothing else is reported."""
    seen = effects(fault)
    assert [(e.kind, e.what) for e in seen] == [("mutation", n) for n in names]


def test_a_mutation_by_the_forward_pass_says_so(effects):
    """Where the loss writes, that is told."""
    assert [e.what for e in effects(loss=writes_input)] == ["x (by the forward pass)"]


def test_writing_the_same_bytes_is_no_mutation(effects):
    """x[...] = x changes nothing."""

    def harmless(right, W, b, x, y):
        x[...] = x.copy()
        W[0] = W[0] * 1.0
        return right(W, b, x, y)

    assert effects(harmless) == []


def shared_buffer(right, W, b, x, y):
    """One buffer for all biases of equal width."""
    dW, db = right(W, b, x, y)
    buffers = {g.shape: np.zeros(g.shape) for g in db}
    for k, g in enumerate(db):
        buffers[g.shape][...] = g
        db[k] = buffers[g.shape]
    return dW, db


def returns_weight(right, W, b, x, y):
    """A handed weight as its gradient."""
    dW, db = right(W, b, x, y)
    return [W[0][:, :], *dW[1:]], db


def test_results_that_share_memory_are_seen(effects):
    """Two gradients in one buffer, named."""
    assert [e.what for e in effects(shared_buffer)] == ["the gradients of b1 and b2 share memory"]


def test_a_result_that_is_a_view_of_an_argument_is_seen(effects):
    """Named with both sides."""
    assert [e.what for e in effects(returns_weight)] == [
        "the gradient of W1 shares memory with the argument weights[0]"
    ]


def test_disjoint_views_of_one_array_are_no_aliasing(effects):
    """Slices of a flat gradient share a base, but no component."""

    def sliced(right, W, b, x, y):
        dW, db = right(W, b, x, y)
        flat = np.concatenate([g.ravel() for g in [*dW, *db]])
        ends = np.cumsum([g.size for g in [*dW, *db]])[:-1]
        views = [v.reshape(g.shape) for v, g in zip(np.split(flat, ends), [*dW, *db], strict=True)]
        return views[: len(dW)], views[len(dW) :]

    assert effects(sliced) == []


def overwritten(right, W, b, x, y):
    """Results live in buffers that the next call fills again."""
    dW, db = right(W, b, x, y)
    for k, g in enumerate(dW):
        STATE.setdefault(k, np.zeros(g.shape))[...] = g
    return [STATE[k] for k in range(len(dW))], db


def test_a_result_that_the_next_call_overwrites_is_seen(effects):
    """The earlier gradient must stay what it was."""
    seen = effects(overwritten)
    assert kinds(seen) == {"aliasing"}
    assert "the gradient of W1 is overwritten by the next call" in [e.what for e in seen]


def noisy(right, W, b, x, y):
    """Its own generator, which no seed of ours reaches."""
    dW, db = right(W, b, x, y)
    generator = STATE.setdefault("generator", np.random.default_rng(0))
    return [g * (generator.random(g.shape) < 0.9) for g in dW], db


def test_another_gradient_at_the_same_point_is_nondeterminism(effects):
    """Dropout in the backward pass."""
    assert kinds(effects(noisy)) == {"nondeterminism"}


def test_seeded_noise_is_deterministic(effects):
    """The global generator starts anew at each evaluation."""

    def masked(right, W, b, x, y):
        dW, db = right(W, b, x, y)
        return [g * (np.random.random(g.shape) < 0.9) for g in dW], db

    assert effects(masked) == []


def accumulates(right, W, b, x, y):
    """Adds to what earlier calls left."""
    dW, db = right(W, b, x, y)
    STATE["dW"] = [g + old for g, old in zip(dW, STATE.get("dW", [0.0] * len(dW)), strict=True)]
    return STATE["dW"], db


def test_gradients_that_add_up_are_accumulation(effects):
    """Not nondeterminism, and of the weights only."""
    seen = effects(accumulates)
    assert kinds(seen) == {"accumulation"}
    assert all("gradient of W" in e.what for e in seen)


def remembers_other_point(right, W, b, x, y):
    """The first layer's gradient uses the biases that came before, if they were others."""
    dW, db = right(W, b, x, y)
    known = STATE.setdefault("known", [])
    new = not any(np.array_equal(k, b[0]) for k in known)
    known.extend([b[0]] if new else [])
    return dW, [g * len(known) for g in db]


def test_a_call_in_between_that_changes_the_result_is_stale_state(effects):
    """Point, other point, point."""
    assert kinds(effects(remembers_other_point)) == {"stale_state"}


def stale_cache(right, W, b, x, y):
    """The whole backward pass is cached by shape."""
    return STATE.setdefault(x.shape, right(W, b, x, y))


def test_one_gradient_for_all_points_is_stale_state(effects):
    """A cache that is never renewed repeats itself faithfully; the slopes of the cost betray it."""
    STATE.clear()

    def copied(right, W, b, x, y):
        dW, db = stale_cache(right, W, b, x, y)
        return [g.copy() for g in dW], [g.copy() for g in db]

    seen = effects(copied)
    assert [(e.kind, e.what) for e in seen] == [
        ("stale_state", "the gradient at a second point is exactly that at the first one")
    ]


def test_a_network_that_accumulates_in_its_object_is_seen(file, network_case):
    """A second backprop on the same object doubles its gradients."""
    network = load(file("nielsen"))["Network"]

    class Accumulating(network):
        """Never resets."""

        def backprop(self, x, y):
            """Adds up."""
            nabla_b, nabla_w = super().backprop(x, y)
            old = getattr(self, "nabla_w", [0.0] * len(nabla_w))
            self.nabla_w = [g + o for g, o in zip(nabla_w, old, strict=True)]
            return nabla_b, self.nabla_w

    subject = LocalSubject(detect(members_of(Accumulating), "n"))
    seen = subject.effects(*(network_case(3, 4, 2, samples=1, seed=s) for s in (1, 2)), Layout())
    assert kinds(seen) == {"accumulation"}


def test_a_cotangent_that_is_written_to_is_a_mutation(file, operation_case):
    """The classic ``dout[x <= 0] = 0``."""

    def relu_backward(dout, cache):
        dout[cache <= 0] = 0
        return dout.copy()

    subject = LocalSubject(detect({**load(file("layers")), "relu_backward": relu_backward}, "n"))
    seen = subject.effects(*(operation_case("relu", {"activation": "relu"}, s) for s in (1, 2)), ROWS)
    assert [(e.kind, e.what) for e in seen] == [("mutation", "dout")]


def test_a_returned_cotangent_is_no_aliasing(file, operation_case):
    """``return dout`` is how jax, autograd and torch pass a cotangent on."""
    functions = {"identity_forward": lambda x: (x.copy(), None), "identity_backward": lambda dout, cache: dout}
    subject = LocalSubject(detect(members_of(functions), "n"))
    assert subject.effects(*(operation_case("identity", {"activation": "identity"}, s) for s in (1, 2)), ROWS) == []


def test_a_malformed_result_has_no_effects(effects):
    """The structure check names it."""
    assert effects(lambda right, W, b, x, y: None) == []


def test_leaves_name_what_is_inside():
    """As one would index it."""
    nested = {"weights": [1, 2], "parameters": {"W1": 3}, "x": 4}
    assert dict(leaves(nested)) == {"weights[0]": 1, "weights[1]": 2, "parameters['W1']": 3, "x": 4}


def test_same_allows_a_few_roundings_and_no_more():
    """Another order of summation is not another result; NaN equals itself by its bytes."""
    a = np.array([1.0, 2.0, np.pi])
    assert same(a, a * (1 + 1e-16))
    assert same(a, np.nextafter(a, 4))
    assert not same(a, a * (1 + 1e-12))
    assert same(np.array([np.nan]), np.array([np.nan]))
    assert not same(a, a.astype(np.float32))


def test_interleaved_views_do_not_share():
    """A bias column and the weights beside it."""
    matrix = np.zeros((3, 4))
    assert not shares(matrix[:, :1], matrix[:, 1:])
    assert shares(matrix, matrix[1])
    assert not shares(matrix, None)


def doubled_where_reversed(here):
    """A gradient that doubles for reversed inputs: at the first point alone (here), or at every one."""

    def fault(right, W, b, x, y):
        first = STATE.setdefault("first", np.sort(x, axis=None))
        weights, biases = right(W, b, x, y)
        turned = x.strides[0] < 0 and (not here or np.array_equal(np.sort(x, axis=None), first))
        return ([2 * g for g in weights] if turned else weights), biases

    return fault


@pytest.mark.parametrize(("here", "expected"), [(True, set()), (False, {"memory_order"})])
def test_the_order_of_memory_must_matter_at_other_numbers_too(effects, here, expected):
    """At one point only, the order of a sum may decide on which side of a kink it lies; that is rounding, no effect."""
    assert kinds(effects(doubled_where_reversed(here))) == expected


def test_two_orders_of_a_long_sum_are_no_effect():
    """Ten thousand equal float32 terms, one after the other or in pairs; the same gap between float64 results is one."""
    terms = np.full(10_000, 0.1, dtype=np.float32)
    one, pairs = np.cumsum(terms)[-1:], np.sum(terms, keepdims=True)
    assert not _within(one, pairs, 0.0)
    assert _within(one, pairs, 0.0, len(terms))
    assert not _within(one * 1.02, pairs, 0.0, len(terms))
    assert not _within(one.astype(np.float64), pairs.astype(np.float64), 0.0, len(terms))
