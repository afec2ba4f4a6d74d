"""Engines that do what a script says, and nothing else: deterministic, without a model, and able to fail on purpose.

They ship with Parley, because every fault that a real engine can have must be seen in the whole companion. Here are
the worker's side, to be run in a real process, and what both sides share; `in_process.py` has the daemon's side for
virtual time.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import re
import signal
import subprocess
import sys
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Literal

import msgspec
from msgspec import Struct
from typing_extensions import override

from agent.engines.api import (
    SAMPLE_RATE,
    EarNote,
    Engine,
    Facts,
    Frame,
    Hear,
    MindResult,
    Piece,
    PromptRead,
    Reply,
    SegmentEnded,
    Sound,
    Speak,
    SttRequest,
    SttResult,
    Transcript,
    VoiceBegan,
    VoiceContinued,
    VoicePaused,
)
from agent.errors import ModelMissing, OutOfMemory
from agent.policy.lease_terms import Form

_SAMPLE_BYTES: Final = 2
_CHUNK_SAMPLES: Final = SAMPLE_RATE // 10
_SAMPLES_PER_LETTER: Final = SAMPLE_RATE * 6 // 100
"""About the pace of speech."""
_TONE_HERTZ: Final = 200
_TONE_HEIGHT: Final = 8000
_LOOK_SECONDS: Final = 0.005


# --- the script -----------------------------------------------------------------------------------------------------

How = Literal["raise", "missing", "out_of_memory", "hang", "seize", "exit", "kill", "freeze", "garbage", "nonsense"]
"""raise: an exception; missing: ModelMissing; out_of_memory: OutOfMemory; hang: neither answer nor heed a cancel;
seize: the same in native code that holds the interpreter's lock, so that no other thread runs either; exit: end with
status 0; kill: end by SIGKILL; freeze: SIGSTOP; garbage: bytes that are no frame; nonsense: a result that was not asked
for.
"""


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that goes wrong at a certain moment."""

    how: How
    call: int
    """The number of the request, from 1; 0 for loading; -1 for every request."""
    results: int = 0
    """After so many of its results."""


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """What an engine is to do."""

    answers: tuple[str, ...] = ("I see.",)
    """Replies, or transcripts, one a call; from the start again when they are used up."""
    load_seconds: float = 0.0
    delay_seconds: float = 0.0
    """Before each result."""
    faults: tuple[Fault, ...] = ()
    heavy: bool = False
    vram_mib: int = 0
    fits: tuple[Form, ...] = ("full", "smaller", "light")
    """As what it can be loaded without running out of memory; only for the engines without a process."""
    prints: str = ""
    """Written to standard output and error, past Python, while loading (as native libraries do)."""
    starts: tuple[str, ...] = ()
    """A program and its arguments, started while loading; its process id is in the facts."""

    def fault(self, call: int, results: int) -> How | None:
        """What goes wrong before the next result of this call."""
        for fault in self.faults:
            if fault.call in {call, -1 if call else 0} and fault.results == results:
                return fault.how
        return None

    def answer(self, call: int) -> str:
        """The text for this call; the first is 1."""
        return self.answers[(call - 1) % len(self.answers)] if self.answers else ""


def mind_results(text: str, request: Reply) -> Iterator[MindResult]:
    """A reply, or the rest of it, word by word. Every word counts as a token, and only those that came last as new."""
    words = [len(text.split()) for text in (*(message.content for message in request.messages), request.begun)]
    yield PromptRead(prompt_tokens=sum(words), reused_tokens=sum(words[:-2]))
    rest = " ".join(text.split()).removeprefix(request.begun)
    yield from map(Piece, re.findall(r"\s*\S+", rest))


def stt_results(text: str, request: SttRequest) -> Iterator[SttResult]:
    """The text for a whole segment; nothing new while it is open."""
    if isinstance(request, Hear):
        yield from ()
    else:
        yield Transcript(segment=request.segment, text=text, confidence=1.0)


def voice_results(request: Speak) -> Iterator[Sound]:
    """A tone as long as the text would take, in pieces of 0.1 s."""
    length = round(len(request.text) * _SAMPLES_PER_LETTER / request.speed)
    for start in range(0, length, _CHUNK_SAMPLES):
        positions = range(start, min(start + _CHUNK_SAMPLES, length))
        wave = (round(_TONE_HEIGHT * math.sin(math.tau * _TONE_HERTZ * at / SAMPLE_RATE)) for at in positions)
        yield Sound(array("h", wave).tobytes())


