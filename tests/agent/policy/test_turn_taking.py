"""Which words are finished is tested in test_completeness.py; here is how long that makes Parley wait."""

from __future__ import annotations

import pytest

from agent.policy.turn_taking import Waits, end_of_turn_wait

WAITS = Waits(finished_seconds=0.3, unclear_seconds=0.7, unfinished_seconds=1.6, longest_seconds=3.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("tell me a joke", 0.3),
        ("what is your name", 0.3),
        ("yes", 0.3),
        ("chocolate", 0.7),
        ("", 0.7),
        ("and", 1.6),
        ("i would like to", 1.6),
    ],
)
def test_finished_words_wait_little_and_cut_ones_long(text, seconds):
    assert end_of_turn_wait(text, WAITS).seconds == seconds


def test_no_wait_is_longer_than_the_longest():
    assert end_of_turn_wait("and", Waits(longest_seconds=1.0)).seconds == 1.0


def test_the_reason_is_a_clause_for_a_person():
    wait = end_of_turn_wait("tell me about the", WAITS)
    assert (wait.rule, wait.reason, wait.completeness) == ("determiner", "a noun is still missing", "unfinished")


def test_the_defaults_are_those_of_the_settings():
    from agent.settings import TurnSettings

    settings, waits = TurnSettings(), Waits()
    assert {name: getattr(waits, name) for name in TurnSettings.model_fields} == settings.model_dump()
