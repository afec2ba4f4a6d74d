"""What is played: turns in a row, counted to the sample.

Pure: whoever owns the device pulls, and time is the samples that were pulled.

A turn ends once: played to its last sample after `finish`, or stopped (a short fade, the rest dropped). What comes
later for a turn that has ended is stale and dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from agent.engines.api import SAMPLE_RATE
from agent.sound.api import Finish, Play, PlaybackEnded, PlaybackNote, PlaybackStarted, Stop
from agent.sound.frame import Samples, faded_out, from_bytes, silence
from agent.sound.timeline import TimeLine

FADE_SAMPLES: Final = 256
"""16 ms; with a device block of a few ms the silence comes within 20 ms."""
_REMEMBERED: Final = 256
"""How many ended turns are known, so that what is late for them is dropped."""


@dataclass(frozen=True, slots=True)
class Began:
    """The first sample of a turn was pulled."""

    turn: int
    index: int
    """Its place among all samples pulled so far."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last sample of a turn was pulled, or it was stopped."""

    turn: int
    index: int
    """The place just after its last sample."""
    samples_played: int
    stopped: bool
    underruns: int


Mark = Began | Ended


@dataclass(slots=True)
class _Track:
    turn: int
    chunks: deque[Samples] = field(default_factory=deque[Samples])
    waiting: int = 0
    played: int = 0
    underruns: int = 0
    dry: bool = False
    finished: bool = False
    stopped: bool = False

    @property
    def over(self) -> bool:
        return self.finished and not self.waiting

    def add(self, samples: Samples) -> None:
        if not len(samples):
            return
        if self.dry:
            self.underruns += 1
            self.dry = False
        self.chunks.append(samples)
        self.waiting += len(samples)

    def stop(self) -> None:
        """Keep no more than the fade, if anything sounds at all."""
        self.finished = self.stopped = True
        tail = self.take(FADE_SAMPLES) if self.played else silence(0)
        self.chunks.clear()
        self.chunks.append(faded_out(tail))
        self.waiting = len(tail)

    def take(self, count: int) -> Samples:
        """At most `count` samples."""
        taken: list[Samples] = []
        while count and self.waiting:
            chunk = self.chunks.popleft()
            if len(chunk) > count:
                self.chunks.appendleft(chunk[count:])
                chunk = chunk[:count]
            taken.append(chunk)
            count -= len(chunk)
            self.waiting -= len(chunk)
        return np.concatenate(taken) if taken else silence(0)


class Playback:
    """The queue in front of one loudspeaker. Not for several threads."""

    def __init__(self) -> None:
        """Nothing to play."""
        self._tracks: deque[_Track] = deque()
        self._ended: deque[int] = deque(maxlen=_REMEMBERED)
        self._marks: list[Mark] = []
        self.position = 0
        """How many samples have been pulled, silence included."""

    @property
    def idle(self) -> bool:
        """True if no turn is open and no mark waits to be pulled."""
        return not self._tracks and not self._marks

    @property
    def due(self) -> int | None:
        """The next position at which something has to be told; None if only a request can change it."""
        if self._marks:
            return self.position
        if not self._tracks:
            return None
        track = self._tracks[0]
        if track.waiting and not track.played:
            return self.position + 1
        return self.position + track.waiting if track.finished else None

    def apply(self, request: Play | Finish | Stop) -> None:
        """Do what the daemon asks."""
        match request:
            case Play():
                self.play(request.turn, from_bytes(request.samples))
            case Finish():
                self.finish(request.turn)
            case Stop():
                self.stop(request.turn)

    def play(self, turn: int, samples: Samples) -> None:
        """Append to the turn, behind the turns that came before it."""
        track = self._track(turn)
        if track is not None and not track.finished:
            track.add(samples)

    def finish(self, turn: int) -> None:
        """No more comes for the turn."""
        track = self._track(turn)
        if track is not None:
            track.finished = True
            self._close_finished()

    def stop(self, turn: int) -> None:
        """Fade the turn out if it sounds, and drop the rest of it."""
        track = self._track(turn)
        if track is None or track.stopped:
            return
        track.stop()
        if not track.waiting:
            self._end(track)
        self._close_finished()

    def stop_all(self) -> None:
        """End every turn at once, without a fade: there is nothing left to play it on."""
        for track in tuple(self._tracks):
            track.stopped = True
            self._end(track)

    def pull(self, count: int) -> tuple[Samples, list[Mark]]:
        """The next `count` samples, silence where there is nothing to play, and what happened in them."""
        out = silence(count)
        done = 0
        while done < count and self._tracks:
            track = self._tracks[0]
            piece = track.take(count - done)
            if len(piece) and not track.played:
                self._marks.append(Began(track.turn, self.position + done))
            out[done : done + len(piece)] = piece
            track.played += len(piece)
            done += len(piece)
            if not track.over:
                # Only silence until more comes or the turn is finished; it is a gap if more comes.
                track.dry = track.played > 0 and not track.waiting and done < count
                break
            self._end(track, self.position + done)
        self.position += count
        self._close_finished()
        marks, self._marks = self._marks, []
        return out, marks

    def _track(self, turn: int) -> _Track | None:
        if turn in self._ended:
            return None
        for track in self._tracks:
            if track.turn == turn:
                return track
        track = _Track(turn)
        self._tracks.append(track)
        return track

    def _close_finished(self) -> None:
        while self._tracks and self._tracks[0].over:
            self._end(self._tracks[0])

    def _end(self, track: _Track, index: int | None = None) -> None:
        self._tracks.remove(track)
        self._ended.append(track.turn)
        at = self.position if index is None else index
        self._marks.append(Ended(track.turn, at, track.played, track.stopped, track.underruns))


def note(mark: Mark, moment: float) -> PlaybackNote:
    """What the daemon is told of a mark; `moment` is when its sample sounds."""
    if isinstance(mark, Began):
        return PlaybackStarted(turn=mark.turn, started_at=moment)
    return PlaybackEnded(
        turn=mark.turn, samples_played=mark.samples_played, stopped=mark.stopped, underruns=mark.underruns
    )


class TimedPlayback:
    """A loudspeaker without a device: sounds are placed on a time line at the very sample that is now.

    It renders only when it is asked to, up to now; in between nobody has to wake up.
    """

    def __init__(self, line: TimeLine, played: Callable[[Samples], None]) -> None:
        """`played` gets every rendered sample of the line once, from sample 0 on."""
        self._line = line
        self._played = played
        self._playback = Playback()

    @property
    def position(self) -> int:
        """How many samples of the line have been rendered."""
        return self._playback.position

    @property
    def idle(self) -> bool:
        """True if no turn is open."""
        return self._playback.idle

    def request(self, request: Play | Finish | Stop, now: float) -> list[PlaybackNote]:
        """Render up to now, then take the request."""
        self._line.start(now)
        notes = self.advance(now)
        self._playback.apply(request)
        return notes + self._pull(0)

    def advance(self, now: float) -> list[PlaybackNote]:
        """Render up to now."""
        notes: list[PlaybackNote] = []
        while (count := self._line.index(now) - self.position) > 0:
            notes += self._pull(min(count, SAMPLE_RATE))
        return notes

    def due(self) -> float | None:
        """When there will be something to tell."""
        due = self._playback.due
        return None if due is None else self._line.moment(due)

    def _pull(self, count: int) -> list[PlaybackNote]:
        samples, marks = self._playback.pull(count)
        if count:
            self._played(samples)
        return [note(mark, self._line.moment(mark.index)) for mark in marks]
