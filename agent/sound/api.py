"""What a sound device is to the daemon: frames in, samples out, and word of what was really played."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

from agent.engines.api import Frame

# --- daemon to worker -----------------------------------------------------------------------------------------------


class Open(Struct, frozen=True, tag="open"):
    """Open the microphone."""


class Close(Struct, frozen=True, tag="close"):
    """Close the microphone: the device is released, not only ignored."""


class Play(Struct, frozen=True, tag="play"):
    """Append samples of a turn to what is played."""

    turn: int
    samples: bytes


class Finish(Struct, frozen=True, tag="finish"):
    """No more samples of the turn will come."""

    turn: int


class Stop(Struct, frozen=True, tag="stop"):
    """Fade the turn out within 20 ms and drop the rest of it."""

    turn: int


SoundRequest = Open | Close | Play | Finish | Stop

# --- worker to daemon -----------------------------------------------------------------------------------------------


class PlaybackStarted(Struct, frozen=True, tag="playback_started"):
    """The first sample of the turn was handed to the device."""

    turn: int
    started_at: float
    """Moment it becomes audible; clock as in `Frame.captured_at`."""


class PlaybackEnded(Struct, frozen=True, tag="playback_ended"):
    """The turn's last sample was played, or it was stopped; exactly one for each turn that played or was finished."""

    turn: int
    samples_played: int
    stopped: bool
    underruns: int = 0


class Lost(Struct, frozen=True, tag="lost"):
    """A device stopped delivering, or could not be opened again yet."""

    device: str
    error: str


class Found(Struct, frozen=True, tag="found"):
    """The device that was lost is back."""

    device: str


class Exhausted(Struct, frozen=True, tag="exhausted"):
    """A file that stood in for the microphone is at its end; silence follows."""


PlaybackNote = PlaybackStarted | PlaybackEnded
SoundNote = Frame | PlaybackStarted | PlaybackEnded | Lost | Found | Exhausted


class Microphone(Protocol):
    """Where frames come from."""

    def frames(self) -> AsyncGenerator[Frame, None]:
        """Open the device and stream 16 kHz mono frames; closing the iterator closes the device."""
        ...


class Loudspeaker(Protocol):
    """Where samples go. One turn plays at a time."""

    def play(self, turn: int, samples: bytes) -> None:
        """Append samples (16 kHz mono int16); never waits."""
        ...

    def finish(self, turn: int) -> None:
        """No more comes for the turn."""
        ...

    def stop(self, turn: int) -> None:
        """Silence within 20 ms."""
        ...

    def playback(self) -> AsyncGenerator[PlaybackNote, None]:
        """What was really played."""
        ...
