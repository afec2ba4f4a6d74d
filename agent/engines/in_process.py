"""The scripted engines as organs of the daemon, without a process: for virtual time.

They behave as `workers/models.py` and `workers/lasting.py` do, the faults included: one request at a time, a deadline
for each result, 250 ms to heed a cancel, 2 s a pause, and death told to `on_died` before anyone who waits hears of it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from agent.engines.api import (
    EarNote,
    Facts,
    Frame,
    Hear,
    MindResult,
    Partial,
    Reply,
    Speak,
    SttRequest,
    Transcribe,
    Transcript,
)
from agent.engines.scripted import How, Script, Segmenter, mind_results, stt_results, voice_results
from agent.errors import EngineError, EngineFailed, EngineHung, ModelMissing, OutOfMemory, WorkerDied
from agent.policy.history import Message
from agent.policy.lease_terms import Form

T = TypeVar("T")

_CANCEL_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 2.0
_PIDS: Final = itertools.count(100_000)


class ScriptedModel:
    """What mind, voice and stt have in common."""

    def __init__(self, name: str, script: Script | None = None, *, deadline_seconds: float = 10.0) -> None:
        """`deadline_seconds` is how long a hanging call or load lasts."""
        self.name = name
        self.on_died: Callable[[EngineError], None] | None = None
        """Called when it died without having been evicted."""
        self.forms: tuple[Form, ...] = ("full",)
        """As what it can be loaded."""
        self.loaded = False
        self.loads = 0
        """How often it was loaded."""
        self._pid = 0
        self.form: Form = "full"
        """As what it was loaded last."""
        self._script = script or Script()
        self._deadline_seconds = deadline_seconds
        self._calls = itertools.count(1)
        self._owner = asyncio.Lock()
        self._gone = asyncio.Event()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._hanging = False
        self._cause: EngineError = WorkerDied(f"The {name} model is not loaded.")

    async def load(self, form: Form = "full") -> Facts:
        """Be ready after a while. Raises ModelMissing, OutOfMemory, EngineFailed, EngineHung, WorkerDied."""
        await self.evict()
        self._gone = asyncio.Event()
        self._resumed.set()
        await self._pause(self._script.load_seconds)
        if how := self._script.fault(0, 0):
            if how in {"hang", "seize", "freeze"}:
                await self._pause(self._deadline_seconds)
            if how == "missing":
                raise ModelMissing("The script says that there is no model.")
            raise self._error(how)
        if form not in self._script.fits:
            raise self._error("out_of_memory")
        self.loaded = True
        self.loads += 1
        self._pid = next(_PIDS)
        self.form = form
        return self._facts(form)

    def _facts(self, form: Form) -> Facts:
        heavy = self._script.heavy and form != "light"
        return Facts(engine="scripted", vram_mib=self.footprint_mib, heavy=heavy)

    @property
    def footprint_mib(self) -> int:
        """What it takes as it was loaded last."""
        return {"full": self._script.vram_mib, "smaller": self._script.vram_mib // 2, "light": 0}[self.form]

    async def evict(self) -> None:
        """Be gone; who is loading it or waits for a result gets WorkerDied."""
        self._end(WorkerDied(f"The {self.name} worker was stopped."))

    async def pause(self) -> None:
        """Give no result until resumed. Raises WorkerDied, after a while if it hangs."""
        if self.loaded and self._hanging:
            await asyncio.sleep(_PAUSE_SECONDS)
            self.die(WorkerDied(f"The {self.name} engine did not stand still, as the script says."))
        if not self.loaded:
            raise self._death()
        self._resumed.clear()

    def resume(self) -> None:
        """Go on; harmless if it runs or is gone."""
        self._resumed.set()

    def key(self, form: Form) -> str:
        """What its footprint in this form is remembered by."""
        return f"{self.name} {form}"

    @property
    def pid(self) -> int:
        """A number that stands for the process, another at each load; 0 if there is none."""
        return self._pid if self.loaded else 0

    def die(self, cause: EngineError | None = None) -> None:
        """Die unasked, as a process may at any moment."""
        if not self.loaded:
            return
        cause = cause or self._error("kill")
        self._end(cause)
        if self.on_died:
            self.on_died(cause)

    async def stream(self, results: Iterable[T]) -> AsyncGenerator[T, None]:
        """Give the results of the next call, with its faults."""
        async with self._owner:
            if not self.loaded:
                raise self._death()
            call = next(self._calls)
            given = 0
            for given, result in enumerate(results, 1):
                await self._suffer(self._script.fault(call, given - 1))
                await self._pause(self._script.delay_seconds)
                await self._stand_still()
                yield result
            await self._suffer(self._script.fault(call, given))

    async def _suffer(self, how: How | None) -> None:
        if how is None:
            return
        if how in {"raise", "missing", "out_of_memory"}:
            raise self._error("raise")
        if how in {"hang", "seize", "freeze"}:
            await self._hang()
        self.die(self._error(how))
        raise self._death()

    async def _hang(self) -> None:
        self._hanging = True
        try:
            await self._pause(self._deadline_seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(_CANCEL_SECONDS)
            self.die(self._error("hang"))
            raise
        finally:
            self._hanging = False

    async def _stand_still(self) -> None:
        """While paused. Raises the death that comes meanwhile."""
        await self._resumed.wait()
        if self._gone.is_set():
            raise self._death()

    async def _pause(self, seconds: float) -> None:
        """Let time pass. Raises the death that comes meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return
        raise self._death()

    def _end(self, cause: EngineError) -> None:
        self.loaded = False
        self._cause = cause
        self._gone.set()
        self._resumed.set()

    def _death(self) -> EngineError:
        return type(self._cause)(*self._cause.args)

    def _error(self, how: How) -> EngineError:
        match how:
            case "raise":
                return EngineFailed(f"The {self.name} engine failed, as the script says.")
            case "out_of_memory":
                return OutOfMemory(f"The {self.name} model does not fit into memory, as the script says.")
            case "hang" | "seize" | "freeze":
                return EngineHung(f"The {self.name} worker gave no result, as the script says.")
            case _:
                return WorkerDied(f"The {self.name} worker ended by itself, as the script says ({how}).")


