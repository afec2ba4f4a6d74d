"""The room as a linear filter: what of the loudspeaker is to be expected at the microphone.

A frequency-domain Kalman filter in partitions of 10 ms (Enzner and Vary, "Frequency-domain adaptive Kalman filter for
acoustic echo control in hands-free telephones", 2006). It knows how unsure it is of each frequency and learns in that
proportion, so that a user who speaks over the echo does not spoil it. WebRTC's canceller has such a filter too, but
gives only what its suppressor leaves, and that takes the user's first half second for echo.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.sound.reference import BLOCK

Sound = npt.NDArray[np.float64]

_PARTITIONS: Final = 32
"""0.32 s: delay and room together."""
_FORGETTING: Final = 0.99**2
"""How sure the filter stays of itself from block to block; a room changes, and the clocks of two cards drift."""
_FIRST_GUESS: Final = 0.1
"""Variance of the filter before anything is known."""
_NOISE_MEMORY: Final = 0.9
_FLOOR: Final = 30.0
"""Power that is never taken for signal, per frequency."""


class EchoFilter:
    """The response of the room, learned block by block."""

    def __init__(self) -> None:
        """No response yet."""
        shape = (_PARTITIONS, BLOCK + 1)
        self._response = np.zeros(shape, np.complex128)
        self._variance = np.full(shape, _FIRST_GUESS)
        self._far = np.zeros(shape, np.complex128)
        self._before = np.zeros(BLOCK)
        self._noise = np.full(BLOCK + 1, 1e3)

    def expect(self, far: Sound) -> Sound:
        """The echo in the next block of the microphone, if `far` is what the loudspeaker plays meanwhile."""
        self._far = np.roll(self._far, 1, axis=0)
        self._far[0] = np.fft.rfft(np.concatenate((self._before, far)))
        self._before = far
        return _second_half((self._response * self._far).sum(axis=0))

    def expect_earlier(self) -> Sound:
        """The same if the echo came 10 ms earlier than it used to."""
        return _second_half((self._response[1:] * self._far[:-1]).sum(axis=0))

    def learn(self, left: Sound) -> None:
        """`left` is the block of the microphone without what was expected."""
        error = np.fft.rfft(np.concatenate((np.zeros(BLOCK), left)))
        far_power = np.abs(self._far) ** 2
        unsure = 0.5 * (far_power * self._variance).sum(axis=0)
        fresh = np.maximum(np.abs(error) ** 2 - unsure, 0)
        self._noise = _NOISE_MEMORY * self._noise + (1 - _NOISE_MEMORY) * fresh
        gain = 0.5 * self._variance / (unsure + self._noise + _FLOOR)
        step = np.fft.irfft(2 * gain * self._far.conj() * error, axis=1)
        self._response += _partitions(step[:, :BLOCK])
        drift = (1 - _FORGETTING) * (np.abs(self._response) ** 2 + 1e-6)
        self._variance = _FORGETTING * (1 - gain * far_power) * self._variance + drift

    def move(self, samples: int) -> None:
        """The echo comes so much later than it used to, or earlier if negative; the room is the same."""
        response = np.roll(np.fft.irfft(self._response, axis=1)[:, :BLOCK].ravel(), samples)
        response[slice(0, samples) if samples > 0 else slice(len(response) + samples, None)] = 0
        self._response = _partitions(response.reshape(_PARTITIONS, BLOCK))


def _partitions(responses: Sound) -> npt.NDArray[Any]:
    return np.fft.rfft(np.concatenate((responses, np.zeros_like(responses)), axis=1), axis=1)


def _second_half(spectrum: npt.NDArray[Any]) -> Sound:
    return np.fft.irfft(spectrum)[BLOCK:]
