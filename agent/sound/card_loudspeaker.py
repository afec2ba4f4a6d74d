"""A loudspeaker of a sound card."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import override

from agent.clock import monotonic
from agent.engines.api import SAMPLE_RATE
from agent.sound.api import Finish, Found, Lost, Play, PlaybackEnded, PlaybackNote, Stop
from agent.sound.cards import Card, SoundCards
from agent.sound.device import Output
from agent.sound.frame import Resampler, Samples, silence, to_bytes
from agent.sound.names import Direction
from agent.sound.playback import Mark, Playback, note
from agent.sound.timeline import CardTimeLine

_OUTPUT_SECONDS: Final = 0.01
"""Length of a block of the loudspeaker; it costs wake-ups only while something plays."""
_IDLE_SECONDS: Final = 2.0
"""The loudspeaker is closed after so much silence. Opening it again is a matter of ms (measured on PulseAudio)."""
_ECHO_LEAD_SECONDS: Final = 0.04
"""The reference is taken to sound so much early: reported latencies err, and an echo never precedes its cause."""


@dataclass(frozen=True, slots=True)
class _Rendered:
    """What a callback took from the queue."""

    samples: Samples
    index: int
    """Place of the first one among all that were ever taken."""
    moment: float
    """When it sounds."""
    marks: list[Mark]


class CardLoudspeaker(Card, Output):
    """A loudspeaker by name; its stream runs only while there is something to play, and two seconds more.

    The queue belongs to the callback while the stream runs, and to the owner of the devices while it does not.
    """

    direction: Direction = "loudspeaker"
    block_seconds = _OUTPUT_SECONDS

    def __init__(self, cards: SoundCards, name: str, heard: Callable[[Samples, float], None]) -> None:
        """Closed; `heard` gets what is played and when it sounds. Raises DeviceError."""
        super().__init__(cards, name)
        self._heard = heard
        self._playback = Playback()
        self._requests: deque[Play | Finish | Stop] = deque()
        self._rendered: deque[_Rendered] = deque()
        self._untold: deque[tuple[float, PlaybackNote]] = deque()
        self._called_at = 0.0
        self._idle_since: float | None = None
        self._begin()

    @property
    @override
    def busy(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  # nobody writes it
        return self._close is not None and self._idle_since is None

    @override
    def request(self, request: Play | Finish | Stop, now: float) -> list[PlaybackNote | Lost | Found]:
        self._idle_since = None
        self._requests.append(request)
        if self._close is None and isinstance(request, Play) and not self._watch.lost:
            self.reopen(now)
        return self.advance(now)

    @override
    def advance(self, now: float) -> list[PlaybackNote | Lost | Found]:
        events: list[PlaybackNote | Lost | Found] = []
        if self._close is not None:
            found = self._watch.delivered(self._called_at) if self._called_at else None
            events += [found] if found else []
        events += self._keep(now)
        if self._close is None:
            self._play_nowhere()
        self._note_rendered(now)
        while self._untold and self._untold[0][0] <= now:
            events.append(self._untold.popleft()[1])
        self._close_if_idle(now)
        return events

    @override
    def due(self) -> float | None:
        moments = [self._watch.due()]
        moments += [self._untold[0][0]] if self._untold else []
        moments += [self._idle_since + _IDLE_SECONDS] if self._idle_since is not None else []
        return min((moment for moment in moments if moment is not None), default=None)

    @override
    def close(self, now: float) -> None:
        del now
        self.release()
        self._watch.closed()

    @override
    def _begin(self) -> None:
        self._resampler = Resampler(SAMPLE_RATE, self._format.rate)
        self._line = CardTimeLine()
        self._given = 0
        self._ready = silence(0)
        self._called_at = 0.0

    @override
    def _called(self, data: bytes, count: int, latency: float) -> bytes | None:
        self._called_at = monotonic()
        while self._requests:
            self._playback.apply(self._requests.popleft())
        moment = self._line.place(round(self._given * SAMPLE_RATE / self._format.rate), self._called_at + latency)
        while len(self._ready) < count:
            self._render(count, moment)
        out, self._ready = self._ready[:count], self._ready[count:]
        self._given += count
        if self._watch.lost:
            self._cards.wake()
        return to_bytes(np.repeat(out, self._format.channels))

    def _render(self, count: int, moment: float) -> None:
        """Take more from the queue; what is ready already begins to sound at `moment`."""
        sounds_at = moment + len(self._ready) / self._format.rate + self._resampler.backlog_seconds
        index = self._playback.position
        pulled, marks = self._playback.pull(max(1, count * SAMPLE_RATE // self._format.rate))
        self._ready = np.concatenate((self._ready, self._resampler.resample(pulled)))
        self._rendered.append(_Rendered(pulled, index, sounds_at, marks))
        if marks:
            self._cards.wake()

    def _play_nowhere(self) -> None:
        """Without a stream requests can only end turns; what was open when it was lost ends here too."""
        while self._requests:
            self._playback.apply(self._requests.popleft())
        self._playback.stop_all()
        _, marks = self._playback.pull(0)
        if marks:
            self._rendered.append(_Rendered(silence(0), self._playback.position, 0.0, marks))

    def _note_rendered(self, now: float) -> None:
        while self._rendered:
            block = self._rendered.popleft()
            if len(block.samples):
                self._heard(block.samples, block.moment - _ECHO_LEAD_SECONDS)
            for mark in block.marks:
                moment = block.moment + (mark.index - block.index) / SAMPLE_RATE
                told = note(mark, moment)
                self._untold.append((moment if isinstance(told, PlaybackEnded) else now, told))

    def _close_if_idle(self, now: float) -> None:
        if self._close is None or self._watch.lost or self._requests or self._untold or not self._playback.idle:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now >= self._idle_since + _IDLE_SECONDS:
            self.close(now)
            self._idle_since = None
