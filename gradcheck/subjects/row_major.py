"""Convention `row_major`: the functional contract in its commonest form, samples in rows and weights (from, to).

The functional adapter finds this layout by experiment too; choosing this convention by name starts with it. It must not
be detected by itself, or one file would have two conventions.
"""

from collections.abc import Mapping
from typing import Any

from gradcheck.subjects.functional import Functional, find_functions
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.match import Match

NAME = "row_major"
TEMPLATE = '''\
def loss(weights, biases, x, y, *, activations, cost, l2):
    """-> float. Lists per layer: weights (from, to), biases (n,) or (1, n); samples in rows: x (m, n_0), y (m, n_L)."""

def backprop(weights, biases, x, y, *, activations, cost, l2):
    """-> (weight_gradients, bias_gradients), lists in the shapes of weights and biases."""
'''
CALL = (
    "backprop(weights, biases, x, y, *, activations, cost, l2) -> (weight_gradients, bias_gradients), samples in rows"
)
LAYOUTS = (Layout("from_to", "rows", "vector"), Layout("from_to", "rows", "row"))


def match(members: Mapping[str, Any], name: str) -> Match:
    """The two functions of `functional`, with two layouts left to tell apart."""
    functions, missing, found = find_functions(members)
    adapter = None if missing else Functional(functions["loss"], functions["backprop"], name, NAME, LAYOUTS)
    return Match(NAME, adapter, tuple(missing), tuple(found))
