"""Whether anything has happened lately: for a companion that is to end when a conversation on file is over."""

from __future__ import annotations

import asyncio

from agent.bus import Bus
from agent.clock import Clock
from agent.events import (
    CompanionStarted,
    Event,
    HushIssued,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    SpeakingEnded,
    SpeakingStarted,
    SpeechDiscarded,
    SpeechStarted,
    UtteranceHeard,
)

_OPENERS = (SpeechStarted, PromptIssued, SpeakingStarted)
_CLOSERS = (UtteranceHeard, SpeechDiscarded, ReplyFinished, ReplyDeclined, ReplyFailed, HushIssued, SpeakingEnded)


class Quiet:
    """Knows when the last thing happened in the conversation."""

    def __init__(self, bus: Bus, clock: Clock, *, waits_for_file: bool) -> None:
        """Nothing counts as quiet before the companion listens.

        `waits_for_file`: nor before `exhausted` was called.
        """
        self._clock = clock
        self._starting = True
        self._playing_file = waits_for_file
        self._last = clock.now()
        self._stirred = asyncio.Event()
        bus.tap(self._take)

    def exhausted(self) -> None:
        """The file that stands in for the microphone is at its end."""
        self._playing_file = False
        self._stir()

    async def lasts(self, seconds: float) -> None:
        """Return once nothing has happened for so long."""
        while True:
            self._stirred.clear()
            left = self._last + seconds - self._clock.now()
            waits = self._starting or self._playing_file
            if left <= 0 and not waits:
                return
            try:
                async with asyncio.timeout(None if waits else left):
                    await self._stirred.wait()
            except TimeoutError:
                pass

    def _take(self, event: Event) -> None:
        if isinstance(event, CompanionStarted):
            self._starting = False
        if isinstance(event, (CompanionStarted, *_OPENERS, *_CLOSERS)):
            self._stir()

    def _stir(self) -> None:
        self._last = self._clock.now()
        self._stirred.set()
