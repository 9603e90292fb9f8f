"""Auditing: the cases that cover most open rules are audited, and the report says how the rules stand."""

from dataclasses import replace
from itertools import islice

import pytest

from gradcheck.campaign import auditing
from gradcheck.campaign.auditing import Auditing
from gradcheck.campaign.outcome import Options
from gradcheck.errors import OracleError
from gradcheck.networks.repertoire import default_repertoire
from gradcheck.oracles.store import Rules
from gradcheck.strategies import corner_cases

CASES = list(islice(corner_cases(default_repertoire(), 0), 30))


@pytest.fixture
def audited(monkeypatch):
    """The cases that were audited, with what was open then; nothing is compiled."""
    rules, seen = Rules(), []

    def audit_if_due(case, *, forced=False):
        used = auditing.rules_of(case)
        seen.append((case, rules.unaudited(used)))
        rules.approve(used)
        return True

    monkeypatch.setattr(auditing, "rules", rules)
    monkeypatch.setattr(auditing, "audit_if_due", audit_if_due)
    return seen


PLAIN = Options()


def finished(options=PLAIN, cases=CASES):
    """A campaign of clean cases, after its audits."""
    found = Auditing(options)
    for case in cases:
        found.note(case)
    found.finish()
    return found


def test_a_new_cache_is_audited_more(audited):
    """Three cases, then two a run while rules are open."""
    assert finished().cases == auditing.FRESH == 3
    assert finished().cases == auditing.OPEN == 2


def test_cases_with_many_open_rules_come_first(audited):
    """The first audit covers as many as any case of the run has, each later one no more than that before it."""
    finished()
    covered = [len(open_) for _, open_ in audited]
    assert covered[0] == max(len(auditing.rules_of(c)) for c in CASES)
    assert covered == sorted(covered, reverse=True)


def test_in_the_end_nothing_is_open(audited):
    """Then no case is audited, and nothing is compiled."""
    runs = 0
    while finished().told()["rules"]["open"]:
        runs += 1
    told = finished().told()
    assert 1 < runs < 20
    assert (told["cases"], told["share"], told["rules"]["new"], told["rules"]["open"]) == (0, 0.0, 0, 0)
    assert told["rules"]["known"] == told["rules"]["used"]


def test_the_report_counts_cases_and_rules(audited):
    """Used rules are known, new or open."""
    told = finished().told()
    rules = told["rules"]
    assert (told["cases"], told["of"], told["share"]) == (3, 30, 0.1)
    assert rules["known"] + rules["new"] + rules["open"] == rules["used"]
    assert rules["known"] == 0 < rules["open"]


def test_a_look_again_takes_a_case_by_the_seed(audited):
    """One case although nothing is open; the same seed the same one."""
    while finished().told()["rules"]["open"]:
        pass
    audited.clear()
    for seed in (0, 0, 1, 2, 3):
        assert finished(Options(seed=seed, audit=True)).cases == 1
    chosen = [CASES.index(case) for case, _ in audited]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_an_accusation_is_audited_at_once(audited):
    """Before it counts, if a rule of its case is open; a second one with the same rules is not."""
    found = Auditing(Options())
    found.accuse(CASES[0])
    found.accuse(replace(CASES[0], inputs=2 * CASES[0].inputs))
    assert [case for case, _ in audited] == [CASES[0]]
    assert found.told()["rules"]["open"] == 0


def test_an_audit_that_fails_ends_the_run(audited, monkeypatch):
    """The error passes through."""

    def failing(case, *, forced=False):
        raise OracleError("they differ", {})

    monkeypatch.setattr(auditing, "audit_if_due", failing)
    with pytest.raises(OracleError):
        finished()
