"""A microphone of a sound card."""

from __future__ import annotations

from collections import deque
from typing import Final, cast

from typing_extensions import override

from agent.clock import monotonic
from agent.engines.api import SAMPLE_RATE
from agent.sound.api import Exhausted, Found, Lost
from agent.sound.cards import Card, SoundCards
from agent.sound.device import Captured, Input
from agent.sound.frame import FRAME_SAMPLES, Resampler, Samples, from_bytes, mono
from agent.sound.names import Direction
from agent.sound.timeline import CardTimeLine

_INPUT_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
"""Length of a block of the microphone: one wake-up for each frame."""
_AGE_BLOCKS: Final = 8
"""How many blocks tell the age of what a microphone delivers; afterwards PulseAudio's figure only wanders."""


class CardMicrophone(Card, Input):
    """A microphone by name."""

    direction: Direction = "microphone"
    block_seconds = _INPUT_SECONDS
    busy = False

    def __init__(self, cards: SoundCards, name: str) -> None:
        """Closed. Raises DeviceError."""
        super().__init__(cards, name)
        self._blocks: deque[tuple[bytes, float, float]] = deque()
        self._begin()

    @override
    def open(self, now: float) -> None:
        self.reopen(now)

    @override
    def close(self) -> None:
        self.release()
        self._blocks.clear()
        self._watch.closed()

    @override
    def advance(self, now: float) -> list[Captured | Lost | Found | Exhausted]:
        events: list[Captured | Lost | Found | Exhausted] = []
        while self._blocks:
            data, arrived_at, age = self._blocks.popleft()
            found = self._watch.delivered(now)
            events += [found] if found else []
            events.append(self._captured(data, arrived_at, age))
        return events + self._keep(now)

    @override
    def due(self, missing: int) -> float | None:
        return self._watch.due()

    @override
    def _begin(self) -> None:
        self._blocks.clear()
        self._resampler = Resampler(self._format.rate, SAMPLE_RATE)
        self._line = CardTimeLine()
        self._ages: list[float] = []
        self._taken = 0

    @override
    def _called(self, data: bytes, count: int, latency: float) -> bytes | None:
        self._blocks.append((data, monotonic(), latency))
        self._cards.wake()
        return None

    def _captured(self, data: bytes, arrived_at: float, age: float) -> Captured:
        samples = cast("Samples", mono(from_bytes(data).reshape(-1, self._format.channels)))
        self._taken += len(samples)
        if len(self._ages) < _AGE_BLOCKS:
            self._ages.append(age)
        ended_at = self._line.place(round(self._taken * SAMPLE_RATE / self._format.rate), arrived_at)
        ours = self._resampler.resample(samples)
        behind = sum(self._ages) / len(self._ages) + self._resampler.backlog_seconds
        return Captured(ours, ended_at - behind)
