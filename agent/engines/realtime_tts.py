"""RealtimeTTS, muted: whole sentences in, 16 kHz sound out, chunk by chunk. Only workers import this module.

How the library is used, and why so:

- Its sentence splitter is bypassed: an engine that says `can_consume_generators` is given the text itself. Sentences
  are cut before they come here, and no tokenizer is imported or looked for on the network.
- Nothing is opened for playback. The library still starts PortAudio in its constructor; it is ended again at once.
- A sentence is cut short by stopping the *engine*, after which the library ends by itself. Its own `stop()` joins
  threads that join each other.
- It logs the sentence when an engine raises, so our engines do not raise: they keep the error for us.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol, cast

import numpy as np
import soxr
from numpy.typing import NDArray
from typing_extensions import override

from agent.engines.api import SAMPLE_RATE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub, which the library imports, warns of ffmpeg and of Python 3.13
    from RealtimeTTS.engines.base_engine import BaseEngine
    from RealtimeTTS.text_to_stream import TextToAudioStream

Samples = NDArray[np.int16]

_PA_INT16 = 8
"""PortAudio's number for 16-bit samples (`paInt16`), in which RealtimeTTS asks for the format."""

CHUNK_SECONDS = 0.04
"""How much sound is passed on at a time."""
LEAD_SECONDS = 0.01
"""Silence kept before the first sound of a sentence."""
TAIL_SECONDS = 0.06
"""Silence after the last sound of a sentence."""
_SILENCE = 50
"""Samples up to this size are silence: -56 dB."""
_LOOK_SECONDS = 0.02
"""How often a step without sound looks whether it was cancelled."""


class _Stream(Protocol):
    """What is used of `TextToAudioStream`."""

    player: Any
    play_thread: Thread | None

    def feed(self, text: str) -> object: ...

    def play_async(self, *, muted: bool, on_audio_chunk: Callable[[bytes], None]) -> None: ...


class SentenceEngine(BaseEngine):
    """A RealtimeTTS engine that speaks one whole sentence at a time."""

    name: str
    rate: int
    """Hertz; mono int16."""

    def post_init(self) -> None:
        """Called by the library's metaclass after `BaseEngine.__init__`, which runs *after* ours."""
        self.engine_name = self.name
        self.can_consume_generators = True
        self.error: Exception | None = None
        self.ended: Callable[[], None] = lambda: None
        self.put = cast(Callable[[bytes], None], self.queue.put)  # pyright: ignore[reportUnknownMemberType]  # Queue[Unknown]

    @abstractmethod
    def chunks(self, sentence: str) -> Iterator[bytes]:
        """The sound of the sentence; ends early after `stop()`."""

    @override
    def get_stream_info(self) -> tuple[int, int, int]:
        return _PA_INT16, 1, self.rate

    @override
    def synthesize(self, text: Iterable[str], sentence_count: int = 0) -> bool:
        """Called by the library in its own thread."""
        try:
            super().synthesize("")
            for chunk in self.chunks("".join(text)):
                self.put(chunk)
        except Exception as error:  # noqa: BLE001  # raised again by MutedStream; the library would log the sentence
            self.error = error
        finally:
            self.ended()
        return True


class MutedStream:
    """A `TextToAudioStream` that plays nothing and hands its chunks to us."""

    def __init__(self, engine: SentenceEngine) -> None:
        """Build the library's stream around `engine`."""
        self._engine = engine
        with _without_stderr():
            stream = TextToAudioStream(engine, muted=True, playout_chunk_size=int(engine.rate * CHUNK_SECONDS) * 2)
        self._stream = cast(_Stream, stream)
        self._stream.player.audio_stream.pyaudio_instance.terminate()

    def speak(self, sentence: str, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """The sentence's sound at 16 kHz, trimmed. Raises what the engine raised."""
        arrived: SimpleQueue[bytes | None] = SimpleQueue()
        self._engine.error = None
        self._engine.ended = lambda: arrived.put(None)
        self._stream.feed(sentence)
        self._stream.play_async(muted=True, on_audio_chunk=arrived.put)
        try:
            yield from at_our_rate(self._arriving(arrived, cancelled), self._engine.rate)
        finally:
            self._engine.stop()
            self._settle()
        if self._engine.error is not None:
            raise self._engine.error

    def _arriving(self, arrived: SimpleQueue[bytes | None], cancelled: Callable[[], bool]) -> Iterator[bytes]:
        while not cancelled():
            try:
                chunk = arrived.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            if chunk is None:
                break
            yield chunk
        else:
            return
        self._settle()  # what the engine gave may still be on its way through the player
        while not arrived.empty():
            yield arrived.get() or b""

    def _settle(self) -> None:
        """Wait for the library's threads to end.

        The player looks for the end only when its queue gave nothing for 50 ms; empty chunks, which it skips, wake it.
        """
        thread = self._stream.play_thread
        while thread is not None and thread.is_alive():
            self._engine.put(b"")
            thread.join(0.002)


class SilenceTrimmer:
    """Cuts the silence around a sentence and keeps the pauses inside."""

    def __init__(self) -> None:
        """Wait for the first sound."""
        self._held: Samples = np.zeros(0, np.int16)
        self._begun = False

    def feed(self, samples: Samples) -> Samples:
        """What can be passed on: everything up to the last sound so far."""
        joined = np.concatenate((self._held, samples))
        loud = np.flatnonzero(np.abs(joined.astype(np.int32)) > _SILENCE)
        lead = int(SAMPLE_RATE * LEAD_SECONDS)
        if not loud.size:
            self._held = joined if self._begun else joined[-lead:]
            return joined[:0]
        start = 0 if self._begun else max(0, int(loud[0]) - lead)
        end = int(loud[-1]) + 1
        self._begun, self._held = True, joined[end:]
        return joined[start:end]

    def finish(self) -> Samples:
        """The silence at the end, exactly `TAIL_SECONDS`; nothing if there was no sound."""
        tail = int(SAMPLE_RATE * TAIL_SECONDS) if self._begun else 0
        held = self._held[:tail]
        return np.concatenate((held, np.zeros(tail - len(held), np.int16)))


def at_our_rate(chunks: Iterator[bytes], rate: int) -> Iterator[bytes]:
    """Resampled as floats: for integers soxr adds dither, and the same sentence would never sound the same twice."""
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    trimmer = SilenceTrimmer()

    def resampled(chunk: bytes, *, last: bool = False) -> Samples:
        floats = resampler.resample_chunk(np.frombuffer(chunk, np.int16).astype(np.float32), last=last)
        return np.clip(np.rint(floats), -32_768, 32_767).astype(np.int16)

    for chunk in chunks:
        if (samples := trimmer.feed(resampled(chunk))).size:
            yield samples.tobytes()
    samples = trimmer.feed(resampled(b"", last=True))
    if (rest := np.concatenate((samples, trimmer.finish()))).size:
        yield rest.tobytes()


@contextlib.contextmanager
def _without_stderr() -> Generator[None, None, None]:
    """PortAudio's back ends write dozens of lines past Python about devices that nobody asked for."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
