"""A spoken conversation on files: made, held by the real program, and judged from the two recordings and the journal."""

from __future__ import annotations

import json
import statistics
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.speech import SAMPLE_RATE, Samples, Voice, say, silence, trimmed, word_error_rate

AUDIBLE = 250
"""A sample louder than this can be heard (of 32768)."""


@dataclass(frozen=True)
class Spoken:
    """One thing the user says, and where in the recording, in seconds."""

    text: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Recording:
    """The user's side."""

    samples: Samples
    lines: tuple[Spoken, ...]

    def write(self, path: Path) -> Path:
        """Save it as a 16 kHz mono WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(self.samples.astype("<i2").tobytes())
        return path


def record(script: Sequence[tuple[float, str, Voice]], tail_seconds: float = 1.0) -> Recording:
    """Say each line after so many seconds of silence."""
    pieces: list[Samples] = []
    lines: list[Spoken] = []
    position = 0
    for gap, text, voice in script:
        clip = trimmed(say(text, voice))
        pieces += [silence(gap), clip]
        begins = position + round(gap * SAMPLE_RATE)
        position = begins + len(clip)
        lines.append(Spoken(text, begins / SAMPLE_RATE, position / SAMPLE_RATE))
    pieces.append(silence(tail_seconds))
    return Recording(np.concatenate(pieces), tuple(lines))


@dataclass(frozen=True)
class Verdict:
    """What the recordings and the journal tell."""

    texts: tuple[str, ...]
    """What was heard, line by line."""
    word_error_rates: tuple[float, ...]
    gaps: tuple[float | None, ...]
    """Seconds from the user's last sample to Parley's first audible one; None if no answer came."""
    overlap_seconds: float
    """How long both were audible at once."""

    @property
    def median_gap(self) -> float:
        """Of the answered lines."""
        return statistics.median(gap for gap in self.gaps if gap is not None)


def judge(recording: Recording, answer: Path, journal: Path) -> Verdict:
    """Compare the user's recording with Parley's, which has the same time line."""
    events = read_journal(journal)
    return compare(recording, read(answer), events, offset(events))


def compare(recording: Recording, ours: Samples, events: Sequence[dict[str, Any]], zero: float) -> Verdict:
    """The same for sound that begins with the recording, at `zero` in the journal's time."""
    heard = [event for event in events if event["event"] == "UtteranceHeard" and event["source"] == "voice"]
    texts, rates, gaps = [], [], []
    ends_of_turns = [line.begins for line in recording.lines[1:]] + [float("inf")]
    for line, until in zip(recording.lines, ends_of_turns, strict=True):
        first = first_audible(ours, line.ends)
        gaps.append(first - line.ends if first is not None and first < until else None)
        words = [event["text"] for event in heard if line.begins <= event["speech_ended_at"] - zero < until]
        texts.append(" ".join(words))
        rates.append(word_error_rate(_plain(line.text), _plain(texts[-1])))
    return Verdict(tuple(texts), tuple(rates), tuple(gaps), overlap(recording, ours))


def overlap(recording: Recording, ours: Samples) -> float:
    """Seconds in which Parley is audible while the user speaks."""
    total = 0
    for line in recording.lines:
        stretch = ours[round(line.begins * SAMPLE_RATE) : round(line.ends * SAMPLE_RATE)]
        total += np.count_nonzero(loud(stretch))
    return total / SAMPLE_RATE


def loud(samples: Samples) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which samples belong to sound; a gap of under 20 ms between loud samples counts too."""
    if not len(samples):
        return np.zeros(0, dtype=bool)
    window = np.ones(SAMPLE_RATE // 50)
    return np.convolve(np.abs(samples.astype(np.int32)) > AUDIBLE, window, mode="same") > 0.5


def first_audible(samples: Samples, after_seconds: float) -> float | None:
    """When the first audible sample comes after a moment."""
    start = round(after_seconds * SAMPLE_RATE)
    found = np.flatnonzero(np.abs(samples[start:].astype(np.int32)) > AUDIBLE)
    return (start + int(found[0])) / SAMPLE_RATE if len(found) else None


def read(path: Path) -> Samples:
    """A 16 kHz mono WAV file."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All events, without the first line."""
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def offset(events: Sequence[dict[str, Any]]) -> float:
    """When the time line of the recordings began, in the journal's time."""
    return next(event["at"] for event in events if event["event"] == "CompanionStarted")


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c in " '")
