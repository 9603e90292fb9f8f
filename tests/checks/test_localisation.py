"""Where the backward pass goes wrong: each equation in each layer, regularisation, and what shows with several samples."""

import numpy as np
import pytest

from gradcheck.checks.localisation import Place, locate

DEPTH = 3
PLACES = [("BP1", 3), ("BP2", 2), ("BP2", 1), *[(e, l) for e in ("BP3", "BP4") for l in (3, 2, 1)]]
BATCH = {"first sample W": "BP4", "first sample b": "BP3"}


@pytest.mark.parametrize(("equation", "layer"), PLACES)
@pytest.mark.parametrize("options", [
    {}, {"samples": 4, "l2": 0.5}, {"hidden": "relu", "output": "softmax", "cost": "mse"}])  # fmt: skip
def test_an_equation_in_a_layer(make_case, planted, equation, layer, options):
    """Found once, and not again in the layers below it."""
    case = make_case(3, 4, 5, 2, **options)
    places = locate(case, lambda c: planted(c, equation, layer))
    assert places == (Place(equation, layer),)


def test_the_correct_neighbour_has_no_place(make_case, planted):
    """Nothing is wrong, nothing is named."""
    assert locate(make_case(3, 4, 5, 2, l2=0.5), planted) == ()


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_regularisation_in_a_layer(make_case, planted, layer):
    """Right without λ, wrong with it."""
    places = locate(make_case(3, 4, 5, 2, l2=0.5), lambda c: planted(c, "regularisation", layer))
    assert places == (Place("regularisation", layer),)


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("kind", BATCH)
def test_a_fault_that_shows_with_several_samples_only(make_case, planted, kind, layer):
    """The reduction over the batch: right for every sample alone."""
    places = locate(make_case(3, 4, 5, 2, samples=4), lambda c: planted(c, kind, layer))
    assert places == (Place(BATCH[kind], layer),)


def test_a_delta_that_is_wrong_with_several_samples_only(make_case, planted):
    """Weights and biases of the top layer are wrong together: its δ."""

    def claims(case):
        factor = case.samples
        return {n: factor * g for n, g in planted(case).items()}

    assert locate(make_case(3, 4, 2, samples=4), claims) == (Place("BP1", 2),)


def test_two_mistakes_are_two_places(make_case, planted):
    """Topmost first."""

    def claims(case):
        gradient = planted(case, "BP2", 1)
        return {**gradient, "b3": 2 * gradient["b3"]}

    assert locate(make_case(3, 4, 5, 2), claims) == (Place("BP3", 3), Place("BP2", 1))


def test_a_recursion_and_a_bias_gradient_in_one_layer(make_case, planted):
    """The δ is read off the weights, and the biases do not follow it."""

    def claims(case):
        gradient = planted(case, "BP2", 1)
        return {**gradient, "b1": 3 * gradient["b1"] + 1}

    assert locate(make_case(3, 4, 2), claims) == (Place("BP2", 1), Place("BP3", 1))


def test_weights_that_are_no_outer_product(make_case, planted):
    """Recursion and weight gradient, when neither δ can be read off."""

    def claims(case):
        gradient = planted(case, "BP2", 1)
        noise = np.random.default_rng(0).standard_normal(gradient["W1"].shape)
        return {**gradient, "W1": gradient["W1"] + noise}

    assert locate(make_case(3, 4, 2), claims) == (Place("BP2", 1), Place("BP4", 1))


@pytest.mark.parametrize(("equation", "layer"), [("BP2", 1), ("BP1", 2)])
def test_without_biases_delta_is_read_off_the_weights(make_case, planted, equation, layer):
    """A network whose bias gradients are not returned."""

    def claims(case):
        return {n: g for n, g in planted(case, equation, layer).items() if n[0] == "W"}

    assert locate(make_case(3, 4, 2, bias=False), claims) == (Place(equation, layer),)


def test_nothing_can_be_said_without_claims(make_case):
    """The subject cannot be asked any more."""
    assert locate(make_case(3, 4, 2, l2=0.5), lambda case: None) == ()
