"""Calling a function by the meaning of its parameters."""

import pytest

from gradcheck.subjects.binding import bind, meaning_of, signature_text

SYNONYMS = {"x": ("x", "X", "inputs"), "y": ("y", "targets"), "sizes": ("layer_sizes",)}


def test_order_and_spelling_do_not_matter():
    """Each parameter gets its value."""
    binding = bind(lambda targets, X: (targets, X), SYNONYMS)
    assert binding({"x": 1, "y": 2, "unused": 3}) == (2, 1)
    assert binding.takes == {"x", "y"}


def test_positional_only_and_keyword_only_parameters():
    """Are handed over as they must be."""

    def function(x, /, *, y, other=5):
        return x, y, other

    assert bind(function, SYNONYMS)({"x": 1, "y": 2}) == (1, 2, 5)


def test_what_is_not_understood_is_missing():
    """Only if it has no default."""
    binding = bind(lambda x, mystery, known=1, **rest: None, SYNONYMS)
    assert binding.missing == ("mystery",)
    assert binding.rest


@pytest.mark.parametrize("name", ["layer_sizes", "layerSizes", "LayerSizes", "LAYER_SIZES"])
def test_capitals_and_underscores_do_not_matter(name):
    """camelCase and snake_case mean the same."""
    assert meaning_of(name, SYNONYMS) == "sizes"


def test_signatures_are_shown_without_annotations():
    """Short enough for a message; C functions without a signature too."""

    def function(self, x: int, *, k: float = 0.5) -> None: ...

    assert signature_text("f", function) == "f(x, *, k=0.5)"
    assert signature_text("g", type) == "g(…)"
