"""espeak-ng through RealtimeTTS: the voice that needs no model.

One process of espeak-ng speaks one sentence. The next one is started ahead of time and waits for its text on stdin:
starting, and loading the voice, is nearly all of the time to the first sound. Only workers import this module.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from typing import IO, Any, ClassVar, NamedTuple, cast

from msgspec import Struct
from typing_extensions import override

from agent.engines.api import Facts, Sound, Speak
from agent.engines.realtime_tts import MutedStream, SentenceEngine
from agent.errors import EngineFailed, ModelMissing

_LOGGER = logging.getLogger(__name__)
_COMMAND = "espeak-ng"
_DEFAULT_VOICE = "en"
_WORDS_PER_MINUTE = 175
_SLOWEST, _FASTEST = 80, 450
_WAV_HEADER_BYTES = 44
_READ_BYTES = 4096
_Pipes = tuple[IO[bytes], IO[bytes], IO[bytes]]


class Manner(NamedTuple):
    """How to speak."""

    voice: str
    words_per_minute: int


class EspeakNg(SentenceEngine):
    """Streams `espeak-ng --stdout`; owns the process."""

    name = _COMMAND
    rate = 22_050

    def __init__(self) -> None:
        """Start nothing yet."""
        self.manner = Manner(_DEFAULT_VOICE, _WORDS_PER_MINUTE)
        self._speaking: subprocess.Popen[bytes] | None = None
        self._spare: tuple[Manner, subprocess.Popen[bytes]] | None = None
        self._stopped = False
        self._unknown: set[str] = set()

    def use(self, voice: str, speed: float) -> None:
        """Speak so from the next sentence on, and have a process ready for it."""
        words_per_minute = min(max(round(_WORDS_PER_MINUTE * speed), _SLOWEST), _FASTEST)
        self.manner = Manner(_DEFAULT_VOICE if voice in self._unknown else voice, words_per_minute)
        self._stopped = False

    def prepare(self) -> None:
        """Start the next sentence's process, unless one waits already."""
        if self._spare is None:
            self._spare = self.manner, _start(self.manner)

    @override
    def chunks(self, sentence: str) -> Iterator[bytes]:
        error = yield from self._speak(sentence)
        if "voice does not exist" in error:
            _LOGGER.warning("espeak-ng has no voice named %r; %r speaks instead", self.manner.voice, _DEFAULT_VOICE)
            self._unknown.add(self.manner.voice)
            self.manner = self.manner._replace(voice=_DEFAULT_VOICE)
            error = yield from self._speak(sentence)
        if error:
            raise EngineFailed(f"espeak-ng: {error}")

    @override
    def stop(self) -> None:
        """End the sentence now; called from another thread."""
        super().stop()
        self._stopped = True
        if self._speaking is not None:
            self._speaking.kill()

    @override
    def shutdown(self) -> None:
        """Leave no process."""
        self.stop()
        if self._spare is not None:
            _end(self._spare[1])
            self._spare = None

    def _speak(self, sentence: str) -> Generator[bytes, None, str]:
        """The samples as they come; returns what espeak-ng complained of."""
        process = self._speaking = self._take()
        try:
            if self._stopped:  # before there was a process to kill
                return ""
            stdin, stdout, stderr = cast(_Pipes, (process.stdin, process.stdout, process.stderr))
            with contextlib.suppress(BrokenPipeError), stdin:
                stdin.write(_plain(sentence))
            yield from _samples(stdout)
            error = stderr.read().decode(errors="replace").strip()
            return "" if self._stopped or process.wait() == 0 else error or f"exit status {process.returncode}"
        finally:
            self._speaking = None
            _end(process)

    def _take(self) -> subprocess.Popen[bytes]:
        spare, self._spare = self._spare, None
        if spare is None:
            return _start(self.manner)
        manner, process = spare
        if manner == self.manner:
            return process
        _end(process)
        return _start(self.manner)


class Espeak:
    """The voice engine."""

    requests: ClassVar[Any] = Speak

    def __init__(self, settings: dict[str, Any]) -> None:
        """`name` is the voice that overrides the personality's, `speed` a factor on top of the personality's."""
        self._voice = str(settings.get("name") or "")
        self._speed = float(settings.get("speed") or 1.0)

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # only an ear speaks unasked
        """Find espeak-ng and have its first process ready."""
        if shutil.which(_COMMAND) is None:
            raise ModelMissing("espeak-ng is not installed; install it with: sudo apt install espeak-ng")
        self._engine = EspeakNg()
        self._stream = MutedStream(self._engine)
        self._engine.use(self._voice or _DEFAULT_VOICE, self._speed)
        self._engine.prepare()
        return Facts(engine=f"RealtimeTTS, espeak-ng, voice {self._voice or _DEFAULT_VOICE}, CPU")

    def handle(self, request: Speak, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        """Say the sentence; one without any letter or digit is silent."""
        if not any(character.isalnum() for character in request.text):
            return
        for _attempt in range(2):
            self._engine.use(self._voice or request.voice or _DEFAULT_VOICE, self._speed * request.speed)
            heard = False
            try:
                for samples in self._stream.speak(request.text, cancelled):
                    heard = True
                    yield Sound(samples)
            finally:
                self._engine.prepare()
            if heard or cancelled():
                return
        raise EngineFailed(f"espeak-ng gave no sound, twice, for a sentence of {len(request.text)} characters")

    def close(self) -> None:
        """Leave no process behind."""
        self._engine.shutdown()


def _start(manner: Manner) -> subprocess.Popen[bytes]:
    """`-z`: no pause at the end; `-b 1`: UTF-8. The text comes on stdin, never as an argument."""
    command = [_COMMAND, "--stdout", "--stdin", "-z", "-b", "1", "-v", manner.voice, "-s", str(manner.words_per_minute)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _samples(stdout: IO[bytes]) -> Iterator[bytes]:
    """Without the WAV header, in whole samples."""
    held = b""
    skip = _WAV_HEADER_BYTES
    while piece := stdout.read(_READ_BYTES):
        held += piece
        if skip:
            if len(held) < skip:
                continue
            held, skip = held[skip:], 0
        whole = len(held) & ~1
        if whole:
            yield held[:whole]
        held = held[whole:]


def _plain(sentence: str) -> bytes:
    """One line of UTF-8; `[[` would be read as phonemes."""
    return " ".join(sentence.replace("[[", "[ [").split()).encode(errors="replace") + b"\n"
