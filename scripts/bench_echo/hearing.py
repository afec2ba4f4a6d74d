"""The real ear, faster than real time: when it says that somebody speaks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from agent.engines.api import Frame, VoiceBegan
from agent.engines.realtime_stt_ear import RealtimeSttEar
from agent.settings import EarSettings

_WAITING: Final = 500
"""Frames (16 s) that may wait for the ear; it refuses a minute."""


def onsets(frames: Sequence[Frame]) -> list[float]:
    """The moments at which the ear knew of a voice, by the frames' own time."""
    ear = RealtimeSttEar(EarSettings().model_dump())
    feed: Any = ear._feed  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # what it has in hand is told nowhere
    told: list[float] = []

    def take(note: Struct) -> None:
        if isinstance(note, VoiceBegan):
            told.append(feed.current.captured_at)

    ear.load(take)
    try:
        for frame in frames:
            list(ear.handle(frame, lambda: False))
            _wait(feed, _WAITING)
        _wait(feed, 0)
    finally:
        ear.close()
    return told


def _wait(feed: Any, for_at_most: int) -> None:
    while feed._queue.qsize() > for_at_most:  # noqa: SLF001
        time.sleep(0.002)
