"""Where inside a tensor: each sentence on a planted mistake, nothing of the sort on its neighbour that is wrong all over."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.faults.backprop import TRUSTED, backprop, edited
from gradcheck.faults.diagnosis import diagnose
from gradcheck.networks.repertoire import default_repertoire
from tests.faults.families import plain_case, square_case

SQUARE = replace(default_repertoire(), widths=(3, 4), output_widths=(3, 4))


def evidence_of(slot, edit, case, layer=2):
    """Of an edit at one layer that is in no catalogue."""
    found = diagnose(case, lambda c: backprop(c, edited(TRUSTED, slot, {layer: edit})), repertoire=SQUARE)
    assert found.mistakes == ()
    return " | ".join(found.evidence)


def changed(v):
    """A wrong value that no fault gives."""
    return 1.37 * v + 0.21 * np.sin(3 * v)


def within(mask):
    """The wrong value in a part of the tensor only."""
    return lambda s, l, v: np.where(mask(v), changed(v), v)


def row(i):
    """One row."""
    return lambda v: np.asarray((np.arange(v.shape[0]) == i % v.shape[0])[:, None]) & np.ones(v.shape, dtype=bool)


def column(i):
    """One column."""
    return lambda v: np.asarray((np.arange(v.shape[1]) == i % v.shape[1])[None, :]) & np.ones(v.shape, dtype=bool)


def diagonal(v):
    """The main one."""
    return np.eye(*v.shape, dtype=bool)


PARTS = {
    "in its first row": row(0),
    "in its last row": row(-1),
    "in its second row": row(1),
    "in its third row": row(2),
    "outside its first row": lambda v: ~row(0)(v),
    "outside its last row": lambda v: ~row(-1)(v),
    "in its first column": column(0),
    "in its last column": column(-1),
    "in its second column": column(1),
    "in its third column": column(2),
    "outside its first column": lambda v: ~column(0)(v),
    "outside its last column": lambda v: ~column(-1)(v),
    "on its diagonal": diagonal,
    "off its diagonal": lambda v: ~diagonal(v),
    "above its diagonal": lambda v: np.triu(np.ones(v.shape, dtype=bool), 1),
    "below its diagonal": lambda v: np.tril(np.ones(v.shape, dtype=bool), -1),
    "in its first component": lambda v: row(0)(v) & column(0)(v),
    "in its last component": lambda v: row(-1)(v) & column(-1)(v),
}


@pytest.mark.parametrize("words", PARTS)
def test_a_part_of_a_weight_gradient(words, generator):
    """Rows, columns, diagonals and single components."""
    said = evidence_of("weight_gradient", within(PARTS[words]), square_case(generator))
    assert f"the gradient of W2 is wrong only {words}" in said


@pytest.mark.parametrize(("words", "i"), [("first row", 0), ("last row", -1), ("second row", 1)])
def test_a_unit_of_a_bias_gradient(words, i, generator):
    """One unit's bias."""
    said = evidence_of("bias_gradient", within(row(i)), square_case(generator))
    one = {"first row": "in its first component", "last row": "in its last component"}.get(words, f"in its {words}")
    assert f"the gradient of b2 is wrong only {one}" in said


@pytest.mark.parametrize("slot", ["weight_gradient", "bias_gradient"])
def test_a_tensor_that_is_wrong_all_over_has_no_part(slot, generator):
    """The neighbour of all of them."""
    assert "is wrong only" not in evidence_of(slot, lambda s, l, v: changed(v), square_case(generator))


@pytest.mark.parametrize(("side", "sign"), [("negative", -1), ("positive", 1)])
def test_one_sign_of_z(side, sign, generator):
    """σ′ is wrong on one side of 0."""

    def one_sided(s, l, v):
        return np.where(sign * s.z[l] > 0, s.above[l] * (s.prime(l) ** 2 + 0.37), v)

    assert f"it is wrong only where z is {side}" in evidence_of("derivative", one_sided, plain_case(generator))


def test_both_signs_of_z(generator):
    """The neighbour: σ′ is wrong everywhere."""

    def two_sided(s, l, v):
        return s.above[l] * (s.prime(l) ** 2 + 0.37)

    assert "only where z is" not in evidence_of("derivative", two_sided, plain_case(generator))


def of_samples(chosen):
    """The weight gradient by some of the samples, with an edit that makes it no fault of the catalogue."""
    return lambda s, l, v: 1.3 * s.delta[l][:, chosen] @ s.a[l - 1][:, chosen].T


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (slice(-1, None), "that of its last sample alone"),
        (slice(0, 1), "that of its first sample alone"),
        (slice(0, -1), "without its last sample"),
        (slice(1, None), "without its first sample"),
    ],
)
def test_single_samples(chosen, words, generator):
    """The first or the last element of the batch."""

    def edit(s, l, v):
        few = chosen if s.m > 1 else slice(None)
        return of_samples(few)(s, l, v)

    said = evidence_of("weight_gradient", edit, plain_case(generator))
    assert f"of a batch the gradient of W2 is {words}" in said


def test_all_samples(generator):
    """The neighbour: the same factor, and every sample counts."""
    assert "of a batch" not in evidence_of("weight_gradient", of_samples(slice(None)), plain_case(generator))
