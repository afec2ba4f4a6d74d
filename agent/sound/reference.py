"""What the loudspeaker played, looked up by the moment at which it sounded.

The echo canceller compares it with the microphone. Two sound cards have two clocks, so the place of a moment wanders; a
reader goes on without a gap as long as it is within a block of the right place, for a jump looks like a new room.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from agent.engines.api import SAMPLE_RATE
from agent.sound.frame import Samples, silence

BLOCK: Final = SAMPLE_RATE // 100
"""10 ms: the only length WebRTC takes."""
_KEPT: Final = 2 * SAMPLE_RATE
"""How much of what was played is remembered."""


class Reference:
    """What was played lately, to be found by the moment at which it sounded."""

    def __init__(self) -> None:
        """Nothing was played."""
        self._samples = silence(0)
        self._began = 0.0
        self._next: int | None = None
        self.sounded_until = -math.inf
        """Moment of the last sample that was not silence."""

    def played(self, samples: Samples, moment: float) -> None:
        """`samples` sound from `moment` on; they follow those of the call before unless the moment says otherwise."""
        off = moment - (self._began + len(self._samples) / SAMPLE_RATE)
        if abs(off) * SAMPLE_RATE > BLOCK:
            self._samples, self._began, self._next = silence(0), moment, None
        else:
            # A little of every difference is taken over, so that the clock of the card may drift.
            self._began += 0.01 * off
        self._samples = np.concatenate((self._samples, samples))
        too_old = len(self._samples) - _KEPT
        if too_old > 0:
            self._samples = self._samples[too_old:]
            self._began += too_old / SAMPLE_RATE
            self._next = None if self._next is None else self._next - too_old
        heard = np.flatnonzero(samples)
        if len(heard):
            self.sounded_until = moment + float(heard[-1] + 1) / SAMPLE_RATE

    def heard(self, moment: float, count: int) -> Samples:
        """The `count` samples that sounded from `moment` on; zeros where nothing did."""
        there = round((moment - self._began) * SAMPLE_RATE)
        if self._next is None or abs(there - self._next) > BLOCK:
            self._next = there
        start, self._next = self._next, self._next + count
        clip = silence(count)
        known = self._samples[max(0, start) : max(0, start + count)]
        offset = max(0, -start)
        clip[offset : offset + len(known)] = known
        return clip
