"""Echo cancellation: WebRTC's audio processing, with the very samples that were played as its reference.

It wants both streams side by side in blocks of 10 ms, and finds the delay of the room by itself. While nothing was
played for a second, samples pass untouched and nothing is computed; what it has learned of the room stays.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from livekit import rtc

from agent.engines.api import SAMPLE_RATE
from agent.sound.echo_path import EchoPath, Settling
from agent.sound.frame import Samples, silence
from agent.sound.reference import BLOCK, Reference

TAIL_SECONDS: Final = 1.0
"""How long a room may ring after the last sound played."""
_AUDIBLE_POWER: Final = 30.0**2
"""Mean square of a block of the reference that can make an echo worth measuring (-61 dBFS)."""
_ERLE_MEMORY: Final = 0.99
"""Share of the old figure in the new one, per block: a second and a half of sound counts."""


class EchoCanceller:
    """Takes out of the microphone what the loudspeaker put in."""

    def __init__(self, reference: Reference) -> None:
        """A canceller that knows no room yet."""
        self._reference = reference
        self._apm = rtc.AudioProcessingModule(echo_cancellation=True)
        self._apm.set_stream_delay_ms(0)
        self._path = EchoPath()
        self._settling = Settling()
        self._rest = silence(0)
        self._power_in = self._power_out = 0.0

    @property
    def pending(self) -> int:
        """Samples that wait for their block to be full; 0 while nothing is cancelled."""
        return len(self._rest)

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement of about the last second and a half with sound; None before that.

        Also the user's voice counts as what was left over, so it is too low rather than too high.
        """
        if self._power_in <= 0:
            return None
        return 10 * math.log10(self._power_in / max(self._power_out, 1e-3))

    def missing(self, count: int) -> int:
        """How many samples have to come in until `count` more come out."""
        if not self._rest.size:
            return count
        return math.ceil(count / BLOCK) * BLOCK - len(self._rest)

    def cancel(self, samples: Samples, ended_at: float) -> Samples:
        """The user's part of `samples`, whose last is at `ended_at`; up to 10 ms wait for the next call."""
        joined = np.concatenate((self._rest, samples))
        begins_at = ended_at - len(joined) / SAMPLE_RATE
        if begins_at > self._reference.sounded_until + TAIL_SECONDS:
            self._rest = silence(0)
            return joined
        whole = len(joined) - len(joined) % BLOCK
        self._rest = joined[whole:]
        heard = self._reference.heard(begins_at, whole)
        blocks = [self._cancel(joined[at : at + BLOCK], heard[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        return np.concatenate(blocks) if blocks else silence(0)

    def _cancel(self, near: Samples, far: Samples) -> Samples:
        self._apm.process_reverse_stream(_frame(far))
        frame = _frame(near)
        self._apm.process_stream(frame)
        left = np.frombuffer(frame.data, dtype=np.int16).copy()
        powers = _power(near), _power(far), _power(left)
        self._path.observe(powers[0], powers[1])
        if self._path.absent:
            return near
        if powers[1] > _AUDIBLE_POWER:
            self._power_in += (1 - _ERLE_MEMORY) * (powers[0] - self._power_in)
            self._power_out += (1 - _ERLE_MEMORY) * (powers[2] - self._power_out)
        return left if self._settling.done(*powers) else silence(BLOCK)


def _frame(block: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(block.tobytes(), SAMPLE_RATE, 1, len(block))


def _power(block: Samples) -> float:
    wide = block.astype(np.float64)
    return float(wide @ wide) / len(block)
