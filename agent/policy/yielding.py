"""When to step aside so that others have the memory, and when to come back.

Three things make Parley step aside, each with an end of its own: the user asked for it, a game runs, other programs
have grown into the reserve. It is aside while any of them holds. What might flap has to last before it counts: games
that start one another, programs whose needs go up and down. Whoever presses again soon is given more time to finish.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.events import Seconds

Cause = Literal["asked", "pressed", "game"]
"""Why Parley is aside. With several causes the first of these is told."""

_NEVER: Final = Seconds(float("-inf"))
_FOR_EVER: Final = Seconds(float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class YieldRules:
    """How soon to go, and how patiently to stay away."""

    reserve_mib: int
    """Memory that is left to others."""
    growth_mib: int = 64
    """Others that use so little more than before have not grown: a desktop breathes."""
    pressed_seconds: float = 2.0
    """Others have to be in the reserve for so long."""
    room_seconds: float = 30.0
    """After that there has to be room for so long before Parley comes back."""
    longest_room_seconds: float = 600.0
    """`room_seconds` doubles up to this with each time that Parley is pressed soon after it came back."""
    calm_seconds: float = 600.0
    """Later than this after coming back is not soon."""
    game_over_seconds: float = 10.0
    """No game has to run for so long: a launcher ends when the game begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The memory at one moment, read while something of ours is in it or others press."""

    at: Seconds
    free_mib: int | None
    """None if it cannot be read."""
    foreign_mib: int | None
    """What other programs use; None if the driver does not tell."""
    largest_mib: int
    """The footprint of our largest model that is loaded; 0 if none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowding:
    """How others stand to the reserve."""

    reason: str = ""
    """Why Parley had to go, in words that can end a sentence; empty while it is not pressed."""
    needs_mib: int = 0
    """There is room again when so much is free beside the reserve: then at least one model at a time can be loaded."""
    needs_seconds: float = 0.0
    """For so long there has to be room."""
    turning_since: Seconds | None = None
    """Since when every reading has spoken against what is now the case."""
    foreign_mib: int | None = None
    """What others used when there was room last, or when the first reading was taken."""
    relieved_at: Seconds = _NEVER
    """When they pressed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that others want of the memory."""

    asked_until: Seconds = _NEVER
    """The user wants it until then."""
    games: int = 0
    """How many run."""
    game_ended_at: Seconds = _NEVER
    """When the last one ended."""
    crowding: Crowding = Crowding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Others have the memory."""

    cause: Cause
    reason: str
    """In words that can end a sentence."""
    ends: str
    """What ends it, in words that can follow "until"."""
    until: Seconds | None
    """When time alone may end it; None if only something else can."""


# --- what happens ---------------------------------------------------------------------------------------------------


def asked(surroundings: Surroundings, now: Seconds, seconds: float | None) -> Surroundings:
    """The user wants the memory for so long, or until they say otherwise."""
    return replace(surroundings, asked_until=_FOR_EVER if seconds is None else Seconds(now + seconds))


def called_back(surroundings: Surroundings) -> Surroundings:
    """The user has no need of it any more."""
    return replace(surroundings, asked_until=_NEVER)


def games_counted(surroundings: Surroundings, now: Seconds, games: int) -> Surroundings:
    """So many games run now."""
    ended = surroundings.games > 0 and games == 0
    return replace(surroundings, games=games, game_ended_at=now if ended else surroundings.game_ended_at)


def memory_read(surroundings: Surroundings, reading: Reading, rules: YieldRules) -> Surroundings:
    """A reading was taken; the last one was not long ago, or `memory_unwatched` came between."""
    return replace(surroundings, crowding=_look(surroundings.crowding, reading, rules))


def memory_unwatched(surroundings: Surroundings) -> Surroundings:
    """Nothing of ours is in the memory: what others take of it now is nobody's loss."""
    return replace(surroundings, crowding=replace(surroundings.crowding, turning_since=None, foreign_mib=None))