class Segmenter:
    """Voice is what is louder than a threshold; otherwise it cuts as the real ear does."""

    def __init__(self, threshold: int = 500, soft_end_seconds: float = 0.2, pre_roll_seconds: float = 0.4) -> None:
        """`threshold` is an amplitude of int16."""
        self._threshold = threshold
        self._soft_end_seconds = soft_end_seconds
        self._pause_seconds = soft_end_seconds / 2
        self._pre_roll_bytes = round(pre_roll_seconds * SAMPLE_RATE) * _SAMPLE_BYTES
        self._before: deque[bytes] = deque()
        self._samples = bytearray()
        self._segment = 0
        self._open = False
        self._paused = False
        self._voiced_seconds = 0.0
        self._silence_seconds = 0.0
        self._voiced_at = 0.0

    def feed(self, frame: Frame) -> Iterator[EarNote]:
        """What the frame makes known."""
        loud = max(map(abs, array("h", frame.samples)), default=0) > self._threshold
        if loud:
            self._voiced_at = frame.captured_at
        if self._open:
            yield from self._continue(frame, loud=loud)
        elif loud:
            yield self._begin(frame)
        else:
            self._remember(frame.samples)

    def _begin(self, frame: Frame) -> VoiceBegan:
        self._open, self._paused = True, False
        self._segment += 1
        self._samples = bytearray(b"".join(self._before) + frame.samples)
        self._before.clear()
        self._voiced_seconds, self._silence_seconds = _seconds(frame.samples), 0.0
        return VoiceBegan(self._segment, bytes(self._samples))

    def _continue(self, frame: Frame, *, loud: bool) -> Iterator[EarNote]:
        self._samples += frame.samples
        yield VoiceContinued(self._segment, frame.samples)
        if loud:
            self._voiced_seconds += self._silence_seconds + _seconds(frame.samples)
            self._silence_seconds, self._paused = 0.0, False
            return
        self._silence_seconds += _seconds(frame.samples)
        if self._silence_seconds >= self._pause_seconds and not self._paused:
            self._paused = True
            yield VoicePaused(self._segment, self._silence_seconds)
        if self._silence_seconds >= self._soft_end_seconds:
            self._open = False
            yield SegmentEnded(
                self._segment, bytes(self._samples), self._voiced_seconds, self._silence_seconds, self._voiced_at
            )

    def _remember(self, samples: bytes) -> None:
        self._before.append(samples)
        while sum(map(len, self._before)) > self._pre_roll_bytes:
            self._before.popleft()


def _seconds(samples: bytes) -> float:
    return len(samples) / _SAMPLE_BYTES / SAMPLE_RATE


# --- the worker's side ----------------------------------------------------------------------------------------------


class _ScriptedEngine:
    """Calls are counted, results delayed and faults had as the script says."""

    requests: ClassVar[Any]

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings` is a `Script`."""
        self._script = msgspec.convert(settings, Script)
        self._calls = itertools.count(1)

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # the ear has something to send
        """Be ready after a while, or fail."""
        for descriptor in (1, 2):
            os.write(descriptor, self._script.prints.encode())
        started = f" started {subprocess.Popen(self._script.starts).pid}" if self._script.starts else ""
        _pause(self._script.load_seconds, _never)
        for _nonsense in _suffer(self._script.fault(0, 0)):
            pass
        return Facts(engine=f"scripted{started}", vram_mib=self._script.vram_mib, heavy=self._script.heavy)

    def handle(self, request: Any, cancelled: Callable[[], bool]) -> Iterator[Struct]:
        """Give the results of the call one by one, with whatever goes wrong between them."""
        call = next(self._calls)
        given = 0
        for given, result in enumerate(self._results(call, request), 1):
            yield from _suffer(self._script.fault(call, given - 1))
            _pause(self._script.delay_seconds, cancelled)
            yield result
        yield from _suffer(self._script.fault(call, given))

    def close(self) -> None:
        """Leave everything to the end of the process."""

    def _results(self, call: int, request: Any) -> Iterator[Struct]:
        raise NotImplementedError


class MindEngine(_ScriptedEngine, Engine):
    """Answers with the script's texts; a reply that was begun goes on with the text before."""

    requests: ClassVar[Any] = Reply

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings` is a `Script`."""
        super().__init__(settings)
        self._replies = 0

    @override
    def _results(self, call: int, request: Reply) -> Iterator[MindResult]:
        self._replies += not request.begun
        return mind_results(self._script.answer(max(self._replies, 1)), request)


class SttEngine(_ScriptedEngine, Engine):
    """Understands the script's texts, whatever is said; only whole segments count as calls for them."""

    requests: ClassVar[Any] = SttRequest

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings` is a `Script`."""
        super().__init__(settings)
        self._transcripts = itertools.count(1)

    @override
    def _results(self, call: int, request: SttRequest) -> Iterator[SttResult]:
        text = "" if isinstance(request, Hear) else self._script.answer(next(self._transcripts))
        return stt_results(text, request)


class VoiceEngine(_ScriptedEngine, Engine):
    """Hums."""

    requests: ClassVar[Any] = Speak

    @override
    def _results(self, call: int, request: Speak) -> Iterator[Sound]:
        return voice_results(request)


class EarEngine(_ScriptedEngine, Engine):
    """Hears loudness."""

    requests: ClassVar[Any] = Frame

    @override
    def load(self, send: Callable[[Struct], None]) -> Facts:
        self._send = send
        self._segmenter = Segmenter()
        return super().load(send)

    @override
    def _results(self, call: int, request: Frame) -> Iterator[Struct]:
        for note in self._segmenter.feed(request):
            self._send(note)
        yield from ()


def _suffer(how: How | None) -> Iterator[Struct]:  # noqa: C901  # one line for each fault
    """Have the fault; only nonsense is something to send."""
    match how:
        case None:
            return
        case "raise":
            raise RuntimeError("as the script says")
        case "missing":
            raise ModelMissing("The script says that there is no model.")
        case "out_of_memory":
            raise OutOfMemory("The script says that there is no room.")
        case "hang":
            threading.Event().wait()
        case "seize":
            ctypes.PyDLL(None).sleep(3600)
        case "exit":
            os._exit(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()  # a moment passes until it takes effect
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()
        case "garbage":
            os.write(int(sys.argv[2]), b"\xff" * 64)  # the descriptor of the wire, see `workers/child.py`
        case "nonsense":
            yield Fault("nonsense", 0)


def _pause(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Take a while, but not when cancelled."""
    for _ in range(math.ceil(seconds / _LOOK_SECONDS)):
        if cancelled():
            return
        threading.Event().wait(_LOOK_SECONDS)


def _never() -> bool:
    return False
