"""Samples: mono int16 arrays, their bytes on the wire, their rate, their level, and how they become frames."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import soxr

from agent.engines.api import SAMPLE_RATE, Frame

FRAME_SAMPLES: Final = 512
"""32 ms: what the voice activity detector takes at once."""

FULL_SCALE: Final = 32768.0
QUIETEST_DBFS: Final = -96.0
"""The level of digital silence: below the smallest step of 16 bits."""

Samples = npt.NDArray[np.int16]


def from_bytes(data: bytes) -> Samples:
    """Little-endian int16 samples. Raises ValueError for half a sample."""
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)


def to_bytes(samples: Samples) -> bytes:
    """The samples as little-endian int16."""
    return samples.astype("<i2", copy=False).tobytes()


def silence(count: int) -> Samples:
    """So many zeros."""
    return np.zeros(count, dtype=np.int16)


def mono(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The mean of the channels of an array shaped (time,) or (time, channels), in its own type."""
    if samples.ndim == 1:
        return samples
    if samples.shape[1] == 1:
        return samples[:, 0]
    return samples.mean(axis=1, dtype=np.float64).astype(samples.dtype)


def resampled(samples: Samples, rate: int) -> Samples:
    """A whole clip of `rate` Hz at 16 kHz, in the best quality; its delay is compensated."""
    if rate == SAMPLE_RATE:
        return samples
    return cast("Samples", soxr.resample(samples, rate, SAMPLE_RATE, quality="VHQ"))


def faded_out(samples: Samples) -> Samples:
    """The samples, falling to silence along half a cosine: no click."""
    ramp = 0.5 * (1.0 + np.cos(np.linspace(0.0, math.pi, len(samples))))
    return (samples * ramp).astype(np.int16)


def level_dbfs(samples: Samples) -> float:
    """Root mean square relative to full scale, in dB; -96 for silence."""
    if not samples.size:
        return QUIETEST_DBFS
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(QUIETEST_DBFS, 10 * math.log10(max(power, 1e-12) / FULL_SCALE**2))


class Resampler:
    """A stream of one rate at another. soxr keeps 20 to 60 ms back, so it is only for devices that refuse 16 kHz."""

    def __init__(self, rate: int, to_rate: int) -> None:
        """From `rate` to `to_rate` Hz; equal rates pass through."""
        self._stream = None if rate == to_rate else soxr.ResampleStream(rate, to_rate, 1, dtype="int16", quality="HQ")
        self._rates = rate, to_rate
        self._taken = self._given = 0

    @property
    def backlog_seconds(self) -> float:
        """Sound that went in and has not come out yet."""
        return self._taken / self._rates[0] - self._given / self._rates[1]

    def resample(self, samples: Samples) -> Samples:
        """What comes out for these samples; it may be nothing at first."""
        out = samples if self._stream is None else cast("Samples", self._stream.resample_chunk(samples))
        self._taken += len(samples)
        self._given += len(out)
        return out


class Framer:
    """Cuts a stream of samples into frames and stamps them."""

    def __init__(self) -> None:
        """The stream begins at position 0."""
        self._rest = silence(0)
        self._position = 0

    @property
    def missing(self) -> int:
        """How many samples the next frame still needs."""
        return FRAME_SAMPLES - len(self._rest)

    def cut(self, samples: Samples, ended_at: float) -> list[Frame]:
        """The frames that are now full; `ended_at` is the moment of the last of `samples`."""
        joined = np.concatenate((self._rest, samples))
        whole = len(joined) - len(joined) % FRAME_SAMPLES
        self._rest = joined[whole:]
        frames: list[Frame] = []
        for start in range(0, whole, FRAME_SAMPLES):
            later = len(joined) - start - FRAME_SAMPLES
            clip = to_bytes(joined[start : start + FRAME_SAMPLES])
            frames.append(Frame(position=self._position, samples=clip, captured_at=ended_at - later / SAMPLE_RATE))
            self._position += FRAME_SAMPLES
        return frames
