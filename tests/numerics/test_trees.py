"""Pytrees: paths, rebuilding, and what does not match."""

from collections import namedtuple
from dataclasses import dataclass

import pytest

from gradcheck.numerics.trees import Mismatch, leaves, mapped, matched

Pair = namedtuple("Pair", "a b")


@dataclass
class Record:
    w: float
    rest: list


TREE = {"W": [1.0, (2.0, None)], "p": Pair(3.0, 4.0), "r": Record(5.0, [6.0])}
PATHS = ["x['W'][0]", "x['W'][1][0]", "x['p'].a", "x['p'].b", "x['r'].w", "x['r'].rest[0]"]


def is_float(leaf):
    return isinstance(leaf, float)


def test_paths_are_python_expressions():
    """Evaluated on the tree, each gives its leaf."""
    assert [path for path, _ in leaves(TREE, "x")] == PATHS
    assert all(eval(path, {"x": TREE}) == leaf for path, leaf in leaves(TREE, "x"))


def test_mapping_keeps_the_containers():
    """Namedtuples, dataclasses and None among them."""
    twice = mapped(TREE, "x", lambda path, leaf: 2 * leaf)
    assert twice == {"W": [2.0, (4.0, None)], "p": Pair(6.0, 8.0), "r": Record(10.0, [12.0])}


def test_a_tuple_stands_for_a_list():
    """And what is not wanted may be anything."""
    assert [(p, o) for p, _, o in matched([1.0, 2], (3.0, None), "x", is_float)] == [("x[0]", 3.0)]


@pytest.mark.parametrize(
    ("other", "kind", "path"),
    [({}, "missing", "x['a']"), ({"a": [1.0]}, "count", "x['a']"), ({"a": 1.0}, "type", "x['a']"), (None, "type", "x")],
)
def test_a_mismatch_names_the_place(other, kind, path):
    """Missing, another length, no container, nothing."""
    with pytest.raises(Mismatch) as caught:
        list(matched({"a": [1.0, 2.0]}, other, "x", is_float))
    assert (caught.value.kind, caught.value.path) == (kind, path)