def _look(crowding: Crowding, reading: Reading, rules: YieldRules) -> Crowding:
    turning = _is_roomy if crowding.reason else _is_crowded
    if not turning(crowding, reading, rules):
        return replace(crowding, turning_since=None, foreign_mib=_foreign_at_ease(crowding, reading, rules))
    since = reading.at if crowding.turning_since is None else crowding.turning_since
    lasting = crowding.needs_seconds if crowding.reason else rules.pressed_seconds
    if reading.at - since < lasting:
        return replace(crowding, turning_since=since)
    return _relieved(crowding, reading) if crowding.reason else _pressed(crowding, reading, rules)


def _is_roomy(crowding: Crowding, reading: Reading, rules: YieldRules) -> bool:
    return reading.free_mib is not None and reading.free_mib >= rules.reserve_mib + crowding.needs_mib


def _is_crowded(crowding: Crowding, reading: Reading, rules: YieldRules) -> bool:
    """Less than the reserve is free, and it is others who grew; where that cannot be known, they did."""
    if reading.free_mib is None or reading.free_mib >= rules.reserve_mib:
        return False
    if reading.foreign_mib is None:
        return True
    return crowding.foreign_mib is not None and reading.foreign_mib > crowding.foreign_mib + rules.growth_mib


def _foreign_at_ease(crowding: Crowding, reading: Reading, rules: YieldRules) -> int | None:
    at_ease = reading.free_mib is not None and reading.free_mib >= rules.reserve_mib
    return reading.foreign_mib if at_ease or crowding.foreign_mib is None else crowding.foreign_mib


def _pressed(crowding: Crowding, reading: Reading, rules: YieldRules) -> Crowding:
    soon = reading.at - crowding.relieved_at < rules.calm_seconds
    longer = max(min(2 * crowding.needs_seconds, rules.longest_room_seconds), rules.room_seconds)
    return replace(
        crowding,
        reason=f"other programs left {reading.free_mib} MiB free, where {rules.reserve_mib} MiB are reserved for them",
        needs_mib=reading.largest_mib,
        needs_seconds=longer if soon else rules.room_seconds,
        turning_since=None,
    )


def _relieved(crowding: Crowding, reading: Reading) -> Crowding:
    return replace(crowding, reason="", turning_since=None, relieved_at=reading.at)


# --- what follows ---------------------------------------------------------------------------------------------------


def decide(surroundings: Surroundings, now: Seconds, rules: YieldRules) -> Aside | None:
    """Why Parley is to be aside now, and until when; None if it need not be."""
    return (
        _asked(surroundings, now)
        or _crowded_out(surroundings.crowding, rules)
        or _game(surroundings, now, rules)
    )  # fmt: skip


def _asked(surroundings: Surroundings, now: Seconds) -> Aside | None:
    if now >= surroundings.asked_until:
        return None
    until = None if surroundings.asked_until == _FOR_EVER else surroundings.asked_until
    ends = "you call it back" if until is None else "the time is over or you call it back"
    return Aside(cause="asked", reason="you asked for the memory", ends=ends, until=until)


def _crowded_out(crowding: Crowding, rules: YieldRules) -> Aside | None:
    if not crowding.reason:
        return None
    room_mib = rules.reserve_mib + crowding.needs_mib
    ends = f"{room_mib} MiB have been free for {crowding.needs_seconds:.0f} s"
    return Aside(cause="pressed", reason=crowding.reason, ends=ends, until=None)


def _game(surroundings: Surroundings, now: Seconds, rules: YieldRules) -> Aside | None:
    over_at = Seconds(surroundings.game_ended_at + rules.game_over_seconds)
    if not surroundings.games and now >= over_at:
        return None
    ends = f"no game has been running for {rules.game_over_seconds:.0f} s"
    return Aside(cause="game", reason="a game is running", ends=ends, until=None if surroundings.games else over_at)


def why_back(before: Aside, now: Seconds) -> str:
    """Why Parley need not be aside any more, in words that can end a sentence; `before` is why it was."""
    match before.cause:
        case "asked" if before.until is not None and now >= before.until:
            return "the time that you asked for is over"
        case "asked":
            return "you called it back"
        case "pressed":
            return "there is room again"
        case "game":
            return "the game is over"
