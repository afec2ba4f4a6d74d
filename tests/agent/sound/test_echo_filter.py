"""The filter, in a room that is known."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound.echo_filter import EchoFilter
from agent.sound.reference import BLOCK

CHANCE = np.random.default_rng(2)
FAR = CHANCE.normal(size=300 * BLOCK) * 3000
ROOM = np.concatenate([np.zeros(900), CHANCE.normal(size=800) * np.exp(-np.arange(800) / 150)])
ROOM *= 0.5 / np.linalg.norm(ROOM)
ECHO = np.convolve(FAR, ROOM)[: len(FAR)]


def left(room: EchoFilter, near: np.ndarray, far: np.ndarray, *, learn: bool = True) -> np.ndarray:
    found = []
    for start in range(0, len(near), BLOCK):
        block = near[start : start + BLOCK] - room.expect(far[start : start + BLOCK])
        if learn:
            room.learn(block)
        found.append(block)
    return np.concatenate(found)


def reduction_db(near: np.ndarray, rest: np.ndarray) -> float:
    return float(10 * np.log10((near @ near) / (rest @ rest)))


@pytest.fixture
def learned():
    room = EchoFilter()
    left(room, ECHO, FAR)
    return room


def test_it_learns_a_room():
    rest = left(EchoFilter(), ECHO, FAR)
    assert reduction_db(ECHO[-100 * BLOCK :], rest[-100 * BLOCK :]) > 25


def test_a_user_does_not_spoil_it(learned: EchoFilter):
    user = CHANCE.normal(size=len(FAR)) * np.std(ECHO)
    left(learned, ECHO + user, FAR)
    assert reduction_db(ECHO, left(learned, ECHO, FAR, learn=False)) > 8


@pytest.mark.parametrize("samples", [-200, -3, 3, 200])
def test_a_room_that_is_heard_later_is_the_same_room(learned: EchoFilter, samples: int):
    late = np.roll(ECHO, samples)
    learned.move(samples)
    assert reduction_db(late[2000:-2000], left(learned, late, FAR, learn=False)[2000:-2000]) > 20


def test_what_is_expected_earlier_is_what_comes_ten_milliseconds_later(learned: EchoFilter):
    early, usual = [], []
    for start in range(0, 50 * BLOCK, BLOCK):
        usual.append(learned.expect(FAR[start : start + BLOCK]))
        early.append(learned.expect_earlier())
    now, later = np.concatenate(early)[:-BLOCK], np.concatenate(usual)[BLOCK:]
    assert reduction_db(later[20 * BLOCK :], (now - later)[20 * BLOCK :]) > 15
