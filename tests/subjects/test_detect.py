"""Detection: unambiguous files need no configuration, and every failure says what was found and what to do."""

import pytest

from gradcheck.errors import SubjectError, UsageError
from gradcheck.subjects import CONVENTIONS, SubjectConfiguration, detect, load, members_of

FILES = {
    "functional": "functional",
    "rows": "functional",
    "column_vector": "column_vector",
    "theta_bias_unit": "theta_bias_unit",
    "layer_error": "layer_error",
    "from_to_bias_row": "from_to_bias_row",
    "nielsen": "nielsen",
    "nielsen_cost": "nielsen",
    "parameter_dict": "parameter_dict",
    "parameter_dict_two_layers": "parameter_dict",
    "flat_theta": "flat_theta",
    "flat_sizes": "flat_theta",
    "flat_object": "flat_theta",
    "layers": "forward_backward",
}


@pytest.mark.parametrize(("name", "convention"), FILES.items())
def test_each_file_has_one_convention(file, name, convention):
    """And is found without being told."""
    adapter = detect(load(file(name)), name)
    assert adapter.offer.convention == convention
    assert adapter.offer.name == name


@pytest.mark.parametrize(("name", "convention"), FILES.items())
def test_the_convention_may_be_said(file, name, convention):
    """With the same adapter."""
    adapter = detect(load(file(name)), name, SubjectConfiguration(convention=convention))
    assert adapter.offer.convention == convention


def test_every_convention_shows_itself():
    """Registry names, templates and calls belong together."""
    for name, convention in CONVENTIONS.items():
        assert name == convention.NAME
        assert convention.TEMPLATE.startswith(("def ", "class ", "import numpy as np\n\n"))
        assert "\n" not in convention.CALL


@pytest.mark.parametrize("name", [n for n in CONVENTIONS if n not in ("nielsen",)])
def test_every_template_is_recognised(name, tmp_path):
    """What `gradcheck conventions` shows follows the convention that it shows."""
    path = tmp_path / "template.py"
    path.write_text(CONVENTIONS[name].TEMPLATE)
    members = dict(load(str(path)))
    if name == "flat_theta":
        del members["cost_and_gradient_of_any_depth"]
    match = CONVENTIONS[name].match(members, "template")
    assert match.adapter is not None, match.missing


def test_nothing_recognised_says_what_is_there_and_what_to_do(file):
    """Functions with signatures, near misses with what they lack, and the flags."""
    functions = {"loss": lambda weights, biases, x: 0.0, "gradient": lambda theta, X: None}
    with pytest.raises(SubjectError) as caught:
        detect(members_of(functions), "student.py")
    message = caught.value.message
    assert caught.value.kind == "load"
    assert "def loss(weights, biases, x)" in message
    assert "close to functional: found loss" in message
    assert "a function backprop(weights, biases, x, y, …)" in message
    assert "gradcheck conventions" in message


def test_the_configured_convention_says_what_it_misses(file):
    """Also for a file that follows another one."""
    with pytest.raises(SubjectError, match="does not follow the convention nielsen"):
        detect(load(file("functional")), "f.py", SubjectConfiguration(convention="nielsen"))


def test_an_unknown_convention_names_the_nearest(file):
    """A misspelling is a usage error."""
    with pytest.raises(UsageError, match="did you mean 'nielsen'"):
        detect(load(file("nielsen")), "f.py", SubjectConfiguration(convention="nielson"))


def test_several_conventions_ask_for_a_choice(file):
    """A file with two is not guessed."""
    members = {**load(file("functional")), **{n: f for n, f in load(file("nielsen")).items() if n == "Network"}}
    members["__name__"] = "both"
    with pytest.raises(SubjectError, match=r"several conventions: functional, nielsen; choose one with --convention"):
        detect(members, "both.py")
    assert detect(members, "both.py", SubjectConfiguration(convention="nielsen")).offer.convention == "nielsen"


def test_a_network_goes_before_its_layers(file):
    """A file with a whole network and pairs of layers is checked as a network."""
    members = {**load(file("layers")), **load(file("functional"))}
    assert detect(members, "both.py").offer.convention == "functional"


def test_an_instance_is_accepted(file):
    """Its class is what is checked."""
    net = load(file("nielsen"))["Network"]([2, 3, 1])
    assert detect(members_of(net), "net").offer.convention == "nielsen"
