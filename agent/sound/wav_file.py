"""WAV files as devices, in real time: what a microphone would deliver, and what a loudspeaker would play.

Where both devices are files they share one time line: sample 0 of the one is sample 0 of the other. It starts with the
first opening of the microphone or the first sound, whichever is earlier, and runs on while the microphone is closed.
"""

from __future__ import annotations

import contextlib
import logging
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import soundfile
from typing_extensions import override

from agent.engines.api import SAMPLE_RATE
from agent.errors import DeviceError
from agent.sound.api import Exhausted, Finish, Found, Lost, Play, PlaybackNote, Stop
from agent.sound.device import Captured, Input, Output
from agent.sound.frame import Samples, mono, resampled, silence, to_bytes
from agent.sound.playback import TimedPlayback
from agent.sound.timeline import TimeLine

PREFIX: Final = "wav:"
_LOGGER = logging.getLogger(__name__)
_FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC")
"""FLAC too, because it loses nothing and the demo is kept in it."""
_WRITE_SECONDS: Final = 1.0
"""How often a file is brought up to date while only silence goes into it."""


def read_wav(path: Path) -> Samples:
    """The whole file at 16 kHz mono. Raises DeviceError, saying what is wrong with it."""
    if not path.is_file():
        raise DeviceError(f"wav:{path} is no file; give the path of a WAV file")
    try:
        with cast("Any", soundfile.SoundFile)(path) as file:  # its types are partial
            if file.format not in _FORMATS:
                raise DeviceError(f"wav:{path} is not a WAV file but {file.format}; convert it first")
            if "should be" in file.extra_info:  # libsndfile's words
                _LOGGER.warning("%s is shorter than its header says; what is there is used", path)
            samples: Samples = file.read(dtype="int16", always_2d=True)
            rate: int = file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise DeviceError(f"wav:{path} is not a WAV file that can be read ({error})") from error
    if not len(samples):
        raise DeviceError(f"wav:{path} holds no sound; give a WAV file with at least one sample")
    return resampled(cast("Samples", mono(samples)), rate)


class WavMicrophone(Input):
    """Delivers a file as fast as a microphone would, then silence."""

    def __init__(self, path: Path, line: TimeLine) -> None:
        """Read the file. Raises DeviceError."""
        self._path = path
        self._samples = read_wav(path)
        self._line = line
        self._next: int | None = None
        self._exhausted = False

    @override
    def __str__(self) -> str:
        return f"{PREFIX}{self._path}"

    @override
    def open(self, now: float) -> None:
        self._line.start(now)
        self._next = self._line.index(now)

    @override
    def close(self) -> None:
        self._next = None

    @override
    def advance(self, now: float) -> list[Captured | Lost | Found | Exhausted]:
        found: list[Captured | Lost | Found | Exhausted] = []
        if self._next is not None and (end := self._line.index(now)) > self._next:
            found.append(Captured(self._between(self._next, end), self._line.moment(end)))
            self._next = end
            if end >= len(self._samples) and not self._exhausted:
                self._exhausted = True
                found.append(Exhausted())
        return found

    @override
    def due(self, missing: int) -> float | None:
        return None if self._next is None else self._line.moment(self._next + missing)

    def _between(self, start: int, end: int) -> Samples:
        clip = silence(end - start)
        there = self._samples[start:end]
        clip[: len(there)] = there
        return clip


class WavLoudspeaker(Output):
    """Writes what is played to a file, silence where nothing is; the file can be read at any time."""

    def __init__(self, path: Path, line: TimeLine, heard: Callable[[Samples, float], None]) -> None:
        """Begin the file. `heard` gets what is played and its moment. Raises DeviceError."""
        self._path = path
        self._line = line
        self._heard = heard
        self._timed = TimedPlayback(line, self._played)
        try:
            # Unbuffered: a crash leaves what was played, under a header that says how much it is.
            self._file = path.open("wb", buffering=0)
            self._wave = _begun(self._file)
        except OSError as error:
            raise DeviceError(f"wav:{path} cannot be written ({error.strerror}); give another path") from error
        self._broken = False

    @override
    def __str__(self) -> str:
        return f"{PREFIX}{self._path}"

    @override
    def request(self, request: Play | Finish | Stop, now: float) -> list[PlaybackNote | Lost | Found]:
        return list[PlaybackNote | Lost | Found](self._timed.request(request, now))

    @override
    def advance(self, now: float) -> list[PlaybackNote | Lost | Found]:
        behind = self._line.index(now) - self._timed.position
        if self._timed.idle and behind < _WRITE_SECONDS * SAMPLE_RATE:
            return []
        return list[PlaybackNote | Lost | Found](self._timed.advance(now))

    @override
    def due(self) -> float | None:
        return self._timed.due()

    @override
    def close(self, now: float) -> None:
        self._timed.advance(now)
        with contextlib.suppress(OSError, struct.error):
            self._wave.close()
        self._file.close()

    def _played(self, samples: Samples) -> None:
        start = self._timed.position - len(samples)
        self._heard(samples, self._line.moment(start))
        if self._broken:
            return
        try:
            self._wave.writeframes(to_bytes(samples))
        except (OSError, struct.error) as error:  # the disk is full, or 4 GiB are reached
            self._broken = True
            _LOGGER.warning("the rest is not written to %s: %s", self._path, error)


def _begun(file: Any) -> wave.Wave_write:
    """A header for no samples yet; it is brought up to date with every write."""
    writer: wave.Wave_write = wave.open(file, "wb")  # noqa: SIM115  # `WavLoudspeaker.close` does
    writer.setnchannels(1)
    writer.setsampwidth(2)
    writer.setframerate(SAMPLE_RATE)
    writer.writeframes(b"")
    return writer


def wav_path(device: str) -> Path | None:
    """The path in `wav:PATH`; None for another device."""
    return Path(device.removeprefix(PREFIX)).expanduser() if device.startswith(PREFIX) else None


def refuse_same_file(microphone: Path | None, loudspeaker: Path | None) -> None:
    """Raises DeviceError if the loudspeaker would overwrite the microphone's file."""
    if microphone is not None and loudspeaker is not None and microphone.resolve() == loudspeaker.resolve():
        raise DeviceError(f"wav:{microphone} cannot be microphone and loudspeaker at once; give two files")
