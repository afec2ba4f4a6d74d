"""Echo cancellation: what the loudspeaker put into the microphone is taken out, and what may be left is not heard.

The very samples that were played are the reference. Four things follow each other, in blocks of 10 ms:

- `EchoRoom` expects the echo, also when its place has changed, and what was expected is taken out.
- `Leftover` says what stands out from that which the echo may leave behind.
- WebRTC's audio processing cancels the same block on its own: a second witness.
- `agent.policy.overheard` decides from both whether somebody speaks. Only then is anything given on.

While nothing was played for a second, samples pass untouched and nothing is computed; what was learned stays.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
from livekit import rtc

from agent.engines.api import SAMPLE_RATE
from agent.policy import overheard
from agent.sound.echo_filter import Sound
from agent.sound.echo_path import EchoPath
from agent.sound.echo_room import AUDIBLE_POWER, EchoRoom, power
from agent.sound.frame import Samples, silence
from agent.sound.leftover import Leftover
from agent.sound.reference import BLOCK, Reference

TAIL_SECONDS: Final = 1.0
"""How long a room may ring after the last sound played."""
_ERLE_MEMORY: Final = 0.99
"""Share of the old figure in the new one, per block: a second and a half of sound counts."""
_HEARS: Final = 10**-1.2
"""WebRTC hears somebody if it leaves more than this (-12 dB) of the microphone."""
_HOLD_BLOCKS: Final = 20
"""Who has spoken goes on speaking for so long: words have pauses."""
_HELD_BLOCKS: Final = 12
"""What is kept back while only echo is heard: as much as it takes to tell a user, who then loses nothing of it."""


class EchoCanceller:
    """Takes out of the microphone what the loudspeaker put in."""

    def __init__(self, reference: Reference) -> None:
        """A canceller that knows no room yet."""
        self._reference = reference
        self._webrtc = _WebRtc()
        self._path = EchoPath()
        self._room = EchoRoom()
        self._leftover = Leftover()
        self._stood_out: deque[float] = deque(maxlen=overheard.REMEMBERED)
        self._heard: deque[bool] = deque(maxlen=overheard.REMEMBERED)
        self._hold = 0
        self._rest = silence(0)
        self._held: deque[Samples] = deque()
        self._power_in = self._power_out = 0.0

    @property
    def pending(self) -> int:
        """Samples that have not come out yet; 0 while nothing is cancelled."""
        return len(self._rest) + len(self._held) * BLOCK

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement of the filter in about the last second and a half with sound; None before that.

        Also the user's voice counts as what was left over, so it is too low rather than too high.
        """
        if self._power_in <= 0:
            return None
        return 10 * math.log10(self._power_in / max(self._power_out, 1e-3))

    def missing(self, count: int) -> int:
        """How many samples have to come in, at least, until `count` more come out."""
        if not self._rest.size:
            return count
        return math.ceil(count / BLOCK) * BLOCK - len(self._rest)

    def cancel(self, samples: Samples, ended_at: float) -> Samples:
        """The user's part of `samples`, whose last is at `ended_at`; while there is an echo, up to 0.13 s wait."""
        joined = np.concatenate((self._rest, samples))
        begins_at = ended_at - len(joined) / SAMPLE_RATE
        if begins_at > self._reference.sounded_until + TAIL_SECONDS:
            self._rest = silence(0)
            return np.concatenate((self._passed_over(), joined))
        whole = len(joined) - len(joined) % BLOCK
        self._rest = joined[whole:]
        heard = self._reference.heard(begins_at, whole)
        blocks = [self._cancel(joined[at : at + BLOCK], heard[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        return np.concatenate(blocks) if blocks else silence(0)

    def _cancel(self, microphone: Samples, loudspeaker: Samples) -> Samples:
        near, far = microphone.astype(np.float64), loudspeaker.astype(np.float64)
        left, expected = self._room.cancel(near, far)
        self._measure(near, left, expected)
        stood_out, voice = self._leftover.part(left, expected, self._room.expected_earlier())
        self._stood_out.append(stood_out)
        self._heard.append(self._webrtc.left(microphone, loudspeaker) > _HEARS * power(near))
        speaks = overheard.somebody_speaks(tuple(self._stood_out), tuple(self._heard))
        self._hold = _HOLD_BLOCKS if speaks else self._hold - 1
        self._leftover.user_speaks(self._hold > 0)
        self._path.observe(power(near), power(far))
        if self._path.absent:
            return np.concatenate((self._passed_over(), microphone))
        self._held.append(np.rint(voice).clip(-32_768, 32_767).astype(np.int16))
        if self._room.is_strange or (self._leftover.there and self._hold <= 0):
            if len(self._held) <= _HELD_BLOCKS:
                return silence(0)
            self._held.popleft()
            return silence(BLOCK)
        if not self._leftover.there and self._hold <= 0:
            newest = self._held.pop()
            return np.concatenate((self._passed_over(), newest))
        kept = np.concatenate(tuple(self._held))
        self._held.clear()
        return kept

    def _passed_over(self) -> Samples:
        """Silence in the place of what was kept back."""
        passed_over = silence(len(self._held) * BLOCK)
        self._held.clear()
        return passed_over

    def _measure(self, near: Sound, left: Sound, expected: Sound) -> None:
        if power(expected) > AUDIBLE_POWER:
            self._power_in += (1 - _ERLE_MEMORY) * (power(near) - self._power_in)
            self._power_out += (1 - _ERLE_MEMORY) * (power(left) - self._power_out)


class _WebRtc:
    """WebRTC's audio processing, which finds the delay of the room by itself."""

    def __init__(self) -> None:
        self._apm = rtc.AudioProcessingModule(echo_cancellation=True)
        self._apm.set_stream_delay_ms(0)

    def left(self, near: Samples, far: Samples) -> float:
        """Mean square of what it leaves of a block of the microphone."""
        self._apm.process_reverse_stream(_frame(far))
        frame = _frame(near)
        self._apm.process_stream(frame)
        return power(np.frombuffer(frame.data, dtype=np.int16).astype(np.float64))


def _frame(block: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(block.tobytes(), SAMPLE_RATE, 1, len(block))
