"""Questions about the scheduler's state: whose turn it is, when time will change something, who waits for what."""

from __future__ import annotations

from typing import Final

from agent.events import Seconds
from agent.policy.lease_terms import Held, Kind, Limits, Phase, Request, Residence, State

NEVER: Final = Seconds(float("inf"))
RANKS: Final[dict[Kind, int]] = {"hearing": 0, "replying": 0, "remark": 1, "chore": 2}
"""Less is more urgent."""


# --- whose turn it is -----------------------------------------------------------------------------------------------


def queue(state: State, now: Seconds) -> list[Request]:
    """Everyone who waits, the most urgent first."""
    return sorted(state.waiting, key=lambda request: _order(state.limits, request, now))


def rank(limits: Limits, request: Request, now: Seconds) -> int:
    """How urgent the kind is; after its time anything is as urgent as a reply."""
    return 0 if _ages_at(limits, request) <= now else RANKS[request.kind]


def _order(limits: Limits, request: Request, now: Seconds) -> tuple[int, Seconds, int]:
    """Less goes first. Whoever has aged was due when it did: only finitely many go before it, so nothing starves."""
    due = min(request.due, _ages_at(limits, request)) if RANKS[request.kind] else request.due
    return rank(limits, request, now), due, request.place


def _ages_at(limits: Limits, request: Request) -> Seconds:
    match request.kind:
        case "remark":
            return Seconds(request.asked_at + limits.remark_ages_seconds)
        case "chore":
            return Seconds(request.asked_at + limits.chore_ages_seconds)
        case _:
            return request.asked_at


def next_heavy(state: State, now: Seconds) -> Request | None:
    """Who may run if no heavy lease is active.

    The first of the queue, if it can. While its model loads, or what is polite waits for room, another may run whose
    kind is as urgent. While it waits for half-done work to be finished, only that may go on.
    """
    least_urgent = max(RANKS.values())
    only_suspended = False
    for request in queue(state, now):
        home = home_of(state, request.model)
        urgency = rank(state.limits, request, now)
        if not home.heavy:
            continue
        if home.phase == "resident" and not _is_occupied(state, request):
            if urgency <= least_urgent and (request.suspended or not only_suspended):
                return request
        elif home.phase == "resident" or (home.phase == "blocked" and not urgency):
            only_suspended = True
        elif home.phase in ("blocked", "loading") or now < home.retry_at or is_arranging(state, "loading"):
            least_urgent = min(least_urgent, urgency)
        else:  # its room is being made: nobody may take it away
            return None
    return None


def _is_occupied(state: State, request: Request) -> bool:
    """Someone else's half-done work is in the model's process, which does one thing at a time."""
    return any(other.suspended and other.model == request.model and other is not request for other in state.waiting)


# --- when time will change something --------------------------------------------------------------------------------


def wakes_at(state: State, now: Seconds) -> Seconds | None:
    """When time alone will change something; None if only a happening can."""
    limits = state.limits
    moments = [request.deadline for request in state.waiting]
    moments += [lease.until for lease in state.leases if not lease.void and lease.until != NEVER]
    for home in state.models:
        if home.phase == "loading":
            moments.append(Seconds(home.since + limits.load_seconds))
        elif home.phase == "resident" and may_idle(state, home):
            moments.append(Seconds(home.used_at + limits.idle_seconds))
        elif home.phase == "absent" and home.retry_at > now and is_wanted(state, home):
            moments.append(home.retry_at)
    if any(home.phase == "blocked" for home in state.models):
        lingering = (Seconds(home.used_at + limits.linger_seconds) for home in state.models if home.phase == "resident")
        moments += [moment for moment in lingering if moment > now]
    return min(moments, default=None)


def may_idle(state: State, home: Residence) -> bool:
    """Nobody uses it or waits for it, so that it idles towards its end: what is heavy, or could be more than it is."""
    return state.limits.idle_seconds > 0 and (home.heavy or home.form != home.forms[0]) and is_unused(state, home)


def is_unused(state: State, home: Residence) -> bool:
    """It is loaded, and nobody uses it or waits for it."""
    if home.phase != "resident":
        return False
    name = home.name
    for lease in state.leases:
        if lease.request.model == name:
            return False
    return not _has_waiting(state, name)


# --- where things are -----------------------------------------------------------------------------------------------


def home_of(state: State, model: str) -> Residence:
    """Where a model is. Raises KeyError for one that there is not."""
    for home in state.models:
        if home.name == model:
            return home
    raise KeyError(model)


def lease_of(state: State, number: int) -> Held | None:
    """The lease with this number, if it is held."""
    for lease in state.leases:
        if lease.request.number == number:
            return lease
    return None


def is_wanted(state: State, home: Residence) -> bool:
    """Someone waits for it, or will soon."""
    return home.foreseen or _has_waiting(state, home.name)


def _has_waiting(state: State, model: str) -> bool:
    return any(request.model == model for request in state.waiting)


def is_arranging(state: State, *phases: Phase) -> bool:
    """A heavy model is in one of these phases."""
    return any(home.heavy and home.phase in phases for home in state.models)
