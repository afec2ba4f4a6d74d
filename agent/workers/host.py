"""The parent's side of a worker: requests, their deadlines, and what becomes of them when the worker ends.

A worker is used once: it is started, it ends, and whoever wants another makes a new one. When a request is over, the
engine is free or its process is gone; so a lease can be given back without asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.msgpack import Decoder

from agent.engines.api import Facts
from agent.errors import (
    DeviceError,
    EngineError,
    EngineFailed,
    EngineHung,
    ModelMissing,
    OutOfMemory,
    ParleyError,
    WorkerDied,
)
from agent.workers import wire
from agent.workers.process import GRACE_SECONDS, Process

R = TypeVar("R")

CANCEL_SECONDS: Final = 0.25
"""A cancel that is not answered for so long costs the worker its life."""
PAUSE_SECONDS: Final = 2.0
"""So does a pause; it has more time, because a large model may need that for one token."""
_HELD_UP_SECONDS: Final = 0.05
"""A timer that comes so late comes from a loop that was held up."""
_FACTS: Final = Decoder(Facts)

_Answer: TypeAlias = wire.Result | wire.Done | wire.Failed | EngineError


class Worker:
    """One engine in one child process. Needs a running loop on real time."""

    def __init__(
        self,
        name: str,
        engine: str,
        settings: dict[str, Any],
        *,
        load_seconds: float,
        python: str = "",
        environment: Mapping[str, str] | None = None,
        beat_seconds: float = 0.0,
        noted: Callable[[Raw], None] | None = None,
        ended: Callable[[EngineError], None] | None = None,
    ) -> None:
        """`engine` is `module:Class`, `settings` go to its constructor, `python` is the interpreter (empty: ours).

        `environment` has variables for its libraries.
        `beat_seconds` is for a worker that is told things one-way: so often it must show that it is not stuck.
        `noted` gets what the engine says unasked, in order; `ended` the cause when the process is gone, before anyone
        who waits for a result hears of it.
        """
        self.name = name
        self._load = wire.Load(engine, settings, dict(environment or {}))
        self._load_seconds = load_seconds
        self._beat_seconds = beat_seconds
        self._process = Process(name, python, self._received, self._ended)
        self._loop = asyncio.get_running_loop()
        self._loaded: asyncio.Queue[wire.Ready | wire.LoadFailed | EngineError] = asyncio.Queue()
        self._answers: dict[int, _Answers] = {}
        self._last_id = wire.ONE_WAY
        self._pauses = 0
        self._standstill: asyncio.Future[None] | None = None
        """While paused: done when the engine stands still, or never will."""
        self._noted = noted
        self._tell_end = ended
        self._owes_pong = False

    # --- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> Facts:
        """Start the process and load the engine.

        Raises ModelMissing, DeviceError, OutOfMemory, EngineFailed (it raised), EngineHung (not ready in time),
        WorkerDied. Then, and when this is cancelled, the process is gone.
        """
        hung = EngineHung(f"The {self.name} worker was not ready after {self._load_seconds:g} s.")
        try:
            await self._process.start()
            self._process.write(self._load)
            async with asyncio.timeout(self._load_seconds):
                facts = self._facts(await self._loaded.get())
        except BaseException as error:
            self.kill(hung if isinstance(error, TimeoutError) else None)
            await self.exited()
            if isinstance(error, TimeoutError):
                raise hung from None
            raise
        self._beat()
        return facts

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """End in order, or by force after `grace_seconds`; the exit status, once the process is gone."""
        return await self._process.stop(grace_seconds)

    def kill(self, cause: EngineError | None = None) -> None:
        """End by force, now; `cause` is what everybody who waits will get."""
        self._process.kill(cause or WorkerDied(f"The {self.name} worker was killed."))

    async def exited(self) -> int:
        """Wait until the process is gone; its exit status, negative for the signal that ended it."""
        return await self._process.exited()

    def running(self) -> bool:
        """Whether it can be asked anything."""
        return self._process.usable()

    def death(self) -> EngineError:
        """Why it cannot."""
        return self._process.cause()

    @property
    def pid(self) -> int:
        """The number of the process and of its group; 0 before it is started."""
        return self._process.pid

    # --- asking -----------------------------------------------------------------------------------------------------

    async def stream(
        self, body: Struct, results: Decoder[R], *, deadline_seconds: float, generation: int = 0
    ) -> AsyncGenerator[R, None]:
        """Ask, and yield the results as they come. Close the iterator (`aclosing`) to cancel.

        Raises EngineFailed (it raised), EngineHung (no result for `deadline_seconds`, the wait behind other requests
        included, and that in a pause; the process is killed), WorkerDied.
        """
        number = self._last_id = self._last_id + 1
        self._ask(wire.Request(number, generation, wire.encode_body(body)))
        answers = self._answers[number] = _Answers(self._loop, deadline_seconds, self._be_late)
        try:
            while (result := await self._next(answers)) is not None:
                yield self.decode(results, result.body)
        finally:
            await self._release(number, answers)

    async def ask(self, body: Struct, results: Decoder[R], *, deadline_seconds: float, generation: int = 0) -> list[R]:
        """All results of one request; raises as `stream` does."""
        stream = self.stream(body, results, deadline_seconds=deadline_seconds, generation=generation)
        async with aclosing(stream):
            return [result async for result in stream]

    def send(self, body: Struct, generation: int = 0) -> None:
        """Tell it something; never waits, and no answer comes. Raises the worker's death."""
        self._ask(wire.Request(wire.ONE_WAY, generation, wire.encode_body(body)))

    def _ask(self, request: wire.Request) -> None:
        if not self.running():
            raise self.death()
        self._process.write(request)

    async def _next(self, answers: _Answers) -> wire.Result | None:
        """The next result, or None if there are no more."""
        match await answers.get():
            case wire.Result() as result:
                return result
            case wire.Done(cancelled=True):  # it was stopped: who cancels does not ask for more
                raise self.death()
            case wire.Done():
                return None
            case wire.Failed(error=error):
                raise EngineFailed(f"The {self.name} engine failed: {error}.")
            case EngineError():
                raise self.death()

    def _be_late(self, deadline_seconds: float) -> None:
        """Who waits for the result gets the death of the process, once it is gone."""
        self.kill(EngineHung(f"The {self.name} worker gave no result for {deadline_seconds:g} s."))

    async def _release(self, number: int, answers: _Answers) -> None:
        """Cancel the request if it is not over, and wait until the engine is free or the process gone.

        Who is cancelled while waiting goes on waiting: a lease may only be given back when the engine has really
        stopped. It does not take long, for the process is killed if it does.
        """
        alarm: _Alarm | None = None
        if not answers.over.is_set() and self.running():
            self._process.write(wire.Cancel(number))
            hung = EngineHung(f"The {self.name} engine did not stop within {CANCEL_SECONDS * 1000:.0f} ms.")
            alarm = _Alarm(CANCEL_SECONDS, lambda: self.kill(hung))
        cancelled: asyncio.CancelledError | None = None
        while not answers.over.is_set():
            try:
                await answers.over.wait()
            except asyncio.CancelledError as error:
                cancelled = error
        if alarm:
            alarm.call_off()
        del self._answers[number]
        if cancelled:
            raise cancelled

    # --- pausing ----------------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """Have the engine stand still, with what it was asked half done or not begun; returns when it does.

        Only results that are on their way already may still come. Whoever waits for one meanwhile keeps its deadline.
        Raises WorkerDied: also if the engine does not stand still within `PAUSE_SECONDS`, which ends the process.
        """
        if not self.running():
            raise self.death()
        if self._standstill is None:
            self._standstill = self._loop.create_future()
            self._pauses += 1
            self._process.write(wire.Pause(self._pauses))
            stubborn = WorkerDied(f"The {self.name} engine did not stand still within {PAUSE_SECONDS:g} s.")
            alarm = _Alarm(PAUSE_SECONDS, lambda: self.kill(stubborn))
            self._standstill.add_done_callback(lambda _: alarm.call_off())
        await asyncio.shield(self._standstill)
        if not self.running():
            raise self.death()

    def resume(self) -> None:
        """Let the engine go on; without a pause before it, nothing."""
        if self._standstill:
            self._end_wait()
            self._standstill = None
            self._process.write(wire.Resume())

    def _paused(self, number: int) -> None:
        if number == self._pauses:
            self._end_wait()

    def _end_wait(self) -> None:
        if self._standstill and not self._standstill.done():
            self._standstill.set_result(None)

    # --- hearing ----------------------------------------------------------------------------------------------------

    def _received(self, message: wire.FromChild) -> None:
        match message:
            case wire.Result() | wire.Done() | wire.Failed():
                self._answered(message)
            case wire.Ready() | wire.LoadFailed():
                self._loaded.put_nowait(message)
            case wire.Note():
                if self._noted:
                    self._noted(message.body)
            case wire.Paused():
                self._paused(message.number)
            case wire.Pong():
                self._owes_pong = False

    def _answered(self, answer: wire.Result | wire.Done | wire.Failed) -> None:
        """Pass it to who asked; what comes for a request that is over is dropped."""
        if answer.id in self._answers:
            self._answers[answer.id].put(answer)
        elif isinstance(answer, wire.Failed) and answer.id == wire.ONE_WAY:
            self.kill(WorkerDied(f"The {self.name} engine failed: {answer.error}."))

    def _ended(self, cause: EngineError) -> None:
        if self._tell_end:
            self._tell_end(cause)
        self._loaded.put_nowait(cause)
        for answers in self._answers.values():
            answers.put(cause)
        self._end_wait()

    def _beat(self) -> None:
        """See that the engine is not stuck, and look again after a while."""
        if not self._beat_seconds or not self.running():
            return
        if self._owes_pong:
            self.kill(EngineHung(f"The {self.name} worker gave no sign of life for {self._beat_seconds:g} s."))
            return
        self._owes_pong = True
        self._process.write(wire.Ping())
        self._loop.call_later(self._beat_seconds, self._beat)

    def _facts(self, answer: wire.Ready | wire.LoadFailed | EngineError) -> Facts:
        match answer:
            case wire.Ready():
                return self.decode(_FACTS, answer.facts)
            case wire.LoadFailed():
                raise _load_error(self.name, answer)
            case EngineError():
                raise self.death()

    def decode(self, decoder: Decoder[R], body: Raw) -> R:
        """What a body holds; a worker that sends anything else is killed, and its death raised."""
        try:
            return decoder.decode(body)
        except msgspec.MsgspecError:
            self.kill(WorkerDied(f"The {self.name} worker sent garbage: a body that was not asked for."))
            raise self.death() from None


class _Alarm:
    """Rings unless it is called off in time. A loop that was held up has not looked at what came: it begins anew."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._ring = ring
        self._timer = self._loop.call_later(seconds, self._look)

    def call_off(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._loop.time() - self._timer.when() > _HELD_UP_SECONDS:
            self._timer = self._loop.call_later(self._seconds, self._look)
        else:
            self._ring()


class _Answers:
    """What has come for one request and is not taken yet; for one reader.

    An `asyncio.Queue` under an `asyncio.timeout` takes the daemon twice as long for results that come close together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline_seconds: float, late: Callable[[float], None]) -> None:
        self._loop = loop
        self._deadline_seconds = deadline_seconds
        self._late = late
        self._came: deque[_Answer] = deque()
        self._more: asyncio.Future[None] | None = None
        self.over = asyncio.Event()
        """No more will come: the engine is done with it, or dead."""

    def put(self, answer: _Answer) -> None:
        self._came.append(answer)
        if not isinstance(answer, wire.Result):
            self.over.set()
        if self._more and not self._more.done():
            self._more.set_result(None)

    async def get(self) -> _Answer:
        """The next; `late` is called if none comes before the deadline, and must see to it that one does."""
        if not self._came:
            self._more = self._loop.create_future()
            alarm = self._loop.call_later(self._deadline_seconds, self._late, self._deadline_seconds)
            try:
                await self._more
            finally:
                alarm.cancel()
        return self._came.popleft()


def _load_error(name: str, failed: wire.LoadFailed) -> ParleyError:
    match failed.fault:
        case "missing_model":
            return ModelMissing(failed.error)
        case "device":
            return DeviceError(failed.error)
        case "out_of_memory":
            return OutOfMemory(f"The {name} model does not fit into memory: {failed.error}.")
        case "failed":
            return EngineFailed(f"The {name} engine could not be loaded: {failed.error}.")
