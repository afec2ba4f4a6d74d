"""The worker's side of a device: what the desk needs of a microphone and a loudspeaker, real or on file.

Every method is called by the one thread that owns the devices, with the moment it is called at; none waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.sound.api import Exhausted, Finish, Found, Lost, Play, PlaybackNote, Stop
from agent.sound.frame import Samples


@dataclass(frozen=True, slots=True)
class Captured:
    """Samples of a microphone at 16 kHz."""

    samples: Samples
    ended_at: float
    """Moment of the last one, on the machine's monotonic clock."""


class Input(Protocol):
    """A microphone."""

    def open(self, now: float) -> None:
        """Begin to capture. What goes wrong is told by `advance`."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...

    def advance(self, now: float) -> list[Captured | Lost | Found | Exhausted]:
        """What was captured or happened since the last call."""
        ...

    def due(self, missing: int) -> float | None:
        """When to call `advance` at the latest, if `missing` more samples make something whole; None for no need."""
        ...


class Output(Protocol):
    """A loudspeaker."""

    def request(self, request: Play | Finish | Stop, now: float) -> list[PlaybackNote | Lost | Found]:
        """Play, or end playing."""
        ...

    def close(self, now: float) -> None:
        """Release the device; what was played until now is kept where it is kept."""
        ...

    def advance(self, now: float) -> list[PlaybackNote | Lost | Found]:
        """What was played or happened since the last call."""
        ...

    def due(self) -> float | None:
        """When to call `advance` at the latest; None for no need."""
        ...
