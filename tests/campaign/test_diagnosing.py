"""A wrong gradient becomes findings that say what is wrong: names, several mistakes, unknown ones, and limits."""

import pytest

from gradcheck.campaign import diagnosing
from gradcheck.campaign.findings import at_layer
from gradcheck.campaign.outcome import Options
from gradcheck.campaign.verification import verify_subject
from gradcheck.checks.recognition import Recognition
from gradcheck.errors import SubjectError
from gradcheck.faults.backprop import TRUSTED, backprop, edited
from gradcheck.faults.catalogue import CATALOGUE
from gradcheck.faults.fault import Planting, plant
from gradcheck.faults.planting import Planted, case_of, planted
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.report import Code
from gradcheck.subjects.layout import Layout
from gradcheck.subjects.local import LocalSubject


def findings_of(subject, seed=0):
    """Of a subject that takes everything, in the trusted layout."""
    recognition = Recognition(Layout(), default_repertoire(), trusted=True)
    return verify_subject(subject, recognition, Options(60, seed)).findings


def subject_of(gradient):
    """A subject from case -> gradient."""
    return LocalSubject(Planted(lambda case, arrays: gradient(case_of(case, arrays))))


def names(finding):
    """Of its explanations."""
    return [e.fault for e in finding.explanations]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("bp2_no_sigma_prime", "GC402"),
        ("bp3_factor_twice", "GC403"),
        ("bp4_factor_twice", "GC404"),
        ("reg_l1", "GC304"),
    ],
)
def test_a_planted_fault_is_named_with_its_edit(fault, code):
    """Name, code, proof and hint."""
    (finding,) = findings_of(planted(CATALOGUE[fault]))
    assert finding.code.name == code
    assert names(finding) == [fault]
    assert finding.explanations[0].hint
    assert "to the last bits (max difference" in finding.evidence[0]


def test_a_wrong_derivative_of_one_activation_has_its_own_code():
    """GC501."""
    (finding,) = findings_of(planted(CATALOGUE["act_softmax_diagonal_only"]))
    assert finding.code.name == "GC501"


def test_two_mistakes_are_two_findings_on_two_smallest_networks(monkeypatch):
    """The shrunk counterexample of one does not hide the other, and with all the time there is no third."""
    monkeypatch.setattr(diagnosing, "SECONDS", 60.0)
    plantings = [Planting(CATALOGUE["bp2_no_sigma_prime"]), Planting(CATALOGUE["bp3_factor_twice"])]
    found = findings_of(subject_of(lambda case: backprop(case, plant(plantings, case.architecture))))
    assert sorted(n for f in found for n in names(f)) == ["bp2_no_sigma_prime", "bp3_factor_twice"]
    depths = [(f.code.name, len(f.counterexample["architecture"]["layers"])) for f in found]
    assert depths == [("GC403", 1), ("GC402", 2)]


def test_what_is_in_no_catalogue_has_no_name():
    """σ′² + 0.37 z: the place, the measured curve, and no explanation."""

    def gradient(case):
        edits = dict.fromkeys(range(1, case.architecture.depth), lambda s, l, v: s.above[l] * (s.prime(l) ** 2 + 0.37))
        return backprop(case, edited(TRUSTED, "derivative", edits))

    (finding,) = findings_of(subject_of(gradient))
    assert (finding.code.name, finding.explanations) == ("GC402", ())
    assert "an unknown mistake in the recursion" in finding.detail
    assert any("effective derivative" in e for e in finding.evidence)


def test_equal_seeds_give_equal_findings():
    """The whole finding."""
    subject = planted(CATALOGUE["bp2_no_sigma_prime"])
    assert findings_of(subject, 3) == findings_of(subject, 3)


@pytest.mark.parametrize("compared", [True, False])
def test_a_uniform_scale_is_named_only_when_costs_were_compared(monkeypatch, compared):
    """Without a cost nobody knows whether the 2 is a mistake or a scale."""
    whole = diagnosing.Inquiry
    monkeypatch.setattr(
        "gradcheck.campaign.verification.Inquiry", lambda *a: whole(*a[:4], costs_compared=compared, besides=a[5])
    )
    found = findings_of(planted(CATALOGUE["bp1_factor_twice"]))
    assert bool(found[0].explanations) == compared
    assert found[0].code is Code.GC303
    assert compared or "no cost is declared" in found[0].evidence[0]


def test_a_subject_that_dies_while_it_is_diagnosed_keeps_its_finding(monkeypatch):
    """Its crash is said, and is no defect of ours."""

    def dying(*arguments, **options):
        arguments[1](arguments[0])

    def claims(self, case):
        raise SubjectError("crash", "it died of SIGABRT")

    monkeypatch.setattr(diagnosing, "diagnose", dying)
    monkeypatch.setattr("gradcheck.campaign.verification._Campaign._claims", claims)
    (finding,) = findings_of(planted(CATALOGUE["bp3_factor_twice"]))
    assert finding.evidence[0] == "the diagnosis was cut short: it died of SIGABRT"


def test_a_diagnosis_has_a_limit_of_time(monkeypatch):
    """What is known by then is reported."""
    monkeypatch.setattr(diagnosing, "SECONDS", -1.0)
    (finding,) = findings_of(planted(CATALOGUE["bp3_factor_twice"]))
    assert "given up" in finding.evidence[0]
    assert finding.places[0].equation == "BP3"


def test_the_edit_speaks_of_the_layer():
    """Superscripts become numbers."""
    assert at_layer("δˡ = (Wˡ⁺¹ᵀ δˡ⁺¹) ⊙ σ′(zˡ), aˡ⁻¹, δᴸ", 2, 12) == "δ² = (W³ᵀ δ³) ⊙ σ′(z²), a¹, δ¹²"
