"""The daemon's ear, microphone and loudspeaker, each over a worker process that lasts as long as the companion.

They are told things one-way and tell things unasked; whoever keeps them alive starts them again. A worker's clock is
the machine's monotonic one, ours is the loop's since the start: stamps are turned here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw
from msgspec.msgpack import Decoder
from typing_extensions import override

from agent.clock import Clock
from agent.engines.api import EarNote, Facts, Frame, SegmentEnded
from agent.engines.catalog import Choice
from agent.errors import EngineError, WorkerDied
from agent.events import Seconds
from agent.sound.api import (
    Close,
    Exhausted,
    Finish,
    Found,
    Lost,
    Open,
    Play,
    PlaybackEnded,
    PlaybackNote,
    PlaybackStarted,
    SoundNote,
    SoundRequest,
    Stop,
)
from agent.workers.host import Worker
from agent.workers.process import GRACE_SECONDS

T = TypeVar("T")

_BEAT_SECONDS: Final = 10.0
"""An ear or sound engine that is stuck is noticed within twice this."""
_SOUND_GRACE_SECONDS: Final = 3.0
"""The sound worker finishes its WAV file, and gives a device 2 s to let go."""
_UNREAD: Final = 4096
"""More than this unread by its routine, and the routine is stuck: two minutes of frames."""
_EAR_NOTES: Final[Decoder[EarNote]] = Decoder(EarNote)
_SOUND_NOTES: Final[Decoder[SoundNote]] = Decoder(SoundNote)


class _Unread(Generic[T]):
    """What a worker told and its routine has not read yet; ends with the worker's death."""

    def __init__(self) -> None:
        self._told: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._cause: EngineError | None = None

    def put(self, told: T) -> bool:
        """Keep it; False if too much is kept already."""
        if len(self._told) >= _UNREAD:
            return False
        self._told.append(told)
        self._arrived.set()
        return True

    def end(self, cause: EngineError) -> None:
        self._cause = cause
        self._arrived.set()

    async def read(self) -> AsyncGenerator[T, None]:
        """Everything in order. Raises the cause of the end, after what was told before it."""
        while True:
            while self._told:
                yield self._told.popleft()
            if self._cause:
                raise type(self._cause)(*self._cause.args)
            self._arrived.clear()
            await self._arrived.wait()


class _LastingWorker:
    """A worker that is told things one-way, and tells things unasked."""

    def __init__(self, name: str, choice: Choice, clock: Clock, *, load_seconds: float, grace_seconds: float) -> None:
        """`grace_seconds` is how long it may take to end in order."""
        self.name = name
        self._choice = choice
        self._clock = clock
        self._load_seconds = load_seconds
        self._grace_seconds = grace_seconds
        self._worker: Worker | None = None
        self._up = asyncio.Event()

    async def start(self) -> Facts:
        """Start a fresh process. Raises DeviceError, ModelMissing, EngineFailed, EngineHung, WorkerDied."""
        await self.close()
        worker: Worker = Worker(
            self.name,
            self._choice.factory,
            self._choice.settings,
            load_seconds=self._load_seconds,
            beat_seconds=_BEAT_SECONDS,
            noted=lambda body: self._take(worker, body),
            ended=self._ended,
        )
        self._worker = worker
        self._begin()
        facts = await worker.start()
        self._up.set()
        return facts

    async def ready(self) -> None:
        """Wait until it runs and has loaded."""
        await self._up.wait()

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._worker is not None and self._worker.running()

    async def close(self) -> None:
        """End the process."""
        if self._worker:
            await self._worker.stop(self._grace_seconds)
            self._worker = None

    async def died(self) -> EngineError:
        """Wait until the process is gone; why it is."""
        if self._worker is None:
            return WorkerDied(f"The {self.name} worker does not run.")
        await self._worker.exited()
        return self._worker.death()

    @property
    def pid(self) -> int:
        """The number of the process, 0 if there is none."""
        return self._worker.pid if self._worker else 0

    def _ended(self, cause: EngineError) -> None:
        self._up.clear()
        self._end(cause)

    def _begin(self) -> None:
        """A new process: nothing is unread."""
        raise NotImplementedError

    def _take(self, worker: Worker, body: Raw) -> None:
        """It told something."""
        raise NotImplementedError

    def _end(self, cause: EngineError) -> None:
        """It will tell nothing more."""
        raise NotImplementedError

    def _tell(self, request: Frame | SoundRequest) -> None:
        """Send it. To a worker that has ended nothing is sent: who reads its notes learns of that."""
        if self._worker and self._worker.running():
            self._worker.send(request)

    def _keep(self, unread: _Unread[T], told: T) -> None:
        if not unread.put(told) and self._worker:
            self._worker.kill(WorkerDied(f"Nobody reads what the {self.name} worker tells."))

    def _to_seconds(self, monotonic_seconds: float) -> Seconds:
        return self._clock.from_monotonic(monotonic_seconds)

    def _to_monotonic(self, moment: float) -> float:
        return moment - self._clock.from_monotonic(0.0)


