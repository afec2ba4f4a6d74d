"""Devices in memory, on the time of the event loop: a day in a room, without a room.

What the microphone hears is an array; what the loudspeaker plays is an array on the same time line. Both are exact to
the sample and, on virtual time, the same in every run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
from typing_extensions import override

from agent.clock import Clock
from agent.engines.api import Frame
from agent.sound.api import Finish, Loudspeaker, Microphone, Play, PlaybackNote, Stop
from agent.sound.frame import FRAME_SAMPLES, Samples, silence, to_bytes
from agent.sound.playback import TimedPlayback
from agent.sound.timeline import TimeLine


class VirtualMicrophone(Microphone):
    """Delivers an array in real time, then silence."""

    def __init__(
        self, clock: Clock, samples: Samples, line: TimeLine | None = None, *, silence_after: bool = True
    ) -> None:
        """Sample 0 is at the first opening, if the line has not started. Without `silence_after` it falls dumb."""
        self._clock = clock
        self._samples = samples
        self._line = line or TimeLine()
        self._silence_after = silence_after
        self.exhausted = asyncio.Event()
        """Set when the array is at its end."""

    @override
    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Frames, each when its last sample has passed."""
        self._line.start(self._clock.now())
        opened = start = self._line.index(self._clock.now())
        while self._silence_after or start < len(self._samples):
            end = start + FRAME_SAMPLES
            captured_at = self._line.moment(end)
            await asyncio.sleep(captured_at - self._clock.now())
            clip = silence(FRAME_SAMPLES)
            there = self._samples[start:end]
            clip[: len(there)] = there
            if end >= len(self._samples):
                self.exhausted.set()
            yield Frame(position=start - opened, samples=to_bytes(clip), captured_at=captured_at)
            start = end
        await asyncio.Event().wait()


class VirtualLoudspeaker(Loudspeaker):
    """Plays into an array."""

    def __init__(self, clock: Clock, line: TimeLine | None = None) -> None:
        """Sample 0 is at the first sound, if the line has not started."""
        self._clock = clock
        self._line = line or TimeLine()
        self._chunks: list[Samples] = []
        self._timed = TimedPlayback(self._line, self._chunks.append)
        self._notes: asyncio.Queue[PlaybackNote] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None

    @override
    def play(self, turn: int, samples: bytes) -> None:
        self._request(Play(turn=turn, samples=samples))

    @override
    def finish(self, turn: int) -> None:
        self._request(Finish(turn=turn))

    @override
    def stop(self, turn: int) -> None:
        self._request(Stop(turn=turn))

    @override
    async def playback(self) -> AsyncGenerator[PlaybackNote, None]:
        """Notes since the beginning that nobody has read, then as they come."""
        while True:
            yield await self._notes.get()

    @property
    def played(self) -> Samples:
        """Everything until now, silence where nothing was played."""
        self._tell(self._timed.advance(self._clock.now()))
        return np.concatenate(self._chunks) if self._chunks else silence(0)

    def _request(self, request: Play | Finish | Stop) -> None:
        self._tell(self._timed.request(request, self._clock.now()))

    def _wake(self) -> None:
        self._timer = None
        self._tell(self._timed.advance(self._clock.now()))

    def _tell(self, notes: list[PlaybackNote]) -> None:
        for told in notes:
            self._notes.put_nowait(told)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._timed.due()
        if due is not None:
            wait = max(0.0, due - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(wait, self._wake)


class VirtualRoom:
    """A microphone and a loudspeaker on one time line."""

    def __init__(self, samples: Samples, *, clock: Clock | None = None, silence_after: bool = True) -> None:
        """`samples` is what the microphone will hear; needs a running loop."""
        line = TimeLine()
        clock = clock or Clock()
        self.microphone = VirtualMicrophone(clock, samples, line, silence_after=silence_after)
        self.loudspeaker = VirtualLoudspeaker(clock, line)
