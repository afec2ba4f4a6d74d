"""pocketsphinx with the US English model of its own package: speech to text with nothing downloaded.

It decodes while the user speaks, so that at the end only its second pass (`fwdflat`) is left to do. The settings below
were chosen on 36 everyday sentences by three voices (`flite`, rms, slt and awb); what they cost without it is said
there. Only workers import this module.

The features that it decodes are relative to their mean over the channel (cepstral mean normalisation). The first of
them is the loudness, and with a mean that is not of this microphone and this distance three times as many words are
wrong. A mean kept from utterance to utterance takes a dozen of them to settle, and noise spoils it. So each segment
brings its own: that of its first second, before decoding begins.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from msgspec import Struct

from agent.engines.api import SAMPLE_RATE, Facts, Hear, Partial, SttRequest, SttResult, Transcribe, Transcript
from agent.errors import ModelMissing

_BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE
_MEAN_BYTES: Final = 1 * _BYTES_PER_SECOND
"""As much of a segment as its mean is taken from: the pre-roll and a few words."""
_STEP_BYTES: Final = _BYTES_PER_SECOND // 4
"""Decoded at a time: 50 ms of work, then the words so far are looked at and a cancel is noticed."""
_SETTINGS: Final[dict[str, Any]] = {
    "loglevel": "FATAL",
    "maxhmmpf": 5000,  # 30000 hears nothing better and decodes by a quarter slower
    # The second pass, narrower than the default of 1e-64 and 7e-29: as good, in half the time. Without it 7 % of the
    # words are wrong instead of 4 %.
    "fwdflatbeam": 1e-40,
    "fwdflatwbeam": 1e-22,
}
_UNSPOKEN: Final = re.compile(r"<[^>]*>|\[[^\]]*\]|\+\+[^+]*\+\+|\(\d+\)")
"""Silence, noises, and the number of a word's pronunciation."""
_SLOWEST_LETTER_SECONDS: Final = 0.15
"""Speech has 12 letters a second or so; a word drawn out to less than half of that was rather a noise."""


@dataclass(slots=True)
class _Utterance:
    """A segment that is being decoded."""

    segment: int
    heard: bytearray = field(default_factory=bytearray)
    """All samples so far."""
    decoded_bytes: int = 0
    started: bool = False
    text: str = ""
    """The words that were last told."""


