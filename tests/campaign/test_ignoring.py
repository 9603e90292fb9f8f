"""An ignored code does not end a run, hides no other mistake, and is never a silent pass."""

import pytest

from gradcheck.campaign.outcome import Options
from gradcheck.campaign.session import verdict_of
from gradcheck.campaign.verification import verify_subject
from gradcheck.checks.recognition import Recognition
from gradcheck.faults.backprop import backprop, edited
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.fault import Planting, plant
from gradcheck.faults.planting import Planted, case_of, planted
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.report.selection import selection
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject


def outcome_of(subject, *, select=None, ignore=None, count=40):
    """Of a subject in the trusted layout."""
    recognition = Recognition(Layout(), default_repertoire(), trusted=True)
    return verify_subject(subject, recognition, Options(count, 0, selection=selection(select, ignore)))


def with_faults(*names):
    """A subject with several faults of the catalogue."""
    plantings = [Planting(CATALOGUE[n]) for n in names]
    return LocalSubject(Planted(lambda case, arrays: gradient(case_of(case, arrays), plantings)))


def gradient(case, plantings):
    """By edited equations."""
    return backprop(case, plant(plantings, case.architecture))


def codes(outcome):
    """Of the findings but advice on overflow."""
    return [f.code.name for f in outcome.findings if f.verdict != "pass"]


@pytest.mark.parametrize("options", [{"ignore": "GC402"}, {"select": "GC403"}, {"select": "GC", "ignore": "GC402"}])
def test_an_ignored_mistake_is_counted_and_the_rest_is_verified(options):
    """Cases with one layer are evidence; those with the mistake are not."""
    outcome = outcome_of(planted(CATALOGUE["bp2_no_sigma_prime"]), **options)
    assert codes(outcome) == []
    ignored = outcome.tally.reasons["ignored: GC402"]
    assert 5 < ignored < 40
    assert outcome.tally.cases + outcome.tally.inconclusive <= 40
    assert any(n.startswith("ignored as asked for") and f"GC402 at {ignored}" in n for n in outcome.notes)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ("bp3_factor_twice", "GC403"),
        ("act_softmax_diagonal_only", "GC501"),
        ("reg_l1", "GC304"),
        ("bp1_cubed_residual", "GC401"),
    ],
)
def test_an_ignored_mistake_hides_no_other(other, code):
    """Neither in the same networks nor at the same place under a code of its own."""
    assert codes(outcome_of(with_faults("bp2_no_sigma_prime", other), ignore="GC402")) == [code]


def test_an_ignored_mistake_without_a_name_hides_no_other():
    """Residual peeling tells the equations apart."""

    def subject(*plantings):
        def claim(case, arrays):
            case = case_of(case, arrays)
            edits = dict.fromkeys(
                range(1, case.architecture.depth), lambda s, l, v: s.above[l] * (s.prime(l) ** 2 + 0.37)
            )
            return backprop(case, edited(plant(plantings, case.architecture), "derivative", edits))

        return LocalSubject(Planted(claim))

    assert codes(outcome_of(subject(), ignore="GC402", count=25)) == []
    found = codes(outcome_of(subject(Planting(CATALOGUE["bp4_factor_twice"])), ignore="GC402", count=25))
    assert set(found) == {"GC404"}


def test_nothing_but_ignored_cases_is_no_pass():
    """A bias gradient has the wrong shape in every case."""

    def flat(case, arrays):
        g = backprop(case_of(case, arrays))
        return {**g, "b1": g["b1"].ravel()}

    outcome = outcome_of(LocalSubject(Planted(flat)), ignore="GC104,GC6", count=12)
    assert codes(outcome) == ["GC951"]
    assert "ignored: GC104 (12 cases)" in outcome.findings[0].detail
    assert verdict_of(outcome.findings, outcome.tally) == "inconclusive"


def shapes_wrong(case, arrays):
    """The right gradient with dW1 transposed."""
    g = backprop(case_of(case, arrays))
    return {**g, "W1": g["W1"].T}


def raising(case, arrays):
    """An exception in networks with two layers or more."""
    if case.architecture.depth > 1:
        raise ValueError("too deep")
    return backprop(case_of(case, arrays))


@pytest.mark.parametrize(
    ("claim", "code"), [(shapes_wrong, "GC104"), (raising, "GC902")], ids=["structure", "exception"]
)
def test_a_broken_rung_is_ignored_by_its_code(claim, code):
    """With other codes ignored it is found."""
    subject = LocalSubject(Planted(claim))
    assert codes(outcome_of(subject, ignore="GC4")) == [code]
    outcome = outcome_of(subject, ignore=code)
    assert code not in codes(outcome)
    assert outcome.ignored[code] >= 5


def test_above_an_ignored_effect_values_are_still_judged():
    """Inputs changed in place, and a wrong bias gradient in the same cases."""

    def claim(case, arrays, fault):
        g = gradient(case_of(case, arrays), [Planting(CATALOGUE[fault])] if fault else [])
        arrays["x"][:] += 1.0
        return g

    assert codes(outcome_of(LocalSubject(Planted(lambda c, a: claim(c, a, None))))) == ["GC201"]
    right = outcome_of(LocalSubject(Planted(lambda c, a: claim(c, a, None))), ignore="GC201")
    assert (codes(right), right.tally.cases > 30) == ([], True)
    assert codes(outcome_of(LocalSubject(Planted(lambda c, a: claim(c, a, "bp3_factor_twice"))), ignore="GC201")) == [
        "GC403"
    ]
