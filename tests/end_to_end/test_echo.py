"""Parley's voice comes back into its microphone, through the sound worker's desk and into the real ear."""

from __future__ import annotations

import pytest

from scripts.bench_echo.hearing import onsets
from scripts.bench_echo.scene import Loop, scene
from scripts.bench_echo.through import frames
from scripts.bench_echo.trial import held

LOOP = Loop(gain_db=-6, delay_ms=60, drift_ppm=60)


@pytest.fixture(scope="module")
def alone():
    return scene(LOOP, 1.0, user=False)


def test_parley_does_not_hear_itself(alone):
    assert onsets(frames(alone)) == []


def test_without_cancellation_it_would(alone):
    assert len(onsets(frames(alone, cancel=False))) >= len(alone.ours) / 2


def test_a_user_who_speaks_over_it_is_heard():
    result = held(LOOP, 1.5)
    assert result.asked >= 3
    assert result.recall >= 0.8  # a room that is new; the bench asks for more, over ten minutes
