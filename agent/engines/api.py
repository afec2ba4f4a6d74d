"""What an engine is: the worker's side as one Protocol, and what the daemon asks of each organ.

The structs are both the arguments of the daemon's side and the bodies on the wire; sound is 16 kHz mono int16,
little endian, as bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from agent.policy.history import Message

SAMPLE_RATE = 16_000
"""Hertz, everywhere inside Parley."""


# --- the worker's side ----------------------------------------------------------------------------------------------


class Facts(Struct, frozen=True):
    """What an engine says of itself once it is loaded."""

    engine: str
    """For a person: name, model file, where it runs; and why this one if it was chosen by itself."""
    vram_mib: int = 0
    """GPU memory in use by the model; 0 on the CPU."""
    heavy: bool = False
    """True if it should not run beside another heavy model; `heavy = "auto"` follows it."""


class Engine(Protocol):
    """Lives in a worker process; every method is called by one and the same thread of it."""

    requests: ClassVar[Any]
    """The type (a union of tagged structs) that `handle` takes."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take the engine's settings section as a plain dict; import nothing heavy yet."""
        ...

    def load(self, send: Callable[[Struct], None]) -> Facts:
        """Load the model. `send` passes a note to the parent at any later time, from any thread.

        Raises ModelMissing if there is no model, OutOfMemory (or what its library raises then) if it does not fit into
        memory; any other exception is a failed load.
        """
        ...

    def handle(self, request: Any, cancelled: Callable[[], bool]) -> Iterator[Struct]:
        """Do what is asked, one result at a time.

        Closed between results when cancelled; a long step between two results asks `cancelled()` and returns early.
        Between two results, and in `cancelled()`, a pause holds the caller: nothing may be at work then.
        """
        ...

    def close(self) -> None:
        """Free what the end of the process would not."""
        ...


# --- ear ------------------------------------------------------------------------------------------------------------


class Frame(Struct, frozen=True, tag="frame"):
    """A piece of microphone sound (512 samples, 32 ms, unless it is the last)."""

    position: int
    """Index of the first sample since the microphone was opened."""
    samples: bytes
    captured_at: float
    """Moment of the last sample: `Seconds` in the daemon, the machine's monotonic clock on the wire."""


class VoiceBegan(Struct, frozen=True, tag="voice_began"):
    """Ear to daemon: the user speaks. `samples` is the segment so far, with about 0.4 s of pre-roll."""

    segment: int
    samples: bytes


class VoiceContinued(Struct, frozen=True, tag="voice_continued"):
    """Ear to daemon: more samples of the open segment."""

    segment: int
    samples: bytes


class VoicePaused(Struct, frozen=True, tag="voice_paused"):
    """Ear to daemon: the earliest sign of a pause (about 0.1 s of silence); it may be taken back by going on."""

    segment: int
    silence_seconds: float


class SegmentEnded(Struct, frozen=True, tag="segment_ended"):
    """Ear to daemon: the soft end, with the whole segment."""

    segment: int
    samples: bytes
    voiced_seconds: float
    """How much of it was voice, by the voice activity detector."""
    silence_seconds: float
    """Silence between the last voiced sample and the end."""
    speech_ended_at: float
    """Moment of the last voiced sample, in the clock of `Frame.captured_at`."""


EarNote = VoiceBegan | VoiceContinued | VoicePaused | SegmentEnded


class Ear(Protocol):
    """Finds speech in a stream of frames. Daemon's side."""

    async def ready(self) -> None:
        """Wait until it hears."""
        ...

    def feed(self, frame: Frame) -> None:
        """Pass a frame on; never waits."""
        ...

    def notes(self) -> AsyncGenerator[EarNote, None]:
        """What it finds. Raises WorkerDied when the process ends."""
        ...


# --- speech to text -------------------------------------------------------------------------------------------------


class Hear(Struct, frozen=True, tag="hear"):
    """More samples of an open segment, decoded while the user speaks; results are `Partial`s."""

    segment: int
    samples: bytes


class Transcribe(Struct, frozen=True, tag="transcribe"):
    """The whole segment; what was given by `Hear` before is not decoded again. One `Transcript` results."""

    segment: int
    samples: bytes


SttRequest = Hear | Transcribe


class Partial(Struct, frozen=True, tag="partial"):
    """The words so far; sent only when they changed."""

    segment: int
    text: str


class Transcript(Struct, frozen=True, tag="transcript"):
    """The words of a segment, and the figures that say whether there was speech at all."""

    segment: int
    text: str
    confidence: float
    """0 to 1; the engine's own figure, mapped."""
    no_speech: float = 0.0
    """Probability that it was no speech, where the engine gives one."""
    compression: float = 1.0
    """How repetitive the text is (Whisper's ratio), where the engine gives it."""


SttResult = Partial | Transcript


class SpeechToText(Protocol):
    """Daemon's side; used under a lease."""

    async def hear(self, segment: int, samples: bytes) -> str | None:
        """Decode more of the segment; the words so far if they changed. Raises EngineError."""
        ...

    async def transcribe(self, segment: int, samples: bytes) -> Transcript:
        """The words of the whole segment. Raises EngineError."""
        ...


# --- mind -----------------------------------------------------------------------------------------------------------


class Reply(Struct, frozen=True, tag="reply"):
    """Answer these messages: system first, then the conversation, the user's (or the occasion) last."""

    messages: Sequence[Message]
    begun: str = ""
    """The reply's own words that came before, exactly as they came in pieces: go on from there."""


class PromptRead(Struct, frozen=True, tag="prompt_read"):
    """First result: the prompt is in the model's memory."""

    prompt_tokens: int
    reused_tokens: int
    """How many of them had been there from the turn before."""
    dropped_messages: int = 0
    """How many of the oldest messages did not fit the context."""


class Piece(Struct, frozen=True, tag="piece"):
    """Some more characters of the reply."""

    text: str


MindResult = PromptRead | Piece


class Mind(Protocol):
    """Daemon's side; used under a lease."""

    def reply(self, messages: Sequence[Message], begun: str = "") -> AsyncGenerator[MindResult, None]:
        """Stream a reply, after its words `begun`; closing the iterator cancels it. Raises EngineError."""
        ...


# --- voice ----------------------------------------------------------------------------------------------------------


class Speak(Struct, frozen=True, tag="speak"):
    """Say one sentence."""

    text: str
    voice: str = ""
    """A name the engine knows; empty for its default."""
    speed: float = 1.0
    """1 is normal."""


class Sound(Struct, frozen=True, tag="sound"):
    """Some samples of it."""

    samples: bytes


class Voice(Protocol):
    """Daemon's side; used under a lease."""

    def speak(self, request: Speak) -> AsyncGenerator[bytes, None]:
        """Stream the samples of one sentence; closing the iterator cancels. Raises EngineError."""
        ...
