"""The daemon's models, each over a worker process: they speak the Protocols that the routines know.

`load`, `evict`, `pause` and `resume` are the scheduler's. Each load is a fresh process, and a process that ends unasked
is told to `on_died` before anyone who waits for a result hears of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec.msgpack import Decoder

from agent.engines.api import Facts, Hear, MindResult, Partial, Reply, Sound, Speak, Transcribe, Transcript
from agent.engines.catalog import Choice
from agent.errors import EngineError, EngineFailed, WorkerDied
from agent.footprints import model_key
from agent.policy.history import Message
from agent.policy.lease_terms import Form
from agent.workers.host import Worker

EVICT_SECONDS: Final = 0.25
"""For a process to end in order. It has nothing to save, and others wait for its memory."""
_MIND_RESULTS: Final[Decoder[MindResult]] = Decoder(MindResult)
_SOUNDS: Final = Decoder(Sound)
_PARTIALS: Final = Decoder(Partial)
_TRANSCRIPTS: Final = Decoder(Transcript)


class ModelWorker:
    """A model that is loaded into a process of its own and evicted by ending it."""

    def __init__(
        self,
        name: str,
        choose: Callable[[Form], Choice],
        *,
        load_seconds: float,
        deadline_seconds: float,
        python: str = "",
        forms: tuple[Form, ...] = ("full",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`choose` is asked at each load; no result for `deadline_seconds`, and the process is ended.

        `python` is the interpreter (empty: ours); in the light form it is always ours, for that is what it needs.
        `environment` says in which memory models go.
        """
        self.name = name
        self.forms = forms
        self.on_died: Callable[[EngineError], None] | None = None
        """Called when the process ended without having been evicted; the model is not loaded any more."""
        self._choose = choose
        self._load_seconds = load_seconds
        self._deadline_seconds = deadline_seconds
        self._python = python
        self._environment = environment or {}
        self._worker: Worker | None = None
        self._ready = False

    async def load(self, form: Form = "full") -> Facts:
        """Load the model into a fresh process.

        Raises ModelMissing, OutOfMemory (in a smaller form it may fit), EngineFailed, EngineHung, WorkerDied.
        """
        await self.evict()
        choice = self._choose(form)
        worker: Worker = Worker(
            self.name,
            choice.factory,
            choice.settings,
            load_seconds=self._load_seconds,
            python="" if form == "light" else self._python,
            environment=self._environment,
            ended=lambda cause: self._ended(worker, cause),
        )
        self._worker, self._ready = worker, False
        facts = await worker.start()
        self._ready = True
        if not choice.why:
            return facts
        return msgspec.structs.replace(facts, engine=f"{facts.engine} ({choice.why})")

    async def evict(self) -> None:
        """End the process, by force after 250 ms; its memory is free when this returns.

        While it loads, that is at once, and `load` raises WorkerDied.
        """
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if not self._ready:  # loading cannot be interrupted
            worker.kill()
        await worker.stop(EVICT_SECONDS)

    async def pause(self) -> None:
        """Have it stand still between two results. Raises WorkerDied, also if it does not do so within 2 s."""
        await self._running().pause()

    def resume(self) -> None:
        """Let it go on; harmless if it runs or is gone."""
        if self._worker:
            self._worker.resume()

    def key(self, form: Form) -> str:
        """What its footprint in this form is remembered by. Raises ModelMissing."""
        return model_key(self._choose(form), form)

    @property
    def loaded(self) -> bool:
        """Whether it can be asked."""
        return self._ready and self._worker is not None and self._worker.running()

    @property
    def pid(self) -> int:
        """The number of the process, 0 if there is none; for measuring what it takes."""
        return self._worker.pid if self._worker else 0

    def _running(self) -> Worker:
        if self._worker is None or not self._ready:
            raise WorkerDied(f"The {self.name} model is not loaded.")
        return self._worker

    def _ended(self, worker: Worker, cause: EngineError) -> None:
        if worker is not self._worker:  # it was evicted
            return
        self._worker = None
        if self._ready and self.on_died:  # else `load` raises it
            self.on_died(cause)


class MindWorker(ModelWorker):
    """The language model, as a `Mind`."""

    def reply(self, messages: Sequence[Message], begun: str = "") -> AsyncGenerator[MindResult, None]:
        """Stream a reply, after its words `begun`; closing the iterator cancels it. Raises EngineError."""
        return self._running().stream(
            Reply(messages=messages, begun=begun), _MIND_RESULTS, deadline_seconds=self._deadline_seconds
        )


class VoiceWorker(ModelWorker):
    """Text to speech, as a `Voice`."""

    async def speak(self, request: Speak) -> AsyncGenerator[bytes, None]:
        """Stream the samples of one sentence; closing the iterator cancels. Raises EngineError."""
        sounds = self._running().stream(request, _SOUNDS, deadline_seconds=self._deadline_seconds)
        async with aclosing(sounds):
            async for sound in sounds:
                yield sound.samples


class SttWorker(ModelWorker):
    """Speech to text, as a `SpeechToText`."""

    async def hear(self, segment: int, samples: bytes) -> str | None:
        """Decode more of the segment; the words so far if they changed. Raises EngineError."""
        partials = await self._running().ask(
            Hear(segment=segment, samples=samples),
            _PARTIALS,
            deadline_seconds=self._deadline_seconds,
            generation=segment,
        )
        return partials[-1].text if partials else None

    async def transcribe(self, segment: int, samples: bytes) -> Transcript:
        """The words of the whole segment. Raises EngineError."""
        transcripts = await self._running().ask(
            Transcribe(segment=segment, samples=samples),
            _TRANSCRIPTS,
            deadline_seconds=self._deadline_seconds,
            generation=segment,
        )
        if len(transcripts) != 1:
            raise EngineFailed(f"The {self.name} engine gave {len(transcripts)} transcripts where one was asked for.")
        return transcripts[0]
