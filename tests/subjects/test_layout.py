"""Between the trusted layout and the subject's own."""

import numpy as np
import pytest

from gradcheck.subjects import Layout, layout_from_json, layouts
from gradcheck.subjects.layout import (
    gradient_to_trusted,
    operation_shapes,
    operation_to_subject,
    operation_to_trusted,
    parameters_to_subject,
    subject_shapes,
)

ALL = layouts()


@pytest.mark.parametrize("layout", ALL, ids=Layout.describe)
def test_there_and_back_is_the_identity(network_case, layout):
    """Parameters in the subject's layout, read as gradients, are the parameters again."""
    case = network_case(3, 4, 2)
    weights, biases = parameters_to_subject(case, layout)
    raw = {f"W{k}": w for k, w in enumerate(weights, start=1)} | {
        f"b{k}": b for k, b in enumerate(biases or [], start=1)
    }
    assert {n: a.shape for n, a in raw.items()} == subject_shapes(case.architecture, layout)
    trusted = gradient_to_trusted(raw, layout)
    for name, a in trusted.items():
        np.testing.assert_array_equal(a, case.parameters[name])
    assert set(trusted) == {n for n in case.parameters if layout.bias != "none" or n.startswith("W")}


@pytest.mark.parametrize("layout", ALL, ids=Layout.describe)
def test_operations_go_there_and_back(operation_case, layout):
    """w and b turn with the weights, x with the samples."""
    case = operation_case("affine")
    raw = {n: operation_to_subject(n, a, layout, "float64") for n, a in case.arguments.items()}
    assert {n: a.shape for n, a in raw.items()} == operation_shapes(case, layout)
    for name, a in operation_to_trusted(raw, layout).items():
        np.testing.assert_array_equal(a, case.arguments[name])


def test_copies_are_fresh_and_contiguous(network_case):
    """Nothing handed over is the case's own memory."""
    case = network_case(3, 4)
    for layout in ALL:
        for w in parameters_to_subject(case, layout)[0]:
            assert w.flags.c_contiguous
            assert w.flags.writeable
            assert not np.shares_memory(w, case.weight(1))


def test_a_folded_row_needs_from_to():
    """Biases are folded beside the units they belong to."""
    assert not any(k.bias == "first_row" and k.weights == "to_from" for k in ALL)
    assert not any(k.bias == "first_column" and k.weights == "from_to" for k in ALL)


def test_json_keeps_the_order_where_it_is_said():
    """And fills in the customary one."""
    data = {"weights": "to_from", "samples": "rows", "bias": "first_column"}
    assert layout_from_json(data) == Layout("to_from", "rows", "first_column")
    assert layout_from_json({**data, "order": "F"}).order == "F"
    assert layout_from_json({**data, "grouping": "weights_first"}).grouping == "weights_first"
    assert "Fortran" in Layout(order="F").describe()
