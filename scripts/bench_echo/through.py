"""A scene through the sound worker's desk, without devices and without waiting."""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.engines.api import SAMPLE_RATE, Frame
from agent.sound.api import Exhausted, Finish, Found, Lost, Open, Play, PlaybackNote, SoundNote, Stop
from agent.sound.desk import Desk
from agent.sound.device import Captured, Input, Output
from agent.sound.echo import EchoCanceller
from agent.sound.frame import FRAME_SAMPLES, Samples, to_bytes
from agent.sound.playback import TimedPlayback
from agent.sound.reference import Reference
from agent.sound.timeline import CardTimeLine, TimeLine
from scripts.bench_echo.scene import Scene

_JITTER_SECONDS: Final = 0.003
"""How late a block of the microphone may be told."""


def frames(scene: Scene, *, cancel: bool = True) -> list[Frame]:
    """What the ear is given; moment 0 is sample 0 of the loudspeaker."""
    line, reference = TimeLine(), Reference()
    line.start(0.0)
    canceller = EchoCanceller(reference) if cancel else None
    desk = Desk(_Microphone(scene), _Loudspeaker(line, reference), canceller)
    notes: list[SoundNote] = desk.take(Open(), 0.0)
    waiting = list(enumerate(scene.ours))
    while (now := desk.due()) is not None:
        while waiting and waiting[0][1].begins <= now * SAMPLE_RATE:
            turn, said = waiting.pop(0)
            notes += desk.take(Play(turn=turn, samples=to_bytes(said.samples)), said.begins / SAMPLE_RATE)
            notes += desk.take(Finish(turn=turn), said.begins / SAMPLE_RATE)
        notes += desk.advance(now)
    return [note for note in notes if isinstance(note, Frame)]


class _Microphone(Input):
    """A card's: blocks of 32 ms by a clock of its own, told a little late."""

    def __init__(self, scene: Scene) -> None:
        self._samples = scene.microphone
        self._rate = SAMPLE_RATE * (1 + scene.loop.drift_ppm * 1e-6)
        self._late = np.random.default_rng(3)
        self._line = CardTimeLine()
        self._taken = 0
        self._due = self._next_due()

    def open(self, now: float) -> None:
        """It always runs."""

    def close(self) -> None:
        """It always runs."""

    def advance(self, now: float) -> list[Captured | Lost | Found | Exhausted]:
        """At most one block."""
        if self._due is None or now < self._due:
            return []
        samples = self._samples[self._taken : self._taken + FRAME_SAMPLES]
        self._taken += FRAME_SAMPLES
        captured = Captured(samples, self._line.place(self._taken, self._due))
        self._due = self._next_due()
        return [captured]

    def due(self, missing: int) -> float | None:
        """When the next block is told."""
        del missing
        return self._due

    def _next_due(self) -> float | None:
        end = self._taken + FRAME_SAMPLES
        return None if end > len(self._samples) else end / self._rate + float(self._late.uniform(0, _JITTER_SECONDS))


class _Loudspeaker(Output):
    """Plays into the reference; the room is in the scene already."""

    def __init__(self, line: TimeLine, reference: Reference) -> None:
        self._line = line
        self._reference = reference
        self._timed = TimedPlayback(line, self._played)

    def request(self, request: Play | Finish | Stop, now: float) -> list[PlaybackNote | Lost | Found]:
        """Render up to now, then take it."""
        return list[PlaybackNote | Lost | Found](self._timed.request(request, now))

    def advance(self, now: float) -> list[PlaybackNote | Lost | Found]:
        """Render up to now."""
        return list[PlaybackNote | Lost | Found](self._timed.advance(now))

    def due(self) -> float | None:
        """The microphone wakes us often enough."""
        return None

    def close(self, now: float) -> None:
        """Nothing to release."""

    def _played(self, samples: Samples) -> None:
        self._reference.played(samples, self._line.moment(self._timed.position - len(samples)))
