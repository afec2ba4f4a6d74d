"""RealtimeSTT as the ear: it finds speech in the frames that it is fed, and never transcribes.

What it is spared, because an ear is left running for days (RealtimeSTT 1.1.2):

- It measures silence with the wall clock. A step of that clock, or a machine that catches up after a stall, would make
  it deaf or cut words apart. Here its modules read `_AudioTime`: seconds of sound, one chunk at a time.
- It checks onsets in a new thread for each chunk. Here that is done in place, so equal sound gives equal segments.
- Its threads poll: 100 times a second for sound, 50 times for a recording. Here the one blocks until there is sound,
  and the other does not exist: `text()` is called where a recording ends, in the recorder's own thread. So nothing
  waits for a transcript either, and segments that follow each other closely are told at once. It also ends a race in
  which a caller of `text()` could clear the first words of a recording that had just begun.
- It shows silero only part of the sound and has it forget in between, so that onsets are found late or not at all.
  See `_Detector`.
- `abort()` can block for ever or give an old text again. It is not called.

Only workers import this module; RealtimeSTT itself (which brings torch) is imported in `load`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent.engines.api import (
    SAMPLE_RATE,
    Facts,
    Frame,
    SegmentEnded,
    VoiceBegan,
    VoiceContinued,
    VoicePaused,
)
from agent.errors import EngineFailed, ModelMissing

CHUNK_SAMPLES: Final = 512
"""What silero takes at a time."""
CHUNK_SECONDS: Final = CHUNK_SAMPLES / SAMPLE_RATE
LONGEST_SEGMENT_SECONDS: Final = 30.0
"""A segment without a pause is cut here and goes on as the next one: as much as Whisper takes at once."""
STALL_SECONDS: Final = 0.5
"""No frames for so long (the microphone was closed), and an open segment is ended with silence."""
_BACKLOG_CHUNKS: Final = round(60 / CHUNK_SECONDS)
"""More sound than this waiting for the recorder means that it is stuck."""
_CATCH_UP_CHUNKS: Final = round(0.5 / CHUNK_SECONDS)
"""As much of what came before as silero needs to hear, to judge as if it had never slept."""
_WEBRTC_MODE: Final = 2
"""How strict the cheap detector in front of silero is, 0 to 3: at 3 some onsets are found 0.1 s later."""
_SILENT_CHUNK: Final = bytes(2 * CHUNK_SAMPLES)
_SILERO_FILE: Final = "silero_vad_op18_ifless.onnx"
_SILERO_BACKEND: Final = "raw_onnx_ifless"
_FULL_SCALE: Final = 32768.0


@dataclass(slots=True)
class _Chunk:
    """What the recorder takes at a time."""

    samples: bytes
    captured_at: float
    """Moment of the last sample."""
    voiced: bool = False
    """The detector's decision; no voice as long as there is none."""


class _AudioTime:
    """Stands where RealtimeSTT's modules have `time`: the seconds of sound that the recorder has taken."""

    def __init__(self) -> None:
        self._chunks = 1  # not 0, which the recorder takes for "never"

    def advance(self) -> None:
        """One more chunk."""
        self._chunks += 1

    def time(self) -> float:
        """Seconds of sound."""
        return self._chunks * CHUNK_SECONDS

    monotonic = time


class _InPlace:
    """Stands where RealtimeSTT starts a thread for each onset check: runs it at once."""

    def __init__(self, target: Callable[..., object], args: Iterable[Any]) -> None:
        self.start = partial(target, *args)


