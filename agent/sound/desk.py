"""The desk: one microphone, one loudspeaker, and the echo canceller between them.

It has no thread and no clock of its own: every method takes the moment it is called at, and `due` says when to call
again. The loudspeaker works whether the microphone is open or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.engines.api import SAMPLE_RATE
from agent.sound.api import Close, Open, SoundNote, SoundRequest
from agent.sound.device import Captured, Input, Output
from agent.sound.frame import Framer

if TYPE_CHECKING:
    from agent.sound.echo import EchoCanceller


class Desk:
    """What the sound worker does, moment by moment."""

    def __init__(self, microphone: Input, loudspeaker: Output, canceller: EchoCanceller | None) -> None:
        """Both devices as they were asked for; no canceller if the user wants none."""
        self._microphone = microphone
        self._loudspeaker = loudspeaker
        self._canceller = canceller
        self._framer: Framer | None = None

    def take(self, request: SoundRequest, now: float) -> list[SoundNote]:
        """Do what the daemon asks."""
        match request:
            case Open():
                self._open(now)
                return []
            case Close():
                notes = self.advance(now)
                self._framer = None
                self._microphone.close()
                return notes
            case _:
                return list[SoundNote](self._loudspeaker.request(request, now))

    def advance(self, now: float) -> list[SoundNote]:
        """Everything that has come and gone until now."""
        # The loudspeaker first: what it played is the reference for what the microphone heard.
        notes = list[SoundNote](self._loudspeaker.advance(now))
        for found in self._microphone.advance(now):
            if isinstance(found, Captured):
                notes += self._frames(found)
            else:
                notes.append(found)
        return notes

    def due(self) -> float | None:
        """When `advance` has something to do, if nothing else happens before."""
        moments = [self._loudspeaker.due(), self._microphone.due(self._missing())]
        return min((moment for moment in moments if moment is not None), default=None)

    def close(self, now: float) -> None:
        """Release both devices."""
        self._microphone.close()
        self._loudspeaker.close(now)

    def _open(self, now: float) -> None:
        if self._framer is None:
            self._framer = Framer()
            self._microphone.open(now)

    def _missing(self) -> int:
        missing = 1 if self._framer is None else self._framer.missing
        return missing if self._canceller is None else self._canceller.missing(missing)

    def _frames(self, captured: Captured) -> list[SoundNote]:
        if self._framer is None:
            return []
        samples, ended_at = captured.samples, captured.ended_at
        if self._canceller is not None:
            samples = self._canceller.cancel(samples, ended_at)
            ended_at -= self._canceller.pending / SAMPLE_RATE
        return list[SoundNote](self._framer.cut(samples, ended_at))
