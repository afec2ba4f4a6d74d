"""faster-whisper (CTranslate2) on a model directory of this machine. The network is never asked.

Only workers import this module; faster-whisper itself is imported in `load`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent.engines.api import SAMPLE_RATE, Facts, Hear, Partial, SttRequest, SttResult, Transcribe, Transcript
from agent.errors import ModelMissing

_NEEDED: Final = ("model.bin", "config.json", "tokenizer.json")
"""Without the tokenizer faster-whisper would ask the hub for one."""
_HEAVY_BYTES: Final = 500 * 2**20
_COMPUTE_TYPES: Final = {"cuda": ("float16", "int8_float32", "float32"), "cpu": ("int8", "float32")}
"""The first that the device knows."""
_BEAMS: Final = {"cuda": 5, "cpu": 1}
"""On a processor five beams are five times the work for the last half percent of words."""
_TEMPERATURES: Final = (0.0, 0.2, 0.4)
"""A try that repeats itself or is unsure is made again with some chance in it. Whisper goes on to 1.0: up to six
decodings, and what comes of the last ones is not what was said."""
_NO_SPEECH: Final = 0.6
"""Whisper's own limit: with this much, and unsure of the words, it gives none."""
_TOKENS_PER_SECOND: Final = 12
"""Twice what fast speech needs; so a model that has begun to repeat itself is soon cut short."""
_LEAST_TOKENS: Final = 24
_MOST_TOKENS: Final = 220
"""A little less than half of what the decoder can hold, which is what CTranslate2 gives in any case."""


class FasterWhisper:
    """The speech-to-text engine for who has a Whisper model."""

    requests: ClassVar[Any] = SttRequest

    def __init__(self, settings: dict[str, Any]) -> None:
        """`model` is a directory, `language` a code such as "en" or empty to have it found out.

        Also understood: `device` (auto, cpu, cuda), `compute_type` (CTranslate2's names), `threads` (0: all cores) and
        `partial_seconds` (0: no partial texts).
        """
        self._path = Path(str(settings.get("model") or ""))
        self._language = str(settings.get("language") or "")
        self._device = str(settings.get("device") or "auto")
        self._compute_type = str(settings.get("compute_type") or "")
        self._threads = int(settings.get("threads") or 0) or os.cpu_count() or 1
        self._partials = _Partials(float(settings.get("partial_seconds") or 0.0))

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # only an ear speaks unasked
        """Load the model and run it once: a GPU library that does not fit ends the process now, not in a talk."""
        _check(self._path)
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when faster-whisper is imported
        import ctranslate2 as untyped  # noqa: PLC0415  # engines are imported when they are loaded
        from faster_whisper import WhisperModel  # noqa: PLC0415  # as above

        ctranslate2: Any = untyped
        if self._device == "auto":
            self._device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
        known = ctranslate2.get_supported_compute_types(self._device)
        compute_type = self._compute_type or next(kind for kind in _COMPUTE_TYPES[self._device] if kind in known)
        self._model: Any = WhisperModel(
            str(self._path),
            device=self._device,
            compute_type=compute_type,
            cpu_threads=self._threads,
            local_files_only=True,
        )
        if not self._model.model.is_multilingual and self._language not in ("", "en"):
            raise ModelMissing(
                f"the model {self._path} knows only English, not {self._language!r}; name a multilingual one in "
                "[stt] model, or set [stt] language = 'en'"
            )
        self._read(np.zeros(SAMPLE_RATE // 2, np.float32), lambda: False, temperatures=(0.0,))
        return Facts(
            engine=f"faster-whisper, {self._path.name}, {compute_type} on {self._device}",
            heavy=self._device == "cuda" or (self._path / "model.bin").stat().st_size > _HEAVY_BYTES,
        )

    def handle(self, request: SttRequest, cancelled: Callable[[], bool]) -> Iterator[SttResult]:
        """Read a whole segment; `Hear` gives a partial text only if the settings ask for it."""
        match request:
            case Hear():
                if samples := self._partials.due(request):
                    text = _joined(self._read(_floats(samples), cancelled, temperatures=(0.0,)))
                    if text and not cancelled():
                        yield Partial(request.segment, text)
            case Transcribe():
                self._partials.forget()
                parts = self._read(_floats(request.samples), cancelled, temperatures=_TEMPERATURES)
                if not cancelled():
                    yield _transcript(request.segment, parts)

    def close(self) -> None:
        """The end of the process frees the model."""

    def _read(
        self, audio: npt.NDArray[np.float32], cancelled: Callable[[], bool], temperatures: Sequence[float]
    ) -> list[Any]:
        """Whisper's parts of the audio (one for each 30 s); what is left when it is cancelled is not decoded."""
        tokens = _LEAST_TOKENS + int(len(audio) / SAMPLE_RATE * _TOKENS_PER_SECOND)
        lazy, _info = self._model.transcribe(
            audio,
            language=self._language or None,
            task="transcribe",
            beam_size=_BEAMS[self._device],
            temperature=list(temperatures),
            condition_on_previous_text=False,  # one slip would be carried from sentence to sentence
            no_speech_threshold=_NO_SPEECH,
            without_timestamps=True,
            max_new_tokens=min(tokens, _MOST_TOKENS),
            vad_filter=False,  # the ear has done that
        )
        parts: list[Any] = []
        for part in lazy:  # the work is done here
            parts.append(part)
            if cancelled():
                break
        return parts


class _Partials:
    """Which `Hear` is worth a decoding: at most one in so many seconds of sound, always of the whole segment."""

    def __init__(self, every_seconds: float) -> None:
        self._every_bytes = int(every_seconds * SAMPLE_RATE) * 2
        self.forget()

    def forget(self) -> None:
        """The segment is over."""
        self._segment = -1
        self._heard = bytearray()
        self._read_bytes = 0

    def due(self, request: Hear) -> bytes:
        """The segment so far if it is to be read now, else nothing."""
        if not self._every_bytes:
            return b""
        if request.segment != self._segment:
            self.forget()
            self._segment = request.segment
        self._heard += request.samples
        if len(self._heard) - self._read_bytes < self._every_bytes:
            return b""
        self._read_bytes = len(self._heard)
        return bytes(self._heard)


def _check(path: Path) -> None:
    """Raises ModelMissing if this is not a model directory."""
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    if missing:
        raise ModelMissing(
            f"{path} is no faster-whisper model: {' and '.join(missing)} missing. Name a converted model's directory "
            "in [stt] model, see `parley models` for what can be had, or set [stt] engine = 'pocketsphinx'"
        )


def _floats(samples: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(samples, dtype="<i2").astype(np.float32) / 32768.0


def _joined(parts: Sequence[Any]) -> str:
    return " ".join(part.text.strip() for part in parts).strip()


def _transcript(segment: int, parts: Sequence[Any]) -> Transcript:
    """One transcript of all parts: figures weighted by their tokens, the worst repetition."""
    weights = [len(part.tokens) or 1 for part in parts]
    total = sum(weights)
    if not total:
        # Whisper gives nothing, and no figure, where it is surer than its limit that there is no speech.
        return Transcript(segment, "", confidence=0.0, no_speech=_NO_SPEECH)
    mean_log = sum(part.avg_logprob * weight for part, weight in zip(parts, weights, strict=True)) / total
    return Transcript(
        segment,
        _joined(parts),
        confidence=min(1.0, math.exp(mean_log)),
        no_speech=sum(part.no_speech_prob * weight for part, weight in zip(parts, weights, strict=True)) / total,
        compression=max(part.compression_ratio for part in parts),
    )
