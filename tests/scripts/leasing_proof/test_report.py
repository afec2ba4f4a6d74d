"""What the report claims."""

from __future__ import annotations

import pytest

from scripts.leasing_proof import report
from scripts.leasing_proof.exploration import Journey
from scripts.leasing_proof.mutants import mutants_of
from scripts.leasing_proof.mutation import Outcome
from scripts.leasing_proof.walking import Walked
from tests.agent.policy.lease_worlds import Explored

MANY = "def f(a):\n" + "\n".join(f"    a = a < {number}" for number in range(20))
FATES = {True: "killed", False: "survived"}


def holds(part):
    return [held for held, _claim in part.claims]


def outcomes(survivors):
    return [Outcome(mutant, FATES[number >= survivors]) for number, mutant in enumerate(mutants_of("leasing", MANY))]


def test_a_million_states_are_enough():
    one = Journey("small", 1.0, Explored(400_000, 900_000, True, 9))
    other = Journey("large", 1.0, Explored(600_000, 900_000, True, 19))
    assert holds(report.exploration([one, other])) == [True, True, True]
    assert holds(report.exploration([one])) == [True, False]


def test_a_broken_rule_fails_and_is_told():
    part = report.exploration([Journey("small", 1.0, None, "budget: not true that it holds\n  0 s: Asked")])
    assert holds(part) == [False, False]
    assert "FAIL  small: budget: not true" in str(part)


def test_walks_that_were_too_short_or_broke_off_fail():
    assert holds(report.walks(Walked(1000, 100_000), "")) == [True]
    assert holds(report.walks(Walked(1000, 99_999), "")) == [False]
    assert holds(report.walks(None, "budget")) == [False]


def test_one_survivor_of_twenty_may_be():
    found = outcomes(survivors=0)
    assert all(holds(report.mutation(found, "")))
    most = len(found) // 20
    assert all(holds(report.mutation(outcomes(most), "")))
    assert holds(report.mutation(outcomes(most + 1), "")) == [True, False, True]


def test_what_is_argued_to_be_equivalent_counts_for_nothing(monkeypatch):
    found = outcomes(survivors=10)
    monkeypatch.setattr(report, "EQUIVALENT", {one.mutant.change: "so" for one in found[:10]})
    part = report.mutation(found, "")
    assert holds(part) == [True, True, True]
    assert "10 that are equivalent" in part.claims[0][1]


def test_what_is_killed_cannot_be_equivalent(monkeypatch):
    found = outcomes(survivors=0)
    monkeypatch.setattr(report, "EQUIVALENT", {found[0].mutant.change: "so"})
    assert holds(report.mutation(found, "")) == [True, True, False]


def test_survivors_are_listed_with_file_and_line():
    text = str(report.mutation(outcomes(survivors=1), ""))
    assert "* agent/policy/leasing.py:2 (" in text


@pytest.mark.parametrize("survivors", [0, 3])
def test_the_document_has_the_date_the_command_and_the_rules(survivors):
    text = report.document([report.mutation(outcomes(survivors), "")], "scripts/prove_leasing", "a machine", 90.0)
    assert "a machine; it took 1.5 minutes" in text
    assert "* **one at a time**: At most one heavy lease is active." in text