class _Feed:
    """Stands where the recorder has its queue of sound. What it gives is what the recorder hears, chunk for chunk."""

    def __init__(self, audio_time: _AudioTime, segment_is_open: Callable[[], bool]) -> None:
        self._queue: SimpleQueue[_Chunk | None] = SimpleQueue()
        self._audio_time = audio_time
        self._segment_is_open = segment_is_open
        self._stalled = False
        self.current = _Chunk(_SILENT_CHUNK, 0.0)
        """The chunk that the recorder has in hand."""

    def put(self, chunk: _Chunk) -> None:
        """Add sound. Raises EngineFailed if nobody takes it."""
        if self._queue.qsize() > _BACKLOG_CHUNKS:
            raise EngineFailed("the ear is stuck: a minute of sound waits for it")
        self._queue.put(chunk)

    def get(self, timeout: float) -> bytes:  # noqa: ARG002  # the recorder would wake up every 10 ms
        """The next chunk; silence if a segment is open and no sound comes. Raises Empty when closed."""
        chunk = self._next()
        if chunk is None:
            raise Empty
        self.current = chunk
        self._audio_time.advance()
        return chunk.samples

    def close(self) -> None:
        """Let the recorder see that it is to end."""
        self._queue.put(None)

    def _next(self) -> _Chunk | None:
        patience = (0.0 if self._stalled else STALL_SECONDS) if self._segment_is_open() else None
        try:
            chunk = self._queue.get(timeout=patience) if patience != 0.0 else self._queue.get_nowait()
        except Empty:
            self._stalled = True
            return _Chunk(_SILENT_CHUNK, self.current.captured_at + CHUNK_SECONDS)
        self._stalled = False
        return chunk


class _Detector:
    """Stands around silero: has it hear all sound, where the recorder shows it only some and has it forget in between.

    The recorder asks silero when WebRTC's cheap detector says voice, with a mind wiped clean. So woken, silero takes up
    to 0.5 s of speech to be sure, longer than the pre-roll, and gives false pauses after an onset. Here it first hears
    what it missed. That is nothing while it is quiet, and never more than if it had heard all along.
    """

    def __init__(self, model: Any, threshold: float) -> None:
        self._model = model
        self._threshold = threshold
        self._unheard: deque[_Chunk] = deque(maxlen=_CATCH_UP_CHUNKS)
        self._missed = 0

    def take(self, chunk: _Chunk) -> None:
        """Sound that the recorder has in hand; it is heard when the recorder asks."""
        self._missed += 1
        self._unheard.append(chunk)

    def reset_states(self) -> None:
        """Asked for by the recorder wherever its own use breaks the sound apart; here it is whole."""

    def __call__(self, _samples: npt.NDArray[np.float32], sample_rate: int) -> float:
        """The probability of speech in the chunk in hand, which is the last that was taken."""
        if self._missed > len(self._unheard):
            self._model.reset_states()
        probability = 0.0
        while self._unheard:
            chunk = self._unheard.popleft()
            heard = np.frombuffer(chunk.samples, dtype="<i2").astype(np.float32) / _FULL_SCALE
            probability = float(self._model(heard, sample_rate))
            chunk.voiced = probability > self._threshold
        self._missed = 0
        return probability


@dataclass(slots=True)
class _Segment:
    """A recording that goes on."""

    number: int
    chunks: list[_Chunk]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.chunks) * CHUNK_SECONDS

    @property
    def voiced_seconds(self) -> float:
        """How much of it is voice."""
        return sum(chunk.voiced for chunk in self.chunks) * CHUNK_SECONDS

    @property
    def silence_seconds(self) -> float:
        """Silence at the end of it."""
        return (len(self.chunks) - 1 - self._last_voiced()) * CHUNK_SECONDS

    @property
    def voiced_until(self) -> float:
        """Moment of the last voiced sample."""
        return self.chunks[self._last_voiced()].captured_at

    def _last_voiced(self) -> int:
        return next((i for i in reversed(range(len(self.chunks))) if self.chunks[i].voiced), 0)