class EarWorker(_LastingWorker):
    """Voice activity and segmenting, as an `Ear`."""

    def __init__(self, choice: Choice, clock: Clock, *, load_seconds: float) -> None:
        """`clock` turns stamps into `Seconds` and back."""
        super().__init__("ear", choice, clock, load_seconds=load_seconds, grace_seconds=GRACE_SECONDS)
        self._notes: _Unread[EarNote] = _Unread()

    def feed(self, frame: Frame) -> None:
        """Pass a frame on; never waits."""
        self._tell(msgspec.structs.replace(frame, captured_at=self._to_monotonic(frame.captured_at)))

    async def notes(self) -> AsyncGenerator[EarNote, None]:
        """What it finds, once it runs; for one reader. Raises WorkerDied or EngineHung when the process ends."""
        await self.ready()
        async with aclosing(self._notes.read()) as notes:
            async for note in notes:
                yield note

    @override
    def _begin(self) -> None:
        self._notes = _Unread()

    @override
    def _end(self, cause: EngineError) -> None:
        self._notes.end(cause)

    @override
    def _take(self, worker: Worker, body: Raw) -> None:
        note = worker.decode(_EAR_NOTES, body)
        if isinstance(note, SegmentEnded):
            note = msgspec.structs.replace(note, speech_ended_at=self._to_seconds(note.speech_ended_at))
        self._keep(self._notes, note)


class SoundWorker(_LastingWorker):
    """The process that touches devices, as a `Microphone` and a `Loudspeaker`."""

    def __init__(self, choice: Choice, clock: Clock, *, load_seconds: float) -> None:
        """`clock` turns stamps into `Seconds`."""
        super().__init__("sound", choice, clock, load_seconds=load_seconds, grace_seconds=_SOUND_GRACE_SECONDS)
        self.on_device: Callable[[Lost | Found | Exhausted], None] | None = None
        """Called when a device is lost or found, or a file that stands in for one is at its end."""
        self._frames: _Unread[Frame] | None = None
        self._playback: _Unread[PlaybackNote] = _Unread()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Open the microphone and stream its frames; closing the iterator closes it. For one reader at a time.

        Raises WorkerDied or EngineHung when the process ends.
        """
        await self.ready()
        unread = self._frames = _Unread[Frame]()
        self._tell(Open())
        try:
            async with aclosing(unread.read()) as frames:
                async for frame in frames:
                    yield frame
        finally:
            if self._frames is unread:
                self._frames = None
                self._tell(Close())

    def play(self, turn: int, samples: bytes) -> None:
        """Append samples (16 kHz mono int16); never waits."""
        self._tell(Play(turn=turn, samples=samples))

    def finish(self, turn: int) -> None:
        """No more comes for the turn."""
        self._tell(Finish(turn=turn))

    def stop(self, turn: int) -> None:
        """Silence within 20 ms."""
        self._tell(Stop(turn=turn))

    async def playback(self) -> AsyncGenerator[PlaybackNote, None]:
        """What was really played, once it runs; for one reader. Raises as `frames` does."""
        await self.ready()
        async with aclosing(self._playback.read()) as notes:
            async for note in notes:
                yield note

    @override
    def _begin(self) -> None:
        self._playback = _Unread()

    @override
    def _end(self, cause: EngineError) -> None:
        self._playback.end(cause)
        if self._frames:
            self._frames.end(cause)

    @override
    def _take(self, worker: Worker, body: Raw) -> None:
        note = worker.decode(_SOUND_NOTES, body)
        match note:
            case Frame():
                if self._frames:  # else it was on its way when the microphone was closed
                    captured_at = self._to_seconds(note.captured_at)
                    self._keep(self._frames, msgspec.structs.replace(note, captured_at=captured_at))
            case PlaybackStarted():
                started_at = self._to_seconds(note.started_at)
                self._keep(self._playback, msgspec.structs.replace(note, started_at=started_at))
            case PlaybackEnded():
                self._keep(self._playback, note)
            case Lost() | Found() | Exhausted():
                if self.on_device:
                    self.on_device(note)
