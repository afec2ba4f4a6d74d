"""Real sentences that come earlier or later than they were expected."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound.echo_delay import later_by
from tests.speech import noise, say, trimmed

EXPECTED = trimmed(say("I was thinking about the garden, and about the long way home that we took.", "rms"))[1000:4200]
USER = trimmed(say("wait a moment i would like to say something about that", "slt"))[2000:5200]


def moved(samples: int) -> np.ndarray:
    return np.roll(np.concatenate([np.zeros(400), EXPECTED, np.zeros(400)]), samples)[400:-400]


@pytest.mark.parametrize("samples", [-240, -80, -7, 0, 7, 80, 240])
def test_the_move_is_found_to_the_sample(samples: int):
    heard = moved(samples) + noise(0.2, 8.0)
    assert later_by(heard, EXPECTED.astype(np.float64)) == samples


@pytest.mark.parametrize("samples", [-240, 0, 240])
def test_it_is_found_below_a_user_who_is_as_loud(samples: int):
    user = USER * (np.std(EXPECTED) / np.std(USER))
    assert later_by(moved(samples) + user, EXPECTED.astype(np.float64)) == samples


def test_somebody_else_tells_nothing():
    assert later_by(USER.astype(np.float64), EXPECTED.astype(np.float64)) is None


def test_silence_tells_nothing():
    assert later_by(np.zeros(3200), EXPECTED.astype(np.float64)) is None
