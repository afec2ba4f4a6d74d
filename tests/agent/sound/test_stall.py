"""The life of a device."""

from __future__ import annotations

from agent.sound.api import Found, Lost
from agent.sound.stall import StallWatch


def test_a_device_that_delivers_is_not_stalled():
    watch = StallWatch("Yeti", 1.0)
    watch.opened(0.0)
    assert watch.delivered(0.9) is None
    assert not watch.stalled(1.8)
    assert watch.due() == 1.9


def test_a_silent_device_is_stalled_after_its_time():
    watch = StallWatch("Yeti", 1.0)
    watch.opened(0.0)
    assert watch.stalled(1.0)
    assert watch.failed("gone", 1.0) == Lost(device="Yeti", error="gone")
    assert watch.lost


def test_attempts_are_spaced_further_and_further_up_to_ten_seconds_and_told_once():
    watch, now, pauses = StallWatch("Yeti", 1.0), 0.0, []
    told = []
    for _ in range(7):
        told.append(watch.failed("gone", now))
        due = watch.due()
        assert due is not None
        assert watch.retry(due)
        assert not watch.retry(due - 0.001)
        pauses.append(due - now)
        now = due
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10]
    assert told[0] is not None
    assert told[1:] == [None] * 6


def test_a_device_is_found_when_it_delivers_not_when_it_opens():
    watch = StallWatch("Yeti", 1.0)
    watch.failed("gone", 0.0)
    watch.opened(0.5)
    assert watch.lost
    assert watch.delivered(0.6) == Found(device="Yeti")
    assert not watch.lost
    assert watch.delivered(0.7) is None


def test_a_device_that_was_closed_on_purpose_is_never_lost():
    watch = StallWatch("Yeti", 1.0)
    watch.opened(0.0)
    watch.closed()
    assert not watch.stalled(100.0)
    assert watch.due() is None
