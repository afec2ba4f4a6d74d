"""Whether what sounded like speech was speech, and heard well enough to be answered.

No single figure decides what a model invents on silence: a high no-speech probability counts only together with a low
confidence, and a phrase that models are known to invent only where it is short and unsure, so that a quiet "thank you"
is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.events import DiscardReason

_NO_SPEECH = 0.6
_UNSURE = 0.45
"""Below this confidence a high no-speech probability decides."""
_REPETITIVE = 2.4
"""Whisper's own limit: such text compresses only if it repeats itself."""
_SHORT_SECONDS = 1.2
_INVENTED_BELOW = 0.6
"""Confidence under which a known phrase counts as invented."""
_INVENTED = frozenset({
    "you", "thank you", "thank you very much", "thank you so much", "thanks", "thanks for watching", "bye", "bye bye",
    "thank you for watching", "thanks for listening", "please subscribe", "subscribe", "like and subscribe", "the end",
    "see you next time", "see you in the next video",
    "so", "okay", "oh", "uh", "music", "applause", "silence", "foreign",
    "subtitles by the amara org community", "subtitles by", "transcription by castingwords",
})  # fmt: skip
"""What Whisper is known to write for silence and noise, in lower case without punctuation."""


_NOISES = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|<[^>]*>")
"""What some models write for a noise: "[BLANK_AUDIO]", "(music)"."""


class Figures(Protocol):
    """What a recogniser says of its text; the engines' `Transcript` is one."""

    @property
    def text(self) -> str:
        """The words."""
        ...

    @property
    def confidence(self) -> float:
        """0 to 1."""
        ...

    @property
    def no_speech(self) -> float:
        """Probability that there was no speech; 0 where the engine gives none."""
        ...

    @property
    def compression(self) -> float:
        """How repetitive the text is; 1 where the engine gives none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The numbers that the user may set."""

    min_voiced_seconds: float = 0.15
    min_confidence: float = 0.2
    quietest_dbfs: float = -65.0
    """Softer than this is no voice at any microphone."""


@dataclass(frozen=True, slots=True)
class Keep:
    """It is an utterance."""


@dataclass(frozen=True, slots=True)
class Drop:
    """It is none."""

    reason: DiscardReason
    detail: str
    """One sentence with the numbers that decided; never the words."""


@dataclass(frozen=True, slots=True)
class _Case:
    voiced_seconds: float
    level_dbfs: float | None
    figures: Figures
    gate: Gate


def judge(voiced_seconds: float, figures: Figures, gate: Gate, level_dbfs: float | None = None) -> Keep | Drop:
    """Keep the segment or drop it; the first rule that says no decides. `level_dbfs` is its loudness, where known."""
    case = _Case(voiced_seconds, level_dbfs, figures, gate)
    for rule in _RULES:
        if drop := rule(case):
            return drop
    return Keep()


def _too_short(case: _Case) -> Drop | None:
    if case.voiced_seconds >= case.gate.min_voiced_seconds:
        return None
    return Drop(
        "too_short",
        f"Only {case.voiced_seconds:.2f} s of voice, where {case.gate.min_voiced_seconds:.2f} s are asked for.",
    )


def _too_quiet(case: _Case) -> Drop | None:
    if case.level_dbfs is None or case.level_dbfs >= case.gate.quietest_dbfs:
        return None
    return Drop("noise", f"At {case.level_dbfs:.0f} dBFS it is softer than {case.gate.quietest_dbfs:.0f} dBFS.")


def _no_words(case: _Case) -> Drop | None:
    if _plain(_NOISES.sub("", case.figures.text)):
        return None
    return Drop("noise", f"No words in {case.voiced_seconds:.2f} s of voice.")


def _low_confidence(case: _Case) -> Drop | None:
    if case.figures.confidence >= case.gate.min_confidence:
        return None
    return Drop(
        "low_confidence",
        f"Confidence is {case.figures.confidence:.2f}, where {case.gate.min_confidence:.2f} is asked for.",
    )


def _no_speech(case: _Case) -> Drop | None:
    if case.figures.no_speech <= _NO_SPEECH or case.figures.confidence >= _UNSURE:
        return None
    return Drop(
        "noise",
        f"The model thinks it was no speech ({case.figures.no_speech:.2f} > {_NO_SPEECH}) and is unsure of the words "
        f"({case.figures.confidence:.2f} < {_UNSURE}).",
    )


def _repetitive(case: _Case) -> Drop | None:
    if case.figures.compression <= _REPETITIVE:
        return None
    return Drop("noise", f"The words repeat themselves: compression is {case.figures.compression:.1f} > {_REPETITIVE}.")


def _invented(case: _Case) -> Drop | None:
    short, unsure = case.voiced_seconds < _SHORT_SECONDS, case.figures.confidence < _INVENTED_BELOW
    doubted = case.figures.no_speech > 0  # an engine without this figure does not invent these phrases
    if not (short and unsure and doubted and _plain(case.figures.text) in _INVENTED):
        return None
    return Drop(
        "noise",
        f"A phrase that models invent on noise, short ({case.voiced_seconds:.2f} s < {_SHORT_SECONDS} s) and unsure "
        f"({case.figures.confidence:.2f} < {_INVENTED_BELOW}).",
    )


def _plain(text: str) -> str:
    """Lower case, letters and digits only, single spaces."""
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


_RULES: tuple[Callable[[_Case], Drop | None], ...] = (
    _too_short,
    _too_quiet,
    _no_words,
    _low_confidence,
    _no_speech,
    _repetitive,
    _invented,
)
"""In this order; the cheapest and surest come first."""
