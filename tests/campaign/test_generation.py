"""The same seed draws the same cases, whatever else is loaded."""

import importlib.util
import sys

import pytest
from hypothesis import strategies as st

from gradcheck.campaign import generation
from gradcheck.campaign.generation import draw, from_the_seed_alone

CONSTANTS = [70_001 + 13 * k for k in range(50)]


def drawn():
    """Numbers of which one in twenty is a constant of the caller's modules, where Hypothesis is left to itself."""
    found = []
    draw(st.lists(st.integers(0, 2**32 - 1), max_size=4), 150, 3, found.append)
    return found


def test_a_loaded_module_changes_no_case(tmp_path):
    """Hypothesis reads the constants of modules that are not installed; none of them is drawn."""
    before = drawn()
    file = tmp_path / "constants.py"
    file.write_text(f"{CONSTANTS=}".replace("CONSTANTS", "numbers", 1))
    spec = importlib.util.spec_from_file_location("some_constants", file)
    sys.modules["some_constants"] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        assert drawn() == before
    finally:
        del sys.modules["some_constants"]
    assert not {n for numbers in before for n in numbers} & set(CONSTANTS)


def test_the_caller_s_own_tests_keep_their_constants():
    """Only gradcheck's draws are changed."""
    from hypothesis.internal.conjecture import providers

    collect = providers._get_local_constants
    with from_the_seed_alone():
        assert providers._get_local_constants is not collect
        assert not len(providers._get_local_constants())
    assert providers._get_local_constants is collect


def test_a_long_stream_is_drawn_in_blocks(monkeypatch):
    """Their number does not show; the first block is that of a short stream, the others are other cases."""
    monkeypatch.setattr(generation, "BLOCK", 40)
    long, short = [], []
    draw(st.integers(0, 2**60), 100, 3, long.append)
    draw(st.integers(0, 2**60), 40, 3, short.append)
    assert (len(long), long[:40]) == (100, short)
    assert len(set(long)) > 90


def test_what_ends_a_stream_ends_it_at_once():
    """No case is run a second time."""
    found = []

    def take(value):
        found.append(value)
        if len(found) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(st.integers(0, 2**60), 100, 3, take)
    assert len(found) == 3