class ScriptedMind(ScriptedModel):
    """A `Mind`."""

    def __init__(self, script: Script | None = None, *, deadline_seconds: float = 10.0) -> None:
        """Not loaded yet."""
        super().__init__("mind", script, deadline_seconds=deadline_seconds)
        self.asked: list[Sequence[Message]] = []
        """Every prompt, in order."""
        self.begun: list[str] = []
        """With each of them, what of the reply was said already."""

    async def reply(self, messages: Sequence[Message], begun: str = "") -> AsyncGenerator[MindResult, None]:
        """Stream the script's next answer, or the rest of the one that was begun."""
        self.asked.append(messages)
        self.begun.append(begun)
        text = self._script.answer(max(self.begun.count(""), 1))
        async with aclosing(self.stream(mind_results(text, Reply(messages=messages, begun=begun)))) as results:
            async for result in results:
                yield result


class ScriptedVoice(ScriptedModel):
    """A `Voice`."""

    def __init__(self, script: Script | None = None, *, deadline_seconds: float = 10.0) -> None:
        """Not loaded yet."""
        super().__init__("voice", script, deadline_seconds=deadline_seconds)
        self.asked: list[Speak] = []
        """Everything that was to be said, in order."""

    async def speak(self, request: Speak) -> AsyncGenerator[bytes, None]:
        """Stream a tone as long as the text."""
        self.asked.append(request)
        async with aclosing(self.stream(voice_results(request))) as sounds:
            async for sound in sounds:
                yield sound.samples


class ScriptedStt(ScriptedModel):
    """A `SpeechToText`."""

    def __init__(self, script: Script | None = None, *, deadline_seconds: float = 10.0) -> None:
        """Not loaded yet."""
        super().__init__("stt", script, deadline_seconds=deadline_seconds)
        self.asked: list[Transcribe] = []
        """Every whole segment, in order."""

    async def hear(self, segment: int, samples: bytes) -> str | None:
        """Take more of the segment; the script has no partial texts."""
        partials = await self._results(Hear(segment=segment, samples=samples), "")
        return next((result.text for result in partials if isinstance(result, Partial)), None)

    async def transcribe(self, segment: int, samples: bytes) -> Transcript:
        """Give the script's next answer."""
        request = Transcribe(segment=segment, samples=samples)
        self.asked.append(request)
        results = await self._results(request, self._script.answer(len(self.asked)))
        return next(result for result in results if isinstance(result, Transcript))

    async def _results(self, request: SttRequest, text: str) -> list[Partial | Transcript]:
        async with aclosing(self.stream(stt_results(text, request))) as results:
            return [result async for result in results]


class ScriptedEar:
    """An `Ear` that hears loudness."""

    def __init__(self, segmenter: Segmenter | None = None) -> None:
        """`segmenter` decides what is voice."""
        self._segmenter = segmenter or Segmenter()
        self._notes: deque[EarNote] = deque()
        self._noted = asyncio.Event()
        self._cause: EngineError | None = None

    async def ready(self) -> None:
        """It hears at once."""

    def feed(self, frame: Frame) -> None:
        """Take a frame."""
        if self._cause is None:
            self._notes.extend(self._segmenter.feed(frame))
            self._noted.set()

    def tell(self, note: EarNote) -> None:
        """Note something that no frame has caused."""
        self._notes.append(note)
        self._noted.set()

    def die(self, cause: EngineError | None = None) -> None:
        """Die, as a process may at any moment."""
        self._cause = cause or WorkerDied("The ear worker ended by itself, as the script says.")
        self._noted.set()

    async def notes(self) -> AsyncGenerator[EarNote, None]:
        """What it finds. Raises the cause of its death."""
        while True:
            while self._notes:
                yield self._notes.popleft()
            if self._cause:
                raise type(self._cause)(*self._cause.args)
            self._noted.clear()
            await self._noted.wait()
