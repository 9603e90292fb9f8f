"""Odd but correct implementations: each is recognised and passes, or is refused with what to do; never a false alarm."""

from pathlib import Path

import pytest

from gradcheck import verify

FILES = Path(__file__).parent / "files" / "unusual"
CONVENTIONS = {
    "bias_vectors": "model_functions",
    "dict_lists": "model_functions",
    "generator_based": "model_functions",
    "hyperparameters": "model_object",
    "keras_like": "layer_object",
    "keyword_only": "model_functions",
    "named_tuples": "model_functions",
    "nested_params": "model_object",
    "np_matrix": "model_functions",
    "one_sample_object": "model_object",
    "partials": "model_functions",
    "properties": "model_object",
    "returns_extra": "model_functions",
    "training_function": "training_script",
}
MISTAKES = {
    "dict_lists": ("* acts[l] * (1 - acts[l])", "* (1 - acts[l])"),
    "hyperparameters": ("a_h * (1 - a_h)", "a_h"),
    "keyword_only": ("e.sum(0)", "e.mean(0)"),
    "named_tuples": ("(acts[i] > 0)", "(acts[i] > -9)"),
    "nested_params": ("(self.a[i] > 0)", "(self.a[i] > -9)"),
    "one_sample_object": ("self.h * (1 - self.h)", "(1 - self.h)"),
    "training_function": ("dZ1.sum(1, keepdims=True) / m", "dZ1.sum(1, keepdims=True)"),
}


def test_each_file_is_in_the_table():
    """But for the one that cannot be called."""
    assert {p.stem for p in FILES.glob("*.py")} == {*CONVENTIONS, "closures"}


@pytest.mark.parametrize(("name", "convention"), CONVENTIONS.items(), ids=CONVENTIONS)
def test_it_passes_without_configuration(name, convention):
    """Whatever it looks like."""
    report = verify(str(FILES / f"{name}.py"), in_process=True, max_examples=8)
    assert (report.verdict, report.subject.convention) == ("pass", convention)


@pytest.mark.parametrize(("name", "edit"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_in_it_is_found(tmp_path, name, edit):
    """In the one-change neighbour."""
    source = (FILES / f"{name}.py").read_text()
    assert edit[0] in source
    path = tmp_path / f"{name}.py"
    path.write_text(source.replace(*edit))
    assert verify(str(path), in_process=True, max_examples=8).verdict == "fail"


def test_what_cannot_be_called_is_refused_with_what_to_do():
    """A network of closures: no parameters can be handed over."""
    report = verify(str(FILES / "closures.py"), in_process=True, max_examples=8)
    assert report.verdict == "error"
    assert "`gradcheck init closures.py`" in report.findings[0].detail
    assert 'convention = "' in report.findings[0].detail
