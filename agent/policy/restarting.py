"""When to start again what has crashed, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass

from agent.events import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRules:
    """How patient to be."""

    free: int = 0
    """So many crashes in a row are started again at once."""
    first_seconds: float = 0.1
    """The pause after the next one; it doubles with each that follows."""
    longest_seconds: float = 10.0
    """The pause never grows beyond this."""
    healthy_seconds: float = 60.0
    """Whoever ran so long is well again: the next crash is the first of a new row."""
    limit: int | None = 5
    """More crashes than this within the window, and it stays down; None: never give up."""
    window_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of earlier crashes."""

    in_a_row: int = 0
    """Crashes since it was last well."""
    recent: tuple[Seconds, ...] = ()
    """When it crashed within the window, oldest first; empty where there is no limit."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Start it again after a pause."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it down."""

    reason: str


def crashed(health: Health, rules: RestartRules, *, started_at: Seconds, now: Seconds) -> tuple[Health, Retry | GiveUp]:
    """What follows from a crash now of something that ran since `started_at`."""
    in_a_row = 1 if now - started_at >= rules.healthy_seconds else health.in_a_row + 1
    if rules.limit is None:
        return Health(in_a_row), Retry(_pause(in_a_row, rules))
    recent = (*(at for at in health.recent if now - at < rules.window_seconds), now)
    health = Health(in_a_row, recent)
    if len(recent) > rules.limit:
        return health, GiveUp(f"It crashed {len(recent)} times within {rules.window_seconds:g} s.")
    return health, Retry(_pause(in_a_row, rules))


def _pause(in_a_row: int, rules: RestartRules) -> float:
    if in_a_row <= rules.free:
        return 0.0
    doublings = min(in_a_row - rules.free - 1, 30)  # more would only overflow: the cap was reached long before
    return min(rules.first_seconds * 2.0**doublings, rules.longest_seconds)
