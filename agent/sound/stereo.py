"""Two recordings on one time line as one: `python -m agent.sound.stereo LEFT RIGHT BOTH`, any WAV or FLAC in."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

from agent.sound.frame import Samples


def join(left: Path, right: Path, both: Path) -> None:
    """Write a 16-bit stereo WAV as long as the longer side. Raises ValueError if the rates differ."""
    first, rate = _read(left)
    second, other_rate = _read(right)
    if rate != other_rate:
        raise ValueError(f"{left} has {rate} Hz, {right} has {other_rate} Hz")
    stereo = np.zeros((max(len(first), len(second)), 2), np.int16)
    stereo[: len(first), 0] = first
    stereo[: len(second), 1] = second
    soundfile.write(both, stereo, rate)  # pyright: ignore[reportUnknownMemberType]  # the library has no types


def _read(path: Path) -> tuple[Samples, int]:
    samples, rate = soundfile.read(path, dtype="int16")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # as above
    return np.asarray(samples, np.int16), int(rate)


if __name__ == "__main__":
    join(*(Path(name) for name in sys.argv[1:4]))
