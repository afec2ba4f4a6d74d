"""pocketsphinx with the US English model of its own package: speech to text with nothing downloaded.

It decodes while the user speaks, so that at the end only its second pass (`fwdflat`) is left to do. The settings below
were chosen on 36 everyday sentences by three voices (`flite`, rms, slt and awb); what they cost without it is said
there. Only workers import this module.

The features that it decodes are relative to their mean over the channel (cepstral mean normalisation), and with a mean
that is not of this microphone and this voice three times as many words are wrong. See `_Channel`.
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
_START_BYTES: Final = _BYTES_PER_SECOND * 8 // 10
"""As much of a segment as tells how loud it is: the pre-roll and a word or two. Decoding begins then."""
_LOUDER: Final = 4.0
"""Loudness (the first feature) that differs by more is another distance or microphone, not another sentence."""
_SURE: Final = 0.5
"""A transcript with this confidence was speech, and its channel worth keeping."""
_STEP_BYTES: Final = _BYTES_PER_SECOND // 10
"""Decoded at a time: 10 ms of work, so that little is left at the end, and a cancel is soon noticed."""
_PARTIAL_BYTES: Final = _BYTES_PER_SECOND // 4
"""The words so far are looked at so often; in between they flicker."""
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
_SLOWEST_LETTER_SECONDS: Final = 0.12
"""Speech has 12 letters a second or more; what is drawn out much longer was rather a noise."""


class _Channel:
    """The mean of the features, as the decoder is given it for each segment.

    The decoder's own way is to keep it from utterance to utterance. That takes a dozen of them to settle from its
    default, and again when the user moves away from the microphone; and noise spoils it. Here the first segment brings
    the mean of its own beginning, later ones inherit it from the last that was surely speech, and its loudness follows
    the beginning of each segment where that differs much.
    """

    def __init__(self, decoder: Any, meter: Any) -> None:
        """`meter` is a decoder that listens for next to nothing, as a cheap way to the features."""
        self._decoder = decoder
        self._meter = meter
        self._mean: list[float] = []
        self._mean_began = 0.0
        """Loudness of the beginning of the segment that the mean is from."""
        self._began = 0.0

    def prepare(self, beginning: bytes) -> None:
        """Set the mean for the segment that begins so."""
        self._meter.start_utt()
        self._meter.process_raw(beginning, no_search=True, full_utt=True)
        own = _mean(self._meter)
        self._meter.end_utt()
        self._began = own[0]
        mean = list(self._mean) or own
        if self._mean and abs(self._began - self._mean_began) > _LOUDER:
            mean[0] += self._began - self._mean_began
        self._decoder.set_cmn(",".join(map(str, mean)))

    def keep(self) -> None:
        """The segment that was decoded last was surely speech: the next one inherits its mean."""
        self._mean, self._mean_began = _mean(self._decoder), self._began


def _mean(decoder: Any) -> list[float]:
    return [float(number) for number in decoder.get_cmn().split(",")]


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
    looked_bytes: int = 0
    """How much was decoded when they were looked at."""


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
                f"pocketsphinx knows only English, not {self._language!r}; put a faster-whisper model in its place "
                "(see `parley models`), or set language = 'en' in [stt]"
            )
        import pocketsphinx as untyped  # noqa: PLC0415  # engines are imported when they are loaded

        native: Any = untyped
        model = Path(native.get_model_path("en-us"))
        if not (model / "en-us").is_dir():
            raise ModelMissing(f"pocketsphinx has no model in {model}; install it anew with: pip install pocketsphinx")
        self._decoder: Any = native.Decoder(**_SETTINGS)
        self._channel = _Channel(self._decoder, _meter(native))
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
        if utterance.decoded_bytes - utterance.looked_bytes >= _PARTIAL_BYTES:
            utterance.looked_bytes = utterance.decoded_bytes
            if (text := self._words()) != utterance.text:
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
        confidence = self._confidence() if text else 0.0
        if confidence >= _SURE:
            self._channel.keep()
        yield Transcript(request.segment, text, confidence)

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
            if not utterance.heard or (least_bytes == _STEP_BYTES and len(utterance.heard) < _START_BYTES):
                return
            self._channel.prepare(bytes(utterance.heard[:_START_BYTES]))
            self._decoder.start_utt()
            utterance.started = True
        while len(utterance.heard) - utterance.decoded_bytes >= least_bytes and not cancelled():
            step = bytes(utterance.heard[utterance.decoded_bytes : utterance.decoded_bytes + _STEP_BYTES])
            self._decoder.process_raw(step, no_search=False, full_utt=False)
            utterance.decoded_bytes += len(step)

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


def _meter(native: Any) -> Any:
    """A decoder whose only word is "a": 3 ms for what the real one would need 100 ms for."""
    meter = native.Decoder(loglevel="FATAL", lm=None, dict=None, ds=4, topn=1)
    meter.add_word("a", "AH")
    meter.add_keyphrase("a", "a")
    meter.activate_search("a")
    return meter


def cleaned(hypothesis: str) -> str:
    """A hypothesis without what nobody said: fillers, noises and numbers of pronunciations; lower case."""
    return " ".join(_UNSPOKEN.sub(" ", hypothesis).lower().split())
