"""How much sound to gather before playback begins, so that it does not run dry in the middle of a reply.

What matters is the real-time factor `f` of production: seconds of work for a second of sound, the work of the language
model and every wait between included. At a factor of 1 or less a sentence is made while the one before it sounds, and
nothing need be gathered. Above it, each falls behind by (f - 1) times its sound. Sound comes a sentence at a time: one
of `s` seconds must be there while the next is made, and of a reply of `r` seconds so much more that what is played
while the rest is made lasts: s + (1 - 1/f) * (r - s).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

LONGEST_SECONDS: Final = 3.0
"""Nobody waits longer than this for the sake of an even flow; then a pause between sentences is the lesser evil."""
_USUAL_REPLY_SECONDS: Final = 6.0
"""Sound of a reply, until one was measured."""
_USUAL_SENTENCE_SECONDS: Final = 2.0
"""Sound of a sentence, until one was measured."""
_WEIGHT: Final = 0.3
"""Of the newest measure in a running mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was measured so far."""

    factor: float = 0.0
    """Real-time factor of production, a running mean over sentences; 0 while nothing was measured."""
    reply_seconds: float = _USUAL_REPLY_SECONDS
    """Sound of a reply, a running mean over replies."""
    sentence_seconds: float = _USUAL_SENTENCE_SECONDS
    """Sound of a sentence, a running mean over those whose work was measured."""


def produced(pace: Pace, *, work_seconds: float, sound_seconds: float) -> Pace:
    """After a sentence that took so long since the sentence before it was complete."""
    if sound_seconds <= 0:
        return pace
    factor = work_seconds / sound_seconds
    if not pace.factor:
        return replace(pace, factor=factor, sentence_seconds=sound_seconds)
    return replace(
        pace, factor=_mean(pace.factor, factor), sentence_seconds=_mean(pace.sentence_seconds, sound_seconds)
    )


def replied(pace: Pace, *, sound_seconds: float) -> Pace:
    """After a reply of so much sound."""
    return replace(pace, reply_seconds=_mean(pace.reply_seconds, sound_seconds)) if sound_seconds > 0 else pace


def lead_seconds(pace: Pace) -> float:
    """How much sound to have before the first sample is played."""
    if pace.factor <= 1:
        return 0.0
    rest_seconds = max(0.0, pace.reply_seconds - pace.sentence_seconds)
    return min(pace.sentence_seconds + (1 - 1 / pace.factor) * rest_seconds, LONGEST_SECONDS)


def _mean(before: float, newest: float) -> float:
    return before + _WEIGHT * (newest - before)
