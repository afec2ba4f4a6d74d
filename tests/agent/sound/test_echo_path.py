"""Real sentences at a loudspeaker, with and without a way to the microphone."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound.echo_path import EchoPath
from tests.speech import noise, say, silence, trimmed

BLOCK = 160
OURS = trimmed(say("I was thinking about the garden, and about the long way home that we took.", "rms"))
THEIRS = trimmed(say("wait a moment i would like to say something about that", "slt"))


def powers(samples: np.ndarray) -> list[float]:
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(np.float64)
    return list((blocks**2).mean(axis=1))


def observed(path: EchoPath, near: np.ndarray, far: np.ndarray) -> list[bool]:
    """After each block: whether there is no way."""
    told = []
    for one, other in zip(powers(near), powers(far), strict=False):
        path.observe(one, other)
        told.append(path.absent)
    return told


def echo(delay_ms: int, gain: float) -> np.ndarray:
    return np.concatenate([silence(delay_ms / 1000), (OURS * gain).astype(np.int16)])[: len(OURS)]


def test_a_silent_microphone_while_the_loudspeaker_sounds_means_that_there_is_no_way():
    told = observed(EchoPath(), silence(len(OURS) / 16_000), OURS)
    assert told.index(True) < 60
    assert all(told[told.index(True) :])


def test_the_hum_of_a_room_is_no_echo():
    assert observed(EchoPath(), noise(len(OURS) / 16_000, 8.0), OURS)[-1]


@pytest.mark.parametrize("delay_ms", [0, 20, 60, 120, 200])
@pytest.mark.parametrize("gain", [0.5, 0.1, 0.02])
def test_an_echo_is_never_taken_for_silence(delay_ms: int, gain: float):
    assert not any(observed(EchoPath(), echo(delay_ms, gain), OURS))


def test_the_user_over_a_loudspeaker_that_is_not_heard_does_not_count_as_echo():
    path = EchoPath()
    observed(path, silence(len(OURS) / 16_000), OURS)
    near = np.zeros_like(OURS)
    near[: len(THEIRS)] = THEIRS[: len(near)]
    assert all(observed(path, near, OURS))


@pytest.mark.parametrize("delay_ms", [20, 200])
def test_when_the_headphones_are_taken_off_the_echo_is_noticed(delay_ms: int):
    path = EchoPath()
    observed(path, silence(len(OURS) / 16_000), OURS)
    told = observed(path, echo(delay_ms, 0.3), OURS)
    assert not told[-1]
    assert told.index(False) < 160


def test_before_anything_sounded_there_may_be_an_echo():
    path = EchoPath()
    observed(path, THEIRS, np.zeros_like(THEIRS))
    assert not path.absent
