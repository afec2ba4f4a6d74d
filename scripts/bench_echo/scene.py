"""What is heard in a room in which Parley's loudspeaker reaches its microphone: made up, and the same in every run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from agent.engines.api import SAMPLE_RATE
from agent.sound.frame import Samples, resampled
from tests.speech import Voice, say, trimmed

Sound = npt.NDArray[np.float64]

_OURS: Final = (
    "I was thinking about the garden, and about the long way home that we took.",
    "That sounds lovely. Did you sleep well?",
    "Yes.",
    "The kettle is on, so there will be tea in about five minutes, if you would like a cup.",
    "Hm, let me see.",
    "People say that it never rains in the south, but I do not believe a word of it.",
    "How did it go with your sister on Thursday?",
    "Right, here is what I found. The first train leaves at ten past seven, and the second an hour later.",
    "Good morning!",
    "Perhaps you should take a break, you have been sitting there for quite a while.",
)
_THEIRS: Final[tuple[tuple[Voice, str], ...]] = (
    ("rms", "wait a moment please"),
    ("slt", "stop that is enough"),
    ("rms", "no i meant the other one"),
    ("slt", "hold on i have a question"),
    ("rms", "can you say that again"),
    ("slt", "what about tomorrow morning"),
)
LEVELS_DB: Final = (-6, 0, 6)
"""The user against the echo, both at the microphone."""
PAUSES_SECONDS: Final = (0.3, 20.0)
_HUM: Final = 8.0
"""Standard deviation of the noise in the room (-72 dBFS)."""
_REOPENED_SECONDS: Final = 2.0
"""After so much silence the loudspeaker is opened afresh (`agent.sound.card_loudspeaker`)..."""
_WANDER_SECONDS: Final = 0.015
"""...and its latency comes out different by up to this, unknown to anybody."""
_LEAD_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Loop:
    """The way from the loudspeaker to the microphone."""

    gain_db: float
    delay_ms: float
    drift_ppm: float
    """By how much the clock of the microphone is fast."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something said."""

    begins: int
    """Index of the first sample."""
    samples: Samples

    @property
    def ends(self) -> int:
        """Index after the last sample."""
        return self.begins + len(self.samples)


@dataclass(frozen=True, slots=True)
class Scene:
    """One room, one stretch of time."""

    loop: Loop
    ours: tuple[Line, ...]
    """When Parley speaks, by the clock of the loudspeaker."""
    theirs: tuple[Line, ...]
    """When the user speaks, as it is in `microphone`."""
    microphone: Samples
    alone: Samples
    """The microphone if Parley were silent."""


def scene(loop: Loop, minutes: float, *, user: bool, seed: int = 7) -> Scene:
    """Parley speaks on and off; the user, if asked for, over every second line: at its start, or anywhere in it."""
    chance = np.random.default_rng(seed)
    count = round(minutes * 60 * SAMPLE_RATE)
    ours = _script(count, chance)
    echo = _echo(ours, loop, count, chance)
    hum = chance.normal(0.0, _HUM, count)
    theirs = _interruptions(ours, echo, chance) if user else []
    voice = np.zeros(count)
    for line in theirs:
        voice[line.begins : line.ends] += line.samples
    fast = 1 + loop.drift_ppm * 1e-6
    heard = tuple(Line(round(line.begins * fast), line.samples) for line in theirs)
    return Scene(loop, tuple(ours), heard, _captured(echo + voice + hum, fast), _captured(voice + hum, fast))


def _script(count: int, chance: np.random.Generator) -> list[Line]:
    lines: list[Line] = []
    begins = round(_LEAD_SECONDS * SAMPLE_RATE)
    while True:
        samples = _say(_OURS[int(chance.integers(len(_OURS)))])
        if begins + len(samples) + SAMPLE_RATE > count:
            return lines
        lines.append(Line(begins, samples))
        pause = float(np.exp(chance.uniform(*np.log(PAUSES_SECONDS))))
        begins += len(samples) + round(pause * SAMPLE_RATE)


def _echo(ours: list[Line], loop: Loop, count: int, chance: np.random.Generator) -> Sound:
    tail = chance.normal(size=SAMPLE_RATE // 8) * np.exp(-np.arange(SAMPLE_RATE // 8) / 500)
    tail[0] = 4.0
    room = tail / np.linalg.norm(tail) * 10 ** (loop.gain_db / 20)
    sound = np.zeros(count + 2 * SAMPLE_RATE)
    wander, before = 0.0, -count
    for line in ours:
        if line.begins - before > _REOPENED_SECONDS * SAMPLE_RATE:
            wander = float(chance.uniform(-_WANDER_SECONDS, _WANDER_SECONDS))
        begins = line.begins + round((loop.delay_ms / 1000 + wander) * SAMPLE_RATE)
        came = np.convolve(line.samples.astype(np.float64), room)
        sound[begins : begins + len(came)] += came
        before = line.ends
    return sound[:count]


def _interruptions(ours: list[Line], echo: Sound, chance: np.random.Generator) -> list[Line]:
    theirs: list[Line] = []
    for number, line in enumerate(ours[1::2]):
        voice, text = _THEIRS[number % len(_THEIRS)]
        samples = trimmed(say(text, voice)).astype(np.float64)
        latest = 0.3 * SAMPLE_RATE if number % 2 else len(line.samples) - 0.3 * SAMPLE_RATE
        begins = line.begins + round(float(chance.uniform(0, latest)))
        level = _level(echo[line.begins : line.ends]) * 10 ** (LEVELS_DB[number % len(LEVELS_DB)] / 20)
        if begins + len(samples) < len(echo):
            theirs.append(Line(begins, (samples * (level / _level(samples))).clip(-32_768, 32_767).astype(np.int16)))
    return theirs


def _level(sound: Sound) -> float:
    """Root mean square of what is not silence."""
    loud = np.abs(sound) > np.abs(sound).max() / 100
    return float(np.sqrt(np.mean(sound[loud] ** 2)))


def _captured(sound: Sound, fast: float) -> Samples:
    if fast != 1:
        resample: Any = soxr.resample
        sound = resample(sound, SAMPLE_RATE, SAMPLE_RATE * fast, quality="VHQ")
    return np.rint(sound).clip(-32_768, 32_767).astype(np.int16)


@cache
def _say(text: str) -> Samples:
    """In the voice that Parley has without any model; kept between runs."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()) / "parley-test-speech"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"espeak-{hashlib.sha256(text.encode()).hexdigest()[:24]}.wav"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["espeak-ng", "-v", "en-us", "-w", partial, text], check=True)
        partial.rename(path)
    read: Any = soundfile.read
    samples, rate = read(path, dtype="int16")
    return trimmed(resampled(samples, rate))
