"""Every family is found, placed and named; correct neighbours are not; what is unknown is measured."""

from dataclasses import replace

import numpy as np
import pytest

from gradcheck.checks import examine
from gradcheck.errors import SubjectError
from gradcheck.faults.backprop import TRUSTED, backprop, edited
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.diagnosis import diagnose
from gradcheck.faults.fault import Planting
from gradcheck.faults.matching import know
from gradcheck.faults.planting import claims_of, planted
from gradcheck.faults.sampling import draw_case
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.subjects.layout import Layout
from tests.faults.families import FAMILY, plain_case, square_case

EVERYTHING = default_repertoire()


def top(diagnosis):
    """Equation and layer of the first place."""
    return diagnosis.places[0].equation, diagnosis.places[0].layer


def names(diagnosis):
    """All names that survive."""
    return [e.fault for e in diagnosis.explanations]


@pytest.mark.parametrize(("name", "layer", "place"), FAMILY, ids=[f[0] for f in FAMILY])
def test_a_fault_is_found_placed_and_named(name, layer, place, generator):
    """The ladder fails; the diagnosis has its place first and its name in a small set."""
    case = square_case(generator)
    assert examine(planted(CATALOGUE[name], layer), case, Layout(), differences=False).fault is not None
    found = diagnose(case, claims_of([Planting(CATALOGUE[name], layer)]), repertoire=EVERYTHING)
    assert top(found) == place
    assert name in names(found)
    assert len(names(found)) <= 3
    assert found.evidence[0].startswith("your gradient equals, to the last bits")


def test_the_right_gradient_has_no_diagnosis(generator):
    """No place, no name."""
    found = diagnose(square_case(generator), backprop, repertoire=EVERYTHING)
    assert (found.places, found.mistakes) == ((), ())


def test_two_mistakes_are_told_apart(generator):
    """A missing σ′ in layer 1 and a zero bias gradient in layer 3: both places, both names."""
    plantings = [Planting(CATALOGUE["bp2_no_sigma_prime"], 1), Planting(CATALOGUE["bp3_zero"], 3)]
    found = diagnose(square_case(generator), claims_of(plantings), repertoire=EVERYTHING)
    assert {(p.equation, p.layer) for p in found.places} == {("BP3", 3), ("BP2", 1)}
    assert {"bp2_no_sigma_prime", "bp3_zero"} <= set(names(found))


def test_two_mistakes_at_one_layer(generator):
    """The weight gradient and its decay."""
    plantings = [Planting(CATALOGUE["bp4_factor_twice"], 2), Planting(CATALOGUE["reg_l1"], 2)]
    found = diagnose(square_case(generator), claims_of(plantings), repertoire=EVERYTHING)
    assert {"bp4_factor_twice", "reg_l1"} <= set(names(found))


def test_a_mistake_of_all_layers_is_said_of_all(generator):
    """One explanation without a layer, not three."""
    found = diagnose(
        square_case(generator), claims_of([Planting(CATALOGUE["bp3_factor_over_m"])]), repertoire=EVERYTHING
    )
    assert [(e.fault, e.layer) for e in found.explanations] == [("bp3_factor_over_m", None)]


def test_one_layer_is_confirmed_on_deeper_networks(generator):
    """On a network with one hidden layer the recursion has one place; a deeper one shows that it is wrong in all."""
    case = draw_case(EVERYTHING, generator, 2, square=False)
    everywhere = diagnose(case, claims_of([Planting(CATALOGUE["bp2_factor_minus"])]), repertoire=EVERYTHING)
    assert everywhere.explanations[0].layer is None


def test_equal_seeds_give_equal_diagnoses(generator):
    """Cases are drawn from the seed."""
    case, claims = square_case(generator), claims_of([Planting(CATALOGUE["bp4_normalised"], 2)])
    assert diagnose(case, claims, seed=3) == diagnose(case, claims, seed=3)


def unnamed(case):
    """σ′(z) became σ′(z)² + 0.37 z in layer 1."""
    edit = edited(TRUSTED, "derivative", {1: lambda s, l, v: s.above[l] * (s.prime(l) ** 2 + 0.37 * s.z[l])})
    return backprop(case, edit)


def test_what_is_unknown_gets_no_name_but_a_place_and_a_curve(generator):
    """Never a wrong name."""
    found = diagnose(plain_case(generator), unnamed, repertoire=EVERYTHING)
    assert (found.mistakes, top(found)) == ((), ("BP2", 1))
    assert any(e.startswith("effective derivative at layer 1") for e in found.evidence)


def test_the_curve_finds_its_function(generator):
    """2.5 σ(z) is in no catalogue; the curve says what it is."""

    def claims(case):
        return backprop(case, edited(TRUSTED, "derivative", {1: lambda s, l, v: s.above[l] * 2.5 * s.a[l]}))

    found = diagnose(plain_case(generator), claims, repertoire=EVERYTHING)
    assert any("it is 2.5 times σ(z)" in e for e in found.evidence)