class Pocketsphinx:
    """The speech-to-text engine that needs no model of its own."""

    requests: ClassVar[Any] = SttRequest

    def __init__(self, settings: dict[str, Any]) -> None:
        """`language` must be English: there is no other model in the package."""
        self._language = str(settings.get("language") or "en")
        self._utterance: _Utterance | None = None

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # only an ear speaks unasked
        """Read the package's model."""
        if self._language.partition("-")[0].lower() != "en":
            raise ModelMissing(
                f"pocketsphinx knows only English, not {self._language!r}; get a Whisper model with `parley models`, "
                "or set language = 'en' in [stt]"
            )
        from pocketsphinx import Decoder, get_model_path  # noqa: PLC0415  # engines are imported when they are loaded

        model = Path(get_model_path("en-us"))
        if not (model / "en-us").is_dir():
            raise ModelMissing(f"pocketsphinx has no model in {model}; install it anew with: pip install pocketsphinx")
        self._decoder: Any = Decoder(**_SETTINGS)
        return Facts(engine="pocketsphinx, its own US English model, CPU")

    def handle(self, request: SttRequest, cancelled: Callable[[], bool]) -> Iterator[SttResult]:
        """Decode what is new of a segment: the words so far, or all of them with `Transcribe`."""
        try:
            if isinstance(request, Hear):
                yield from self._hear(request, cancelled)
            else:
                yield from self._transcribe(request, cancelled)
        except GeneratorExit:
            raise
        except BaseException:
            self._drop()  # so that the next segment finds the decoder closed
            raise

    def close(self) -> None:
        """Nothing outlives the process."""

    def _hear(self, request: Hear, cancelled: Callable[[], bool]) -> Iterator[Partial]:
        utterance = self._utterance
        if utterance is None or utterance.segment != request.segment:
            utterance = self._begin(request.segment)
        utterance.heard += request.samples
        self._decode(utterance, cancelled, least_bytes=_STEP_BYTES)
        if utterance.started and (text := self._words()) != utterance.text:
            utterance.text = text
            yield Partial(request.segment, text)

    def _transcribe(self, request: Transcribe, cancelled: Callable[[], bool]) -> Iterator[Transcript]:
        utterance = self._utterance
        if (
            utterance is None
            or utterance.segment != request.segment
            or not request.samples.startswith(bytes(utterance.heard))
        ):
            utterance = self._begin(request.segment)
        utterance.heard[:] = request.samples
        self._decode(utterance, cancelled, least_bytes=2)
        if cancelled():
            return
        self._utterance = None
        if not utterance.started:  # not one sample
            yield Transcript(request.segment, "", confidence=0.0)
            return
        self._decoder.end_utt()
        text = self._words()
        yield Transcript(request.segment, text, confidence=self._confidence() if text else 0.0)

    def _begin(self, segment: int) -> _Utterance:
        self._drop()
        self._utterance = _Utterance(segment)
        return self._utterance

    def _drop(self) -> None:
        """Forget a segment that nobody asked to have transcribed."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None and utterance.started:
            with contextlib.suppress(RuntimeError):
                self._decoder.end_utt()

    def _decode(self, utterance: _Utterance, cancelled: Callable[[], bool], least_bytes: int) -> None:
        """Decode what is there, in steps; what is less than `least_bytes` waits for more."""
        if not utterance.started:
            if not utterance.heard or (least_bytes > 2 and len(utterance.heard) < _MEAN_BYTES):
                return
            self._take_mean(bytes(utterance.heard[:_MEAN_BYTES]))
            self._decoder.start_utt()
            utterance.started = True
        while len(utterance.heard) - utterance.decoded_bytes >= least_bytes and not cancelled():
            step = bytes(utterance.heard[utterance.decoded_bytes : utterance.decoded_bytes + _STEP_BYTES])
            self._decoder.process_raw(step, no_search=False, full_utt=False)
            utterance.decoded_bytes += len(step)

    def _take_mean(self, samples: bytes) -> None:
        """Set the decoder's channel mean to that of these samples."""
        self._decoder.start_utt()
        self._decoder.process_raw(samples, no_search=True, full_utt=True)
        self._decoder.end_utt()
        self._decoder.set_cmn(self._decoder.get_cmn())

    def _words(self) -> str:
        hypothesis = self._decoder.hyp()
        return cleaned(hypothesis.hypstr) if hypothesis is not None else ""

    def _confidence(self) -> float:
        """How sure, from 0 to 1: three figures, each of which is low for another kind of what is no speech.

        The mean probability of the words in the lattice, weighted by how long they are; the pace, because a single
        word drawn over a second of noise has no rival and so a probability of 1; and the share of words among all that
        was not silence, because where noises were heard between words the words are doubtful too.
        """
        word_seconds, sure_seconds, noise_seconds, letters = 0.0, 0.0, 0.0, 0
        for part in self._decoder.seg():
            seconds = (part.end_frame - part.start_frame + 1) / 100
            word = cleaned(part.word)
            if word:
                word_seconds += seconds
                sure_seconds += seconds * min(max(part.prob, 0.0), 1.0)
                letters += len(word)
            elif part.word.startswith(("[", "+")):
                noise_seconds += seconds
        if not letters:
            return 0.0
        pace = min(1.0, _SLOWEST_LETTER_SECONDS * letters / word_seconds)
        return (sure_seconds / word_seconds) * pace * word_seconds / (word_seconds + noise_seconds)


def cleaned(hypothesis: str) -> str:
    """A hypothesis without what nobody said: fillers, noises and numbers of pronunciations; lower case."""
    return " ".join(_UNSPOKEN.sub(" ", hypothesis).lower().split())
