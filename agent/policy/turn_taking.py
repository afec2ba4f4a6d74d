"""How long to wait after the user's last sound: little after a finished sentence, much after "and" or a cut clause."""

from __future__ import annotations

from dataclasses import dataclass

from agent.policy.completeness import Completeness, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Silence in seconds since the last voiced sample."""

    finished_seconds: float = 0.22
    """People leave about 0.2 s (Stivers et al., 2009, "Universals and cultural variation in turn-taking")."""
    unclear_seconds: float = 0.7
    unfinished_seconds: float = 1.6
    longest_seconds: float = 3.0
    """Never longer, whatever the others say."""

    def after(self, completeness: Completeness) -> float:
        """The wait that belongs to it."""
        seconds = {
            "finished": self.finished_seconds,
            "unclear": self.unclear_seconds,
            "unfinished": self.unfinished_seconds,
        }
        return min(seconds[completeness], self.longest_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long, and why."""

    seconds: float
    """Since the last voiced sample."""
    rule: str
    reason: str
    """A clause for a person, without a capital and a period; it never quotes the words."""
    completeness: Completeness


def end_of_turn_wait(text: str, waits: Waits, language: str = "en") -> Wait:
    """How long to wait for the user to go on, by the words so far."""
    completeness, rule, reason = judge(text, language)
    return Wait(seconds=waits.after(completeness), rule=rule, reason=reason, completeness=completeness)