class RealtimeSttEar:
    """The ear engine. Frames come in; notes go out from the recorder's thread, the only one that touches a segment.

    `VoiceBegan` and all `VoiceContinued` of a segment, joined, are exactly the samples of its `SegmentEnded`.
    """

    requests: ClassVar[Any] = Frame

    def __init__(self, settings: dict[str, Any]) -> None:
        """`sensitivity`, `soft_end_seconds` and `pre_roll_seconds` as in the section `[ear]`."""
        self._sensitivity = float(settings["sensitivity"])
        self._soft_end_chunks = max(1, round(float(settings["soft_end_seconds"]) / CHUNK_SECONDS))
        self._pre_roll_seconds = float(settings["pre_roll_seconds"])
        self._audio_time = _AudioTime()
        self._feed = _Feed(self._audio_time, lambda: self._segment is not None)
        self._recent: deque[_Chunk] = deque(maxlen=round(self._pre_roll_seconds / CHUNK_SECONDS) + 2)
        self._segment: _Segment | None = None
        self._segments = 0
        self._rest = bytearray()

    def load(self, send: Callable[[Struct], None]) -> Facts:
        """Build the recorder and let it listen."""
        self._send = send
        silero = _silero_file()
        _prepare_process()
        import RealtimeSTT  # noqa: PLC0415  # brings torch

        untyped: Any = RealtimeSTT
        _keep_audio_time(self._audio_time)
        with contextlib.redirect_stdout(io.StringIO()):
            self._recorder: Any = untyped.AudioToTextRecorder(**self._recorder_settings(silero))
        _tame_logging()
        self._detector = _Detector(self._recorder.silero_vad_model, 1.0 - self._sensitivity)
        self._recorder.silero_vad_model = self._detector
        self._recorder.audio_queue = self._feed
        self._recorder.audio_buffer_metadata = None  # the loudness of each chunk, for a trimming that is off
        # As after a first text() that waited: record whenever there is voice, also while a text is being made.
        self._recorder.listen()
        self._recorder.continuous_listening = True
        self._recorder.stop_recording_on_voice_deactivity = True
        return Facts(engine="RealtimeSTT, silero (ONNX) behind WebRTC voice activity, CPU")

    def handle(self, request: Frame, cancelled: Callable[[], bool]) -> Iterator[Struct]:  # noqa: ARG002  # done in no time
        """Take a frame; what is found goes out as notes."""
        self._hear(request)
        return iter(())

    def close(self) -> None:
        """End the recorder's thread."""
        self._feed.close()
        with contextlib.redirect_stdout(io.StringIO()):  # it bids farewell in red
            self._recorder.shutdown()

    def _recorder_settings(self, silero: Path) -> dict[str, Any]:
        return {
            "use_microphone": False,
            "spinner": False,
            "no_log_file": True,
            "handle_buffer_overflow": False,  # it would drop sound after a stall of 3 s
            "transcription_executor": self._executor,
            "silero_backend": _SILERO_BACKEND,
            "silero_onnx_model_path": str(silero),
            "silero_onnx_threads": 1,
            "silero_sensitivity": self._sensitivity,
            "webrtc_sensitivity": _WEBRTC_MODE,
            "silero_deactivity_detection": True,
            "deactivity_silence_confirmation_duration": 0.0,
            # Half a chunk less, so that which chunk ends the segment does not hang on a rounding error.
            "post_speech_silence_duration": (self._soft_end_chunks - 0.5) * CHUNK_SECONDS,
            "pre_recording_buffer_duration": self._pre_roll_seconds,
            "min_length_of_recording": 0.0,
            "min_gap_between_recordings": 0.0,
            "on_recorded_chunk": self._on_chunk,
            "on_vad_start": self._on_voice,
            "on_turn_detection_start": self._on_pause,
            "on_recording_stop": self._on_stop,
        }

    # --- the engine's thread ----------------------------------------------------------------------------------------

    def _hear(self, frame: Frame) -> None:
        if not self._recorder.recording_thread.is_alive():
            raise EngineFailed("RealtimeSTT's recording thread has ended")
        self._rest += frame.samples
        while len(self._rest) >= len(_SILENT_CHUNK):
            samples = bytes(self._rest[: len(_SILENT_CHUNK)])
            del self._rest[: len(_SILENT_CHUNK)]
            self._feed.put(_Chunk(samples, frame.captured_at - len(self._rest) / 2 / SAMPLE_RATE))

    # --- the recorder's thread --------------------------------------------------------------------------------------

    def _on_chunk(self, samples: bytes) -> None:
        """Each chunk, before the recorder looks at it."""
        self._recent.append(self._feed.current)
        self._detector.take(self._feed.current)
        if self._segment is not None and self._segment.seconds >= LONGEST_SEGMENT_SECONDS:
            self._recorder.stop()
        if self._segment is not None:
            self._segment.chunks.append(self._feed.current)
            self._send(VoiceContinued(self._segment.number, samples))

    def _on_voice(self) -> None:
        """There is voice: the recorder begins to record with its pre-roll and the chunk in hand."""
        pre_roll = list(self._recent)[-(len(self._recorder.audio_buffer) + 1) :]
        self._segments += 1
        self._segment = _Segment(self._segments, pre_roll)
        self._send(VoiceBegan(self._segments, b"".join(chunk.samples for chunk in pre_roll)))

    def _on_pause(self) -> None:
        if self._segment is not None:
            self._send(VoicePaused(self._segment.number, self._segment.silence_seconds))

    def _on_stop(self) -> None:
        """The recording is in the recorder's queue: have it brought to our executor now."""
        self._recorder.text()
        self._recorder._external_transcription_threads.clear()  # noqa: SLF001  # it keeps every thread for ever
        self._segment = None

    def _executor(self, audio: npt.NDArray[np.float32], **_options: Any) -> Any:
        """Where RealtimeSTT wants a transcript: the daemon is given the sound and will see to it."""
        from RealtimeSTT.transcription_engines.base import TranscriptionResult  # noqa: PLC0415  # brings torch

        segment = self._segment
        if segment is not None:
            self._send(
                SegmentEnded(
                    segment.number,
                    samples=np.rint(audio * _FULL_SCALE).astype("<i2").tobytes(),
                    voiced_seconds=segment.voiced_seconds,
                    silence_seconds=segment.silence_seconds,
                    speech_ended_at=segment.voiced_until,
                )
            )
        return TranscriptionResult("")


