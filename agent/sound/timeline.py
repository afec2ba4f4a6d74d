"""When a sample sounds: the sample index of a device and the machine's monotonic clock, related.

A file keeps time exactly. A sound card has a clock of its own and tells it late: its blocks arrive with jitter that is
never negative, so the earliest arrivals of late are the truth, and the line follows them (drift) and forgives the rest.
"""

from __future__ import annotations

import math
from typing import Final

from agent.engines.api import SAMPLE_RATE

_HAIR: Final = 0.01
"""Samples; a moment that was computed from an index must give that index back."""
_JUMP_SECONDS: Final = 0.1
"""A block that is so far off its place did not follow the one before."""
_FORGIVENESS: Final = 0.01
"""Which share of a late arrival is taken for drift: 100 blocks of 32 ms make 3 s."""


class TimeLine:
    """The exact one, shared by the files that stand in for a microphone and a loudspeaker."""

    def __init__(self) -> None:
        """Not started yet."""
        self._origin: float | None = None

    @property
    def started(self) -> bool:
        """True once sample 0 has its moment."""
        return self._origin is not None

    def start(self, now: float) -> None:
        """Sample 0 is now, unless it was before."""
        if self._origin is None:
            self._origin = now

    def index(self, now: float) -> int:
        """How many samples have passed; 0 before the start."""
        return 0 if self._origin is None else max(0, math.floor((now - self._origin) * SAMPLE_RATE + _HAIR))

    def moment(self, index: int) -> float:
        """When the sample at `index` begins (and the one before it has passed)."""
        if self._origin is None:
            raise RuntimeError("the time line has not started")
        return self._origin + index / SAMPLE_RATE


class CardTimeLine:
    """The one of a sound card, smoothed."""

    def __init__(self) -> None:
        """No block yet."""
        self._offset: float | None = None
        self.jumped = False
        """True if the last block did not follow the one before it."""

    def place(self, index: int, moment: float) -> float:
        """A better moment for the sample at `index`, which the card (or the arrival) says is at `moment`."""
        offset = moment - index / SAMPLE_RATE
        self.jumped = self._offset is not None and abs(offset - self._offset) > _JUMP_SECONDS
        if self._offset is None or self.jumped or offset < self._offset:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * _FORGIVENESS
        return self._offset + index / SAMPLE_RATE
