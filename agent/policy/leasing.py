"""Who may run a model next, and what has to be loaded or ended for it.

`step` is the whole scheduler: a state and a happening in, the next state and its effects out. The rules, in the order
in which they are applied after each happening:

 1. What has passed its bound ends: requests are refused; a load that hangs and a lease held too long are ended with
    the process.
 2. While Parley yields, what is heavy and takes memory is ended, and whoever could only use such a model is refused.
 3. A model unused for its time is ended, and one that had to be less than it can be, once nobody uses it.
 4. Models that are wanted are loaded, the most urgent first; what is in the way leaves by plan.
 5. Leases of light models are granted as soon as the model is resident.
 6. One heavy lease is active at a time. The next is the first of the queue: people before remarks before chores,
    each aged, then the earliest due, then the first to have asked (`lease_queue.next_heavy` has the exceptions).

A lease counts as active until its holder has left or the process that did its work is gone.
"""

from __future__ import annotations

from dataclasses import replace

from agent.events import Seconds
from agent.policy import lease_forms, lease_room
from agent.policy.lease_changes import end_lease, evict, failed, now_in, put, refuse, without
from agent.policy.lease_checkpoints import checked
from agent.policy.lease_queue import NEVER, home_of, lease_of, next_heavy
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
    Pressed,
    Refuse,
    Relieved,
    Request,
    State,
)
from agent.policy.lease_words import why_waiting


def step(state: State, happening: Happening) -> tuple[State, tuple[Effect, ...]]:
    """The state after the happening, and what is to be done, in order."""
    effects: list[Effect] = []
    now = happening.at
    state = _take(state, happening, effects)
    if not isinstance(happening, Measured):  # anything else may have made room
        state = lease_room.look_again(state, now)
    state = _expire(state, now, effects)
    state = lease_room.expire_loads(state, now, effects)
    state = lease_forms.step_aside(state, now, effects)
    state = lease_forms.renew(state, now, effects)
    state = lease_room.unload_idle(state, now, effects)
    state = lease_room.start_loads(state, now, effects)
    state = _grant_light(state, now, effects)
    state = _grant_heavy(state, now, effects)
    return state, tuple(effects)


# --- what a happening itself changes --------------------------------------------------------------------------------


def _take(state: State, happening: Happening, effects: list[Effect]) -> State:  # noqa: C901, PLR0912  # one line each
    match happening:
        case Asked():
            return _ask(state, happening, effects)
        case Left():
            return _leave(state, happening, effects)
        case Checked():
            return checked(state, happening, effects)
        case Foreseen():
            return lease_room.foreseen(state, happening)
        case Measured():
            return lease_room.measured(state, happening, effects)
        case Loaded():
            return lease_room.loaded(state, happening, effects)
        case LoadFailed():
            return lease_room.load_failed(state, happening, effects)
        case Died():
            return lease_room.died(state, happening, effects)
        case Evicted():
            return lease_room.evicted(state, happening, effects)
        case Pressed(reason=reason):
            return replace(state, yielding=reason)
        case Relieved():
            return lease_forms.relieved(state)
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
        due=asked.due,
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


def _close(state: State, now: Seconds, effects: list[Effect]) -> State:
    state = refuse(state, state.waiting, "closed", "Parley is stopping.", effects)
    state = replace(state, closed=True, models=tuple(replace(home, foreseen=False) for home in state.models))
    for home in state.models:
        if home.phase in ("loading", "resident"):
            state = evict(state, home, "Parley is stopping", now, effects)
        elif home.phase != "evicting":
            state = put(state, now_in(home, "absent", now))
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
    if not state.waiting or any(not lease.light for lease in state.leases):
        return state
    request = next_heavy(state, now)
    return state if request is None else _grant(state, request, now, effects)


def _grant(state: State, request: Request, now: Seconds, effects: list[Effect]) -> State:
    home = home_of(state, request.model)
    loading_since = max(request.asked_at, home.loaded_at - (home.load_seconds or 0.0))
    loading = max(0.0, home.loaded_at - loading_since)
    restarted = request.restarted and not request.suspended
    effects.append(Grant(request.number, now - request.asked_at, loading, light=not home.heavy, restarted=restarted))
    until = Seconds(now + state.limits.hold_seconds) if home.heavy else NEVER
    lease = Held(request=request, since=now, until=until, light=not home.heavy)
    if home.for_chores and request.kind != "chore":
        state = put(state, replace(home, for_chores=False))
    waiting = tuple([other for other in state.waiting if other is not request])
    return replace(state, waiting=waiting, leases=(*state.leases, lease))
