"""What stands out from an echo, in noise that stands for voices."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound.leftover import Leftover
from agent.sound.reference import BLOCK

CHANCE = np.random.default_rng(4)
ECHO = CHANCE.normal(size=(400, BLOCK)) * 1500
LOW = np.sin(2 * np.pi * 300 / 16_000 * np.arange(400 * BLOCK)).reshape(-1, BLOCK)


def strengths(leftover: Leftover, left: np.ndarray, expected: np.ndarray) -> list[float]:
    return [leftover.part(one, other, None)[0] for one, other in zip(left, expected, strict=True)]


@pytest.fixture
def used():
    """A tenth of the echo is usually left."""
    leftover = Leftover()
    strengths(leftover, ECHO * 0.1, ECHO)
    return leftover


def test_what_is_usually_left_does_not_stand_out(used: Leftover):
    assert np.mean(strengths(used, ECHO[:100] * 0.1, ECHO[:100])) < 0.2


def test_a_voice_in_a_few_bands_stands_out(used: Leftover):
    assert np.median(strengths(used, ECHO[:20] * 0.1 + LOW[:20] * 3000, ECHO[:20])) > 1


def test_where_no_echo_is_expected_the_sound_is_whole_and_10_ms_late():
    leftover = Leftover()
    nothing = np.zeros(BLOCK)
    given = [leftover.part(block, nothing, None)[1] for block in LOW[:10] * 5000]
    assert not leftover.there
    assert np.allclose(np.concatenate(given[2:]), np.concatenate(LOW[1:9]) * 5000, atol=1)


def test_the_echo_is_not_in_what_is_given(used: Leftover):
    given = np.concatenate([used.part(one * 0.1, one, None)[1] for one in ECHO[:100]])
    assert np.std(given) < 0.1 * np.std(ECHO * 0.1)


def test_after_a_pause_much_more_has_to_stand_out(used: Leftover):
    weak = ECHO[:1] * 0.3
    for _ in range(3):
        before = used.part(weak[0], ECHO[0], None)[0]
    for _ in range(3):
        after = used.part(weak[0], ECHO[0], ECHO[0])[0]
    assert before > 1 > after


def test_a_user_does_not_raise_what_an_echo_may_leave(used: Leftover):
    used.user_speaks(True)
    strengths(used, ECHO[:50] * 1.0, ECHO[:50])
    used.user_speaks(False)
    assert np.median(strengths(used, ECHO[:20] * 0.1 + LOW[:20] * 3000, ECHO[:20])) > 1
