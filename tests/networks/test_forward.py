"""The forward pass that the rungs of an examination share."""

import gc
import weakref

import numpy as np

from gradcheck.networks import forward, forward_once


def test_the_last_case_is_remembered(sampled):
    """The same arrays while it is asked for, and those of another case for another."""
    first, second = sampled(3, 4, 2, seed=0), sampled(3, 4, 2, seed=1)
    passed = forward_once(first)
    assert forward_once(first) is passed
    np.testing.assert_array_equal(forward_once(second)[1][-1], forward(second)[1][-1])
    np.testing.assert_array_equal(forward_once(first)[0][1], forward(first)[0][1])


def test_no_case_is_kept_alive(sampled):
    """A network of 50 million parameters goes when its owner lets it go."""
    case = sampled(3, 4, 2)
    forward_once(case)
    gone = weakref.ref(case)
    del case
    gc.collect()
    assert gone() is None
