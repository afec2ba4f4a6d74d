"""When what crashed is started again."""

from __future__ import annotations

from agent.events import Seconds
from agent.policy.restarting import GiveUp, Health, RestartRules, Retry, crashed


def crash_at(moments, rules, ran_seconds=0.0):
    health, verdicts = Health(), []
    for moment in moments:
        health, verdict = crashed(health, rules, started_at=Seconds(moment - ran_seconds), now=Seconds(moment))
        verdicts.append(verdict)
    return verdicts


def test_pauses_double_up_to_their_cap():
    verdicts = crash_at(range(9), RestartRules(limit=None))
    assert verdicts == [Retry(seconds) for seconds in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0)]


def test_free_crashes_are_retried_at_once():
    assert crash_at(range(3), RestartRules(free=1, limit=None)) == [Retry(0.0), Retry(0.1), Retry(0.2)]


def test_one_more_than_the_limit_within_the_window_is_too_many():
    verdicts = crash_at(range(0, 60, 10), RestartRules())
    assert [type(verdict) for verdict in verdicts] == [Retry] * 5 + [GiveUp]
    assert verdicts[-1].reason == "It crashed 6 times within 60 s."


def test_crashes_that_left_the_window_do_not_count():
    verdicts = crash_at(range(0, 240, 12), RestartRules())
    assert all(isinstance(verdict, Retry) for verdict in verdicts)


def test_whoever_ran_long_enough_begins_a_new_row():
    health = Health(in_a_row=7)
    for ran_seconds, in_a_row in ((59.9, 8), (60.0, 1)):
        after, _ = crashed(health, RestartRules(limit=None), started_at=Seconds(0.0), now=Seconds(ran_seconds))
        assert after.in_a_row == in_a_row


def test_a_very_long_row_does_not_overflow():
    health = Health(in_a_row=100_000)
    assert crashed(health, RestartRules(limit=None), started_at=Seconds(0.0), now=Seconds(0.0))[1] == Retry(10.0)


def test_no_memory_is_kept_where_there_is_no_limit():
    health, _ = crashed(Health(), RestartRules(limit=None), started_at=Seconds(0.0), now=Seconds(5.0))
    assert health.recent == ()
