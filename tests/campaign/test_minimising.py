"""Numbers become zeros, ones and short decimals as far as a predicate allows, by counts and always in the same way."""

import numpy as np
import pytest

from gradcheck.campaign.minimising import Minimiser, burden, short

GIVEN = {"W": np.array([[0.123, -1.87], [0.5, 3.3]]), "x": np.array([[-0.4321], [12.75]])}


def minimised(keeps, numbers=None, **how):
    """The simplest numbers that keep a predicate, and the questions asked."""
    minimiser = Minimiser(keeps, **how)
    numbers = numbers or GIVEN
    found = minimiser.run(numbers, list(numbers))
    return found, minimiser


@pytest.mark.parametrize(
    ("chain"), [(0, 1, -1, 0.5, -0.5, 0.3, 0.25, 0.123), (0, 1, 7, 300, 12.5, 12.345), (0, 1, 2, 0.004, 1.25)]
)
def test_what_is_simpler_to_write_is_a_smaller_burden(chain):
    """Zero, one, a half or a whole number, one digit, two decimals, anything."""
    sizes = burden(np.array(chain, dtype=float))
    assert list(sizes) == sorted(sizes)
    assert len(set(sizes)) == len(chain)


def test_a_decimal_in_single_precision_is_as_short_as_the_decimal():
    """0.1 in float32 is 0.10000000149 in float64."""
    assert burden(np.array(float(np.float32(0.1)))) == burden(np.array(0.1))
    assert not short(np.array(0.1 + 1e-9))


def test_all_is_zero_where_anything_goes():
    """One question an array."""
    found, minimiser = minimised(lambda numbers: True)
    assert not any(a.any() for a in found.values())
    assert len(minimiser.asked) == 2


def test_nothing_changes_where_nothing_else_goes():
    """The given numbers, which themselves are left as they were."""
    before = {n: a.copy() for n, a in GIVEN.items()}
    found, _ = minimised(lambda numbers: False)
    assert all(np.array_equal(found[n], before[n]) and np.array_equal(GIVEN[n], before[n]) for n in before)


def test_what_matters_stays_and_the_rest_goes():
    """One entry must stay beyond 3, another below −0.3; each gets the simplest number there."""
    found, _ = minimised(lambda n: n["W"][1, 1] > 3 and n["x"][0, 0] < -0.3)
    assert found["W"].tolist() == [[0, 0], [0, 3.3]]
    assert found["x"].tolist() == [[-1], [0]]


def test_numbers_that_hang_together_go_together():
    """Equal entries can only be changed at once."""
    found, _ = minimised(lambda n: n["a"][0] == n["a"][1] != 0, {"a": np.array([0.37, 0.37])})
    assert found["a"].tolist() == [1, 1]


def test_an_entry_in_a_large_array_is_found_by_halving():
    """Far fewer questions than entries."""
    large = {"a": np.random.default_rng(0).standard_normal((16, 32)).T}
    found, minimiser = minimised(lambda n: abs(n["a"][7, 3]) > 1e-9, large)
    assert np.argwhere(found["a"]).tolist() == [[7, 3]]
    assert len(minimiser.asked) < 128


def test_numbers_that_nobody_reads_stay():
    """Thousands of them: no question is asked."""
    found, minimiser = minimised(lambda n: True, {"a": np.full((100, 51), 0.37)})
    assert not minimiser.asked
    assert (found["a"] == 0.37).all()


def test_the_budget_is_kept_and_what_was_reached_is_given():
    """No question beyond it."""
    asked = []
    found, _ = minimised(lambda n: asked.append(1) is None and bool(n["W"].all()), left=3)
    assert len(asked) == 3
    assert found["W"].all()


def test_what_was_refused_is_not_asked_again():
    """Each set of numbers once, although the arrays are gone through until nothing changes."""
    asked = []
    minimised(lambda n: asked.append(b"".join(a.tobytes() for a in n.values())) is None and n["W"][0, 0] != 0)
    assert len(asked) == len(set(asked))


def test_only_numbers_of_the_dtype_are_tried():
    """In float32 a tenth is the float32 that is nearest to it."""
    single = lambda a: a.astype(np.float32).astype(float)  # noqa: E731
    found, _ = minimised(lambda n: bool(np.all(n["a"] % 1)), {"a": single(np.array([0.123]))}, representable=single)
    assert np.array_equal(single(found["a"]), found["a"])
    assert short(found["a"]).all()


def test_the_same_numbers_become_the_same():
    """No clock and no chance in it."""
    keeps = lambda n: float(np.abs(n["W"]).sum() * np.abs(n["x"]).sum()) > 2  # noqa: E731
    first, again = minimised(keeps)[0], minimised(keeps)[0]
    assert all(np.array_equal(first[n], again[n]) for n in first)
