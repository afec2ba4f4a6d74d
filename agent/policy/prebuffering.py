"""How much sound to gather before playback begins, so that it does not run dry in the middle of a reply.

What matters is the real-time factor of production: seconds of work for a second of sound, the work of the language
model and every wait between included. At a factor of 1 or less sound is made faster than it is played and nothing need
be gathered. Above it, a reply of `a` seconds takes `f * a` to make, so it must begin `(f - 1) * a` late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

LONGEST_SECONDS: Final = 3.0
"""Nobody waits longer than this for the sake of an even flow; then a pause between sentences is the lesser evil."""
_USUAL_REPLY_SECONDS: Final = 6.0
"""Sound of a reply, until one was measured."""
_WEIGHT: Final = 0.3
"""Of the newest measure in a running mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was measured so far."""

    factor: float = 0.0
    """Real-time factor of production, a running mean over sentences; 0 while nothing was measured."""
    reply_seconds: float = _USUAL_REPLY_SECONDS
    """Sound of a reply, a running mean over replies."""


def produced(pace: Pace, *, work_seconds: float, sound_seconds: float) -> Pace:
    """After a sentence that took so long since the sentence before it was complete."""
    if sound_seconds <= 0:
        return pace
    factor = work_seconds / sound_seconds
    return replace(pace, factor=_mean(pace.factor, factor) if pace.factor else factor)


def replied(pace: Pace, *, sound_seconds: float) -> Pace:
    """After a reply of so much sound."""
    return replace(pace, reply_seconds=_mean(pace.reply_seconds, sound_seconds)) if sound_seconds > 0 else pace


def lead_seconds(pace: Pace) -> float:
    """How much sound to have before the first sample is played."""
    return min(max(0.0, pace.factor - 1.0) * pace.reply_seconds, LONGEST_SECONDS)


def _mean(before: float, newest: float) -> float:
    return before + _WEIGHT * (newest - before)
