"""The room between loudspeaker and microphone, over the pauses of the loudspeaker.

When it begins again after a pause, nobody knows whether the echo comes at its old place. Until it was found, or seen to
be cancelled, the filter is kept as it is: learning at the wrong place would cost all that it knows.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from agent.sound.echo_delay import later_by
from agent.sound.echo_filter import EchoFilter, Sound

AUDIBLE_POWER: Final = 30.0**2
"""Mean square of a block that can be, or make, an echo worth hearing (-61 dBFS)."""
_PAUSE_BLOCKS: Final = 30
"""After so long without a sound from the loudspeaker its delay may be another."""
_REACH_BLOCKS: Final = 40
"""How long after a sound its echo may come."""
_LEARNING_BLOCKS: Final = 100
"""Blocks with sound at the microphone until the filter knows a room."""
_FIRST_LOOK_BLOCKS: Final = 6
_LOOK_EVERY_BLOCKS: Final = 2
_LOOK_BACK_BLOCKS: Final = 20
"""Blocks of expected echo: when its place is looked up first, how often, and over how long a stretch."""
_FOUND_BLOCKS: Final = 10
"""A place that is seen over so many blocks is the place."""
_PATIENCE_BLOCKS: Final = 25
"""After so many it is learned from in any case: the room may be another."""
_CANCELLED_BLOCKS: Final = 10
_CANCELLED: Final = 3.0
"""Power of the microphone against what is left of it (4.8 dB), over so many blocks: the echo is cancelled."""


class EchoRoom:
    """Expects the echo and takes it out."""

    def __init__(self) -> None:
        """Nothing is known of the room."""
        self.cancels = False
        """The echo was seen to be cancelled since the last pause."""
        self._filter = EchoFilter()
        self._heard: deque[Sound] = deque(maxlen=_LOOK_BACK_BLOCKS)
        self._expected: deque[Sound] = deque(maxlen=_LOOK_BACK_BLOCKS)
        self._powers: deque[tuple[float, float]] = deque(maxlen=_CANCELLED_BLOCKS)
        self._silent_blocks = _REACH_BLOCKS
        self._sounding_blocks = 0
        self._found = False
        self._learned_blocks = 0

    @property
    def is_strange(self) -> bool:
        """There may be an echo, and too little of the room is known to tell it from a user."""
        return self._learned_blocks < _LEARNING_BLOCKS and self._silent_blocks < _REACH_BLOCKS

    def cancel(self, near: Sound, far: Sound) -> tuple[Sound, Sound]:
        """What is left of a block of the microphone, and the echo that was expected in it."""
        self._follow(near, far)
        expected = self._filter.expect(far)
        left = near - expected
        if self._may_learn():
            self._filter.learn(left)
        left = left if power(left) < power(near) else near
        self._heard.append(near)
        self._expected.append(expected)
        if power(expected) > AUDIBLE_POWER:
            self._sounding_blocks += 1
            self._powers.append((power(near), power(left)))
            self._look()
        return left, expected

    def expected_earlier(self) -> Sound | None:
        """The echo if it comes 10 ms before its old place; None while it is cancelled."""
        return None if self.cancels else self._filter.expect_earlier()

    def _follow(self, near: Sound, far: Sound) -> None:
        if power(far) <= AUDIBLE_POWER:
            self._silent_blocks += 1
        else:
            if self._silent_blocks > _PAUSE_BLOCKS:
                self.cancels = self._found = False
                self._sounding_blocks = 0
                self._powers.clear()
            self._silent_blocks = 0
        if self._silent_blocks < _REACH_BLOCKS and power(near) > AUDIBLE_POWER:
            self._learned_blocks += 1

    def _may_learn(self) -> bool:
        patient = self._sounding_blocks < _PATIENCE_BLOCKS and self._learned_blocks >= _LEARNING_BLOCKS
        return self.cancels or self._found or not patient

    def _look(self) -> None:
        """Whether the echo is where it was expected, after a block in which some was."""
        before, after = (sum(powers) for powers in zip(*self._powers, strict=True))
        if len(self._powers) == _CANCELLED_BLOCKS and before > _CANCELLED * after:
            self.cancels = True
        if self._sounding_blocks < _FIRST_LOOK_BLOCKS or self._sounding_blocks % _LOOK_EVERY_BLOCKS:
            return
        blocks = min(self._sounding_blocks, _LOOK_BACK_BLOCKS)
        heard, expected = list(self._heard)[-blocks:], list(self._expected)[-blocks:]
        later = later_by(np.concatenate(heard), np.concatenate(expected))
        if later is None:
            return
        self._found = self._found or self._sounding_blocks >= _FOUND_BLOCKS
        if abs(later) > 1:
            self._filter.move(later)
            self._sounding_blocks = 0


def power(block: Sound) -> float:
    """Mean square."""
    return float(block @ block) / len(block)