def _silero_file() -> Path:
    """The detector's weights. By name, because RealtimeSTT would else look in torch.hub, on the network."""
    package = find_spec("silero_vad")
    for directory in (package and package.submodule_search_locations) or ():
        path = Path(directory) / "data" / _SILERO_FILE
        if path.is_file():
            return path
    raise ModelMissing(f"the ear needs {_SILERO_FILE} of the package silero-vad; get it with: pip install silero-vad")


def _prepare_process() -> None:
    """What must be settled before torch and RealtimeSTT are imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # idle pools of threads, one for each core
    if not multiprocessing.get_start_method(allow_none=True):
        # RealtimeSTT would choose "spawn", whose events need a tracker process beside this one. It starts no process.
        multiprocessing.set_start_method("fork")


def _keep_audio_time(audio_time: _AudioTime) -> None:
    """Have RealtimeSTT's recorder read our clock and check onsets in place. For the whole process: it has one ear."""
    from RealtimeSTT.core import lifecycle, recording, voice_activity  # noqa: PLC0415  # brings torch

    modules: tuple[Any, Any, Any] = (lifecycle, recording, voice_activity)
    for module in modules:
        module.time = audio_time
    recorder, detector = modules[1:]
    recorder.check_voice_activity = partial(detector.check_voice_activity, thread_factory=_InPlace)


def _tame_logging() -> None:
    """Take RealtimeSTT's own console handler away: it would tell of every state in a format of its own."""
    logger = logging.getLogger("realtimestt")
    logger.handlers.clear()
    logger.setLevel(logging.WARNING)
    logger.propagate = True
