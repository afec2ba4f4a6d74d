"""Echo cancellation in a room that was made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.sound.echo import TAIL_SECONDS, EchoCanceller
from agent.sound.frame import level_dbfs
from agent.sound.reference import Reference

SECONDS = 6
CHANCE = np.random.default_rng(11)


def babble(seconds: float, level: float) -> Any:
    """Noise in syllables: what an adaptive filter finds in speech, without the words."""
    count = round(seconds * 16_000)
    voice = np.convolve(CHANCE.normal(size=count), np.hanning(12), mode="same")
    syllables = np.repeat(CHANCE.uniform(0, 1, size=count // 2000 + 1) ** 2, 2000)[:count]
    sound = voice * syllables
    return sound / np.abs(sound).max() * level


def room(sound: Any) -> Any:
    """60 ms away, at half the level, with a decaying tail."""
    tail = CHANCE.normal(size=3000) * np.exp(-np.arange(3000) / 400)
    answer = np.concatenate([np.zeros(960), tail / np.linalg.norm(tail) * 0.5])
    return np.convolve(sound, answer)[: len(sound)]


def through(canceller: EchoCanceller, reference: Reference, far: Any, near: Any) -> Any:
    """What is left of `near`, frame by frame, while `far` is played."""
    far, near = far.astype(np.int16), np.clip(near, -32_768, 32_767).astype(np.int16)
    left = []
    for start in range(0, len(near) - 511, 512):
        reference.played(far[start : start + 512], start / 16_000)
        left.append(canceller.cancel(near[start : start + 512], (start + 512) / 16_000))
    return np.concatenate(left)


@pytest.fixture
def reference():
    return Reference()


@pytest.fixture
def canceller(reference: Reference):
    return EchoCanceller(reference)


def test_an_echo_is_taken_out(canceller: EchoCanceller, reference: Reference):
    far = babble(SECONDS, 15_000)
    echo = room(far) + CHANCE.normal(size=len(far)) * 5
    left = through(canceller, reference, far, echo)
    reduction = level_dbfs(echo[48_000:].astype(np.int16)) - level_dbfs(left[48_000:])
    print(f"echo reduction after 3 s: {reduction:.1f} dB; the running figure says {canceller.erle_db:.1f} dB")  # noqa: T201  # for -rP
    assert reduction > 40
    assert canceller.erle_db is not None
    assert 12 < canceller.erle_db < reduction


def test_the_user_is_kept_while_parley_speaks(canceller: EchoCanceller, reference: Reference):
    far = babble(SECONDS, 12_000)
    user = np.zeros(len(far))
    user[64_000:80_000] = babble(1.0, 9_000)
    left = through(canceller, reference, far, room(far) + user)
    loss = level_dbfs(user[64_000:80_000].astype(np.int16)) - level_dbfs(left[64_000:80_000])
    print(f"the user is {loss:.1f} dB quieter over the echo")  # noqa: T201  # for -rP
    assert abs(loss) < 6


def test_samples_pass_untouched_and_at_once_while_nothing_was_played(canceller: EchoCanceller):
    user = babble(0.5, 9_000).astype(np.int16)
    assert np.array_equal(canceller.cancel(user[:100], 1.0), user[:100])
    assert np.array_equal(canceller.cancel(user, 2.0), user)
    assert canceller.pending == 0
    assert canceller.erle_db is None


def test_what_is_kept_back_while_something_is_played_comes_and_none_is_lost(
    canceller: EchoCanceller, reference: Reference
):
    user = babble(1.0, 9_000).astype(np.int16)
    reference.played(user, 0.0)
    got = 0
    for end in range(512, 16_000, 512):
        got += len(canceller.cancel(user[end - 512 : end], end / 16_000))
        assert canceller.pending == end - got < 13 * 160
        if canceller.pending % 160:
            assert canceller.missing(512) == 640 - canceller.pending % 160
    later = end / 16_000 + TAIL_SECONDS + 2
    assert len(canceller.cancel(user[:512], later)) == 512 + end - got
    assert canceller.pending == 0


def test_with_headphones_the_user_is_heard_as_they_are(canceller: EchoCanceller, reference: Reference):
    far = babble(4.0, 12_000)
    user = np.zeros(len(far))
    user[32_000:48_000] = babble(1.0, 9_000)
    left = through(canceller, reference, far, user)
    assert np.array_equal(left[33_000:48_000], user.astype(np.int16)[33_000:48_000])
