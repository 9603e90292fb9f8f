"""jax's equations as data: written and read back they give the same numbers, and nothing else is read."""

import json

import numpy as np
import pytest

from gradcheck.networks import OperationCase
from gradcheck.networks.layers import LAYERS, Dice
from gradcheck.oracles import equations, layers
from gradcheck.oracles.autodiff import vjp_equations
from gradcheck.oracles.layers import definition_of, output_of, trusted_layer
from gradcheck.oracles.restricted import Refused
from gradcheck.oracles.running_error import Analysis, Rounded
from gradcheck.oracles.store import Nothing


def case_of(name):
    """A case of a layer."""
    arguments, settings = LAYERS[name].draw(Dice(np.random.default_rng(3)))
    output = output_of(name, arguments, settings)
    return OperationCase(
        name, arguments, np.cos(np.arange(output.size)).reshape(output.shape), {**settings, "layer": name}
    )


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_survives_being_written(name):
    """Values and bounds are those of jax's own objects, bit by bit."""
    case = case_of(name)
    closed = vjp_equations(definition_of(case), case.arguments, case.cotangent)
    text = equations.written(closed)
    assert text is not None
    inputs = [Rounded(a, 1e-16 * np.abs(a)) for a in (*case.arguments.values(), case.cotangent)]
    first, second = (Analysis(1e-16).run(c, inputs) for c in (closed, equations.read(text)))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.v, other.v)
        np.testing.assert_array_equal(one.error, other.error)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: {**d, "equations": [["exec", {}, [], []]]},
        lambda d: {**d, "equations": [[d["equations"][0][0], {"source": "1"}, *d["equations"][0][2:]]]},
        lambda d: {**d, "results": [999999]},
        lambda d: {**d, "results": [["O", [], ""]]},
        lambda d: {"equations": []},
        lambda d: [],
    ],
)
def test_what_holds_anything_else_is_refused(change):
    """Unknown primitives, parameters, variables and dtypes, and other JSON."""
    case = case_of("affine")
    data = json.loads(equations.written(vjp_equations(definition_of(case), case.arguments, case.cotangent)))
    with pytest.raises(Refused):
        equations.read(json.dumps(change(data)))


class Memory(Nothing):
    """A store in memory."""

    def __init__(self):
        self.texts = {}

    def get(self, key):
        """The text, or None."""
        return self.texts.get(key)

    def put(self, key, text):
        """Keep it."""
        self.texts[key] = text


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_kept_structure_needs_no_jax(monkeypatch, spoiled):
    """It is traced once and read after that; an entry that is no equations is traced anew."""
    store, traced = Memory(), []
    monkeypatch.setattr(layers.rules, "store", store)
    monkeypatch.setattr(layers, "_TRACED", {})
    original = layers.vjp_equations
    monkeypatch.setattr(layers, "vjp_equations", lambda *a: traced.append(1) or original(*a))
    first = trusted_layer(case_of("affine"))[0]
    if spoiled:
        store.texts = dict.fromkeys(store.texts, "{}")
    layers._TRACED.clear()
    again = trusted_layer(case_of("affine"))[0]
    assert len(traced) == 1 + spoiled
    np.testing.assert_array_equal(first.pullback.value["w"], again.pullback.value["w"])