@pytest.mark.parametrize(
    ("slot", "edit", "words"),
    [
        ("weight_gradient", lambda s, l, v: v * 3.3, "the gradient of W2 is 3.3 times the right one"),
        ("weight_gradient", lambda s, l, v: v + 0.1 * np.eye(v.shape[0])[:, :1], "W2 is wrong only in its first row"),
        ("weight_decay", lambda s, l, v: 1.7 * v, "the decay of W2 is 1.7 times that of the cost"),
        ("bias_result", lambda s, l, v: 0.3 + 0 * v, "the gradient of b2 is the same number in every component"),
        ("weight_result", lambda s, l, v: v * np.where(np.eye(3), 1, -1), "right but for the signs"),
    ],
)  # fmt: skip
def test_evidence_without_the_catalogue(slot, edit, words, generator):
    """Ratio, support, λ-dependence and patterns, in words."""

    def claims(case):
        return backprop(case, edited(TRUSTED, slot, {2: edit})) if case.architecture.widths[2] == 3 else None

    family = replace(EVERYTHING, widths=(3, 3), output_widths=(3, 3))
    found = diagnose(square_case(generator), claims, repertoire=family)
    assert any(words in e for e in found.evidence), found.evidence


def test_a_batch_that_is_mixed_is_described(generator):
    """Squared after the sum over samples: no combination of the samples' own gradients."""

    def claims(case):
        edit = edited(
            TRUSTED, "weight_gradient", {2: lambda s, l, v: v + 0.3 * s.delta[l].sum(axis=1, keepdims=True) ** 2}
        )
        return backprop(case, edit)

    found = diagnose(square_case(generator), claims, repertoire=EVERYTHING)
    assert any("samples are mixed" in e for e in found.evidence), found.evidence


def test_a_subject_that_crashes_around_the_case_has_no_name(generator):
    """Four fresh cases are needed for a name."""
    case = square_case(generator)
    wrong = claims_of([Planting(CATALOGUE["bp3_zero"])])

    def claims(asked):
        if asked is not case:
            raise SubjectError("exception", "no")
        return wrong(asked)

    assert not diagnose(case, claims, repertoire=EVERYTHING).named


def test_a_gradient_of_x_alone_is_placed_below_layer_1(generator):
    """W and b are right, x is not: the recursion below the first layer."""
    case = plain_case(generator)

    def claims(asked):
        return {**backprop(asked), "x": np.ones_like(asked.inputs)}

    assert top(diagnose(case, claims, repertoire=EVERYTHING)) == ("BP2", 0)


def test_float32_claims_are_compared_in_float32(generator):
    """A fault is named within the bounds of a float32 subject."""
    family = replace(EVERYTHING, dtype="float32")
    case = draw_case(family, generator, 2, square=True)
    claim = claims_of([Planting(CATALOGUE["bp3_factor_twice"])])

    def claims(asked):
        return {n: g.astype(np.float32).astype(np.float64) for n, g in claim(asked).items()}

    assert "bp3_factor_twice" in names(diagnose(case, claims, repertoire=family))


def test_a_match_needs_every_digit(generator):
    """A claim that is off by 1e-7 is not reproduced."""
    case = square_case(generator)
    gradient = backprop(case)
    known = know(case, {n: g * (1 + 1e-7) for n, g in gradient.items()}, fresh=False)
    assert not any(known.right.values())


@pytest.mark.parametrize("name", ["bp2_no_transpose", "bp2_reshaped"])
@pytest.mark.parametrize("other", [None, "bp3_factor_twice"])
def test_a_crash_tells_two_mistakes_apart(name, other, generator):
    """W for Wᵀ raises unless the layers are equally wide, W reshaped never does; where both run they differ in 1 × n only."""
    plantings = [Planting(CATALOGUE[n]) for n in (name, other) if n]
    found = diagnose(square_case(generator), claims_of(plantings), repertoire=EVERYTHING)
    assert sorted(names(found)) == sorted(n for n in (name, other) if n)


def test_mistakes_that_nothing_tells_apart_are_called_the_same_program(generator):
    """Where biases are not penalised, a zero sum and a result that is never filled in are one; a missing σ′ is alone."""
    found = diagnose(square_case(generator), claims_of([Planting(CATALOGUE["bp3_zero"])]), repertoire=EVERYTHING)
    assert found.evidence[1].startswith("bp3_zero and idx_b_skipped are the same program here")
    alone = diagnose(
        square_case(generator), claims_of([Planting(CATALOGUE["bp2_factor_minus"])]), repertoire=EVERYTHING
    )
    assert not any("same program" in e for e in alone.evidence)
