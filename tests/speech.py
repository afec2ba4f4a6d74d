"""Speech to test with: sentences said by flite, kept in the cache directory between runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
AUDIBLE = 200
"""Samples below this are the breath around a sentence (of 32768)."""

Voice = Literal["rms", "slt", "awb"]
Samples = npt.NDArray[np.int16]


def say(text: str, voice: Voice = "rms") -> Samples:
    """The sentence as 16 kHz mono int16."""
    name = hashlib.sha256(f"{voice}\n{text}".encode()).hexdigest()[:24]
    path = _cache() / f"{name}.wav"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", partial], check=True)
        partial.rename(path)
    with wave.open(str(path)) as clip:
        if (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) != (SAMPLE_RATE, 1, 2):
            raise ValueError(f"flite voice {voice} does not give 16 kHz mono int16")
        return np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2").astype(np.int16)


def trimmed(samples: Samples) -> Samples:
    """Without the near silence at both ends, so that onset and end are known to the sample."""
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    return samples[audible[0] : audible[-1] + 1]


def silence(seconds: float) -> Samples:
    """Nothing, as zeros."""
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.int16)


def noise(seconds: float, amplitude: float, seed: int = 1) -> Samples:
    """White noise; `amplitude` is its standard deviation (of 32768)."""
    generator = np.random.default_rng(seed)
    return generator.normal(0.0, amplitude, round(seconds * SAMPLE_RATE)).astype(np.int16)


def cough(seed: int = 3) -> Samples:
    """Two bursts of low-passed noise that die away, like a cough."""
    burst = np.convolve(noise(0.18, 9000.0, seed), np.ones(6) / 6, mode="same")
    burst *= np.exp(-np.linspace(0.0, 5.0, burst.size))
    return np.concatenate([burst, silence(0.12), burst * 0.7]).astype(np.int16)


def word_error_rate(said: str, heard: str) -> float:
    """Edits between the words, by the number of words said."""
    reference, words = said.lower().split(), heard.lower().split()
    row = list(range(len(words) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(words, 1):
            substituted = diagonal + (expected != word)
            diagonal = row[j]
            row[j] = min(substituted, row[j] + 1, row[j - 1] + 1)
    return row[-1] / len(reference)


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()
    path = Path(root) / "parley-test-speech"
    path.mkdir(parents=True, exist_ok=True)
    return path
