"""What an echo may leave behind, frequency by frequency, and what stands out from it: the user.

In each of 160 bands of 50 Hz the echo that was expected, times the share of it that is usually left, is what the echo
explains. The share is learned from what was left of late, and starts high after a pause of the loudspeaker.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.sound.echo_filter import Sound
from agent.sound.reference import BLOCK

_WINDOW: Final = np.sqrt(np.hanning(2 * BLOCK + 1)[:-1])
_AUDIBLE: Final = BLOCK * 30.0**2
"""Power of a band from which on an echo can be heard (30 of 32768)."""
_VOICE: Final = slice(4, 80)
"""200 Hz to 4 kHz: where a voice shows."""
_MARGIN: Final = 10 ** (6 / 10)
"""So far over what is usually left (6 dB) it is not echo."""
_RINGING: Final = 0.75
"""Share of its power that an echo has 10 ms later (a reverberation time of half a second)."""
_RISE_DB: Final = 0.45
_FALL_DB: Final = 0.05
"""Per block. The share comes to rest where nine of ten blocks stay below it."""
_LEAST_DB: Final = -25.0
_MOST_DB: Final = 6.0
_AFTER_A_PAUSE_DB: Final = 3.0
_CANCELLED_DB: Final = 0.0
_FROZEN_BLOCKS: Final = 200
"""Somebody who has spoken for 2 s is no reason any more not to learn."""


class Leftover:
    """Parts what was left of the microphone into echo and user."""

    def __init__(self) -> None:
        """All of the expected echo may be left."""
        self._share_db = np.full(BLOCK + 1, _MOST_DB)
        self._left, self._expected, self._earlier = np.zeros(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK)
        self._expected_before = np.zeros(BLOCK + 1)
        self._echo = np.zeros(BLOCK + 1)
        self._half = np.zeros(BLOCK)
        self._blocks_with_user = 0
        self._cancelled = False

    @property
    def there(self) -> bool:
        """There is echo to be expected just now."""
        return bool(self._echo.max() > _AUDIBLE)

    def part(self, left: Sound, expected: Sound, earlier: Sound | None) -> tuple[float, Sound]:
        """How far a voice stands out (1: as strong as all the echo that is left), and its sound, 10 ms late.

        `earlier` is the echo expected if it comes before its time; None once it is seen to be cancelled.
        """
        spectrum = np.fft.rfft(_WINDOW * np.concatenate((self._left, left)))
        power = np.abs(spectrum) ** 2
        self._left = left
        self._expect(expected, earlier)
        self._trust(earlier is None)
        explained = self._echo * 10 ** (self._share_db / 10)
        stands_out = power > _MARGIN * explained
        self._learn(power)
        gain = np.clip(1 - _MARGIN * explained / (power + 1), 0, 1) if self.there else np.ones(BLOCK + 1)
        sound = np.fft.irfft(gain * spectrum) * _WINDOW
        voice, self._half = self._half + sound[:BLOCK], sound[BLOCK:]
        user = power[_VOICE][stands_out[_VOICE]].sum()
        strength = float(user / (explained[_VOICE].sum() + _AUDIBLE)) if self.there else 0.0
        return strength, voice

    def user_speaks(self, speaks: bool) -> None:  # a fact, not a switch
        """Whether the last block was taken for the user: from them nothing is learned of the echo."""
        self._blocks_with_user = self._blocks_with_user + 1 if speaks else 0

    def _trust(self, cancelled: bool) -> None:
        if not cancelled:
            self._share_db = np.maximum(self._share_db, _AFTER_A_PAUSE_DB)
        elif not self._cancelled:
            self._share_db = np.minimum(self._share_db, _CANCELLED_DB)
        self._cancelled = cancelled

    def _expect(self, expected: Sound, earlier: Sound | None) -> None:
        power = np.abs(np.fft.rfft(_WINDOW * np.concatenate((self._expected, expected)))) ** 2
        self._expected, before, self._expected_before = expected, self._expected_before, power
        if earlier is not None:
            ahead = np.abs(np.fft.rfft(_WINDOW * np.concatenate((self._earlier, earlier)))) ** 2
            power = np.maximum(power, np.maximum(ahead, before))
        self._earlier = np.zeros(BLOCK) if earlier is None else earlier
        beside = np.maximum(np.append(power[1:], 0), np.insert(power[:-1], 0, 0))
        self._echo = np.maximum(np.maximum(power, beside / 2), _RINGING * self._echo)

    def _learn(self, power: Sound) -> None:
        if 0 < self._blocks_with_user <= _FROZEN_BLOCKS:
            return
        above = 10 * np.log10((power + 1) / (self._echo + 1)) > self._share_db
        step = np.where(above, _RISE_DB, -_FALL_DB) * (self._echo > _AUDIBLE)
        self._share_db = np.clip(self._share_db + step, _LEAST_DB, _MOST_DB)
