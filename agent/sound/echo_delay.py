"""How much later, or earlier, an echo comes than it was expected.

A loudspeaker that was closed and opened again has another latency; nobody says which. The room is still the same, so
what the filter expects is right but for its place, and the place is where expectation and microphone agree best.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.sound.echo_filter import Sound

FURTHEST: Final = 320
"""Samples (20 ms) by which a delay may have changed."""
_WHITENING: Final = 0.8
"""Without it the pitch of the voice makes peaks of its own, a period beside the right one (PHAT is 1)."""
_CLEAR: Final = 6.0
"""The peak against the root mean square of all delays; a false one stays below (tried on speech, from 0.1 s on)."""


def later_by(heard: Sound, expected: Sound) -> int | None:
    """Samples by which `heard` is later than `expected`, of the same length; None if it does not tell."""
    size = 1 << (len(heard) + FURTHEST).bit_length()
    cross = np.fft.rfft(heard * np.hanning(len(heard)), size) * np.fft.rfft(expected, size).conj()
    strength = np.abs(cross)
    if not strength.any():
        return None
    agreement = np.fft.irfft(cross / (strength + 1e-5 * strength.max()) ** _WHITENING, size)
    near = np.concatenate((agreement[-FURTHEST:], agreement[: FURTHEST + 1]))
    best = int(np.argmax(near))
    return best - FURTHEST if near[best] > _CLEAR * np.sqrt(np.mean(near**2)) else None
