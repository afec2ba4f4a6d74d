"""Walks of chance through the rules of the scheduler."""

from __future__ import annotations

import pytest

from agent.policy import leasing
from agent.policy.lease_queue import next_heavy
from scripts.leasing_proof.walking import walk
from tests.agent.policy.lease_rules import Broken


def grants_whoever_is_next(state, now, effects):
    request = next_heavy(state, now)
    return state if request is None else leasing._grant(state, request, now, effects)


def test_the_walks_together_are_about_as_long_as_asked():
    walked = walk(500)
    assert 400 <= walked.steps <= 600
    assert walked.walks >= 4


def test_a_fault_is_walked_into(monkeypatch):
    monkeypatch.setattr(leasing, "_grant_heavy", grants_whoever_is_next)
    with pytest.raises(Broken, match="one at a time"):
        walk(1000)
