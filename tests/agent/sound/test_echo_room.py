"""A loudspeaker that pauses and comes back with another latency."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound.echo_room import EchoRoom, power
from agent.sound.reference import BLOCK
from tests.speech import noise, say, silence, trimmed

OURS = trimmed(say("I was thinking about the garden, and about the long way home that we took.", "rms"))
PAUSE = silence(1.0)


def blocks(*sounds: np.ndarray) -> np.ndarray:
    joined = np.concatenate(sounds).astype(np.float64)
    return joined[: len(joined) // BLOCK * BLOCK].reshape(-1, BLOCK)


def heard(delay: int) -> np.ndarray:
    tail = np.exp(-np.arange(800) / 200) * np.random.default_rng(8).normal(size=800)
    tail[0] = 3.0
    came = np.convolve(np.concatenate([silence(delay / 16_000), OURS]), tail / np.linalg.norm(tail) * 0.5)
    return came[: len(OURS)] + noise(len(OURS) / 16_000, 8.0)[: len(OURS)]


def held(room: EchoRoom, near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    """The reduction in dB of each block with sound, and whether it was seen."""
    powers, seen = [], []
    for one, other in zip(near, far, strict=True):
        left, _ = room.cancel(one, other)
        powers.append((power(one) + 1) / (power(left) + 1))
        seen.append(room.cancels)
    return 10 * np.log10(powers), seen


@pytest.fixture
def known():
    room = EchoRoom()
    held(room, blocks(heard(1000), PAUSE, heard(1000), PAUSE), blocks(OURS, PAUSE, OURS, PAUSE))
    return room


def test_a_new_room_is_strange_only_while_something_sounds_and_not_for_long():
    room = EchoRoom()
    room.cancel(blocks(noise(0.01, 900.0))[0], np.zeros(BLOCK))
    assert not room.is_strange
    near, far = blocks(heard(1000)), blocks(OURS)
    held(room, near[:60], far[:60])
    assert room.is_strange
    held(room, near[60:], far[60:])
    assert not room.is_strange


@pytest.mark.parametrize("delay", [1000 - 240, 1000, 1000 + 240])
def test_an_echo_at_another_place_is_cancelled_again_within_a_third_of_a_second(known: EchoRoom, delay: int):
    reductions, seen = held(known, blocks(heard(delay)), blocks(OURS))
    assert seen.index(True) < 33 + 7
    assert np.median(reductions[40:120]) > 8


def test_after_a_pause_it_has_to_be_seen_anew_that_the_echo_is_cancelled(known: EchoRoom):
    held(known, blocks(heard(1000), PAUSE), blocks(OURS, PAUSE))
    assert known.cancels
    known.cancel(np.zeros(BLOCK), blocks(OURS)[20])
    assert not known.cancels
