"""Who may run a model next, and what has to be loaded or ended for it.

`step` is the whole scheduler: a state and a happening in, the next state and its effects out. The rules, in the order
in which they are applied after each happening:

 1. What has passed its bound ends: requests are refused; a load that hangs and a lease held too long are ended with
    the process.
 2. A heavy model unused for its time is ended.
 3. Models that are wanted are loaded, the most urgent first; what is in the way leaves by plan.
 4. Leases of light models are granted as soon as the model is resident.
 5. One heavy lease is active at a time. The next is the first of the queue: people before remarks before chores,
    each aged, then the earliest due, then the first to have asked (`lease_queue.next_heavy` has the exceptions).

A lease counts as active until its holder has left or the process that did its work is gone. Whoever gives way at a
checkpoint keeps the model in memory, because half of its work is there.
"""

from __future__ import annotations

from dataclasses import replace

from agent.events import Seconds
from agent.policy import lease_room
from agent.policy.lease_changes import end_lease, evict, failed, now_in, put, refuse, without
from agent.policy.lease_queue import NEVER, RANKS, home_of, lease_of, next_heavy, why_waiting
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Closed,
    Died,
    Effect,
    Evicted,
    Foreseen,
    Grant,
    Happening,
    Held,
    Left,
    Loaded,
    LoadFailed,
    Measured,
    Refuse,
    Request,
    State,
    Suspend,
)


def step(state: State, happening: Happening) -> tuple[State, tuple[Effect, ...]]:
    """The state after the happening, and what is to be done, in order."""
    effects: list[Effect] = []
    now = happening.at
    state = _take(state, happening, effects)
    if not isinstance(happening, Measured):  # anything else may have made room
        state = lease_room.look_again(state, now)
    state = _expire(state, now, effects)
    state = lease_room.expire_loads(state, now, effects)
    state = lease_room.unload_idle(state, now, effects)
    state = lease_room.start_loads(state, now, effects)
    state = _grant_light(state, now, effects)
    state = _grant_heavy(state, now, effects)
    return state, tuple(effects)


# --- what a happening itself changes --------------------------------------------------------------------------------


def _take(state: State, happening: Happening, effects: list[Effect]) -> State:  # noqa: C901  # one line each
    match happening:
        case Asked():
            return _ask(state, happening, effects)
        case Left():
            return _leave(state, happening, effects)
        case Checked():
            return _check(state, happening, effects)
        case Foreseen():
            return lease_room.foreseen(state, happening)
        case Measured():
            return lease_room.measured(state, happening, effects)
        case Loaded():
            return lease_room.loaded(state, happening)
        case LoadFailed():
            return lease_room.load_failed(state, happening, effects)
        case Died():
            return lease_room.died(state, happening, effects)
        case Evicted():
            return lease_room.evicted(state, happening, effects)
        case Closed():
            return _close(state, happening.at, effects)
        case _:
            return state


def _ask(state: State, asked: Asked, effects: list[Effect]) -> State:
    if state.closed:
        effects.append(Refuse(asked.number, "closed", "Parley is stopping."))
        return state
    request = Request(
        number=asked.number,
        model=asked.model,
        owner=asked.owner,
        kind=asked.kind,
        asked_at=asked.at,
        deadline=asked.deadline,
        due=asked.deadline,
        place=asked.number,
    )
    return replace(state, waiting=(*state.waiting, request))


def _leave(state: State, left: Left, effects: list[Effect]) -> State:
    lease = lease_of(state, left.number)
    if lease is None:
        return without(state, [request for request in state.waiting if request.number == left.number])
    if lease.void:  # it ends when its process has
        return state
    return end_lease(state, lease, left.at, effects)


def _check(state: State, checked: Checked, effects: list[Effect]) -> State:
    """Hand over if someone who could run now goes before the holder."""
    lease = lease_of(state, checked.number)
    if lease is None or lease.void or lease.light:
        return state
    back = _requeued(state, lease.request, checked)
    others = tuple(other for other in state.leases if other is not lease)
    given_way = replace(state, leases=others, waiting=(*state.waiting, back))
    if next_heavy(given_way, checked.at) in (back, None):
        kept = replace(lease, until=Seconds(checked.at + state.limits.hold_seconds))
        return replace(state, leases=(*others, kept))
    effects.append(Suspend(checked.number, checked.at - lease.since))
    return given_way


def _requeued(state: State, request: Request, checked: Checked) -> Request:
    """The holder as one who waits again: with its patience renewed, and without a deadline behind its like."""
    deadline = due = checked.deadline
    if deadline is None or due is None:
        deadline = Seconds(checked.at + request.deadline - request.asked_at)
        peers = (other.due for other in state.waiting if RANKS[other.kind] == RANKS[request.kind])
        due = max((deadline, *peers))
    return replace(request, asked_at=checked.at, deadline=deadline, due=due, place=checked.place, suspended=True)


def _close(state: State, now: Seconds, effects: list[Effect]) -> State:
    state = refuse(state, state.waiting, "closed", "Parley is stopping.", effects)
    state = replace(state, closed=True)
    for home in state.models:
        if home.phase in ("loading", "resident"):
            state = evict(state, home, "Parley is stopping", now, effects)
        elif home.phase != "evicting":
            state = put(state, replace(now_in(home, "absent", now), foreseen=False))
    return state


# --- what follows from it -------------------------------------------------------------------------------------------


def _expire(state: State, now: Seconds, effects: list[Effect]) -> State:
    for request in state.waiting:
        if request.deadline <= now:
            waited = now - request.asked_at
            reason = f"The {request.model} could not be had within {waited:.1f} s: {why_waiting(state, request)}."
            state = refuse(state, (request,), "expired", reason, effects)
    for lease in state.leases:
        if not lease.void and lease.until <= now:
            home = failed(state.limits, home_of(state, lease.request.model), started_at=now, now=now)
            reason = f"{lease.request.owner} held it for {now - lease.since:.0f} s without a word"
            state = evict(state, home, reason, now, effects)
    return state


def _grant_light(state: State, now: Seconds, effects: list[Effect]) -> State:
    for request in state.waiting:
        home = home_of(state, request.model)
        if home.phase == "resident" and not home.heavy:
            state = _grant(state, request, now, effects)
    return state


def _grant_heavy(state: State, now: Seconds, effects: list[Effect]) -> State:
    if any(not lease.light for lease in state.leases):
        return state
    request = next_heavy(state, now)
    return state if request is None else _grant(state, request, now, effects)


def _grant(state: State, request: Request, now: Seconds, effects: list[Effect]) -> State:
    home = home_of(state, request.model)
    loading_since = max(request.asked_at, home.loaded_at - home.load_seconds)
    loading = max(0.0, home.loaded_at - loading_since)
    effects.append(Grant(request.number, now - request.asked_at, loading, light=not home.heavy))
    until = Seconds(now + state.limits.hold_seconds) if home.heavy else NEVER
    lease = Held(request=request, since=now, until=until, light=not home.heavy)
    return replace(without(state, (request,)), leases=(*state.leases, lease))
