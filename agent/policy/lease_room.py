"""What becomes of the models themselves: measured, loaded, ended, and what that does to who waits for them.

One heavy model at a time is measured, loaded or ended, so that the memory that is read is the memory there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_changes import end_lease, evict, failed, now_in, put, refuse
from agent.policy.lease_queue import home_of, is_arranging, may_idle, queue
from agent.policy.lease_terms import (
    Cause,
    Died,
    Effect,
    Evicted,
    Foreseen,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Measured,
    Request,
    Residence,
    Skip,
    State,
)
from agent.policy.swapping import Plan, Resident, plan_swap

# --- what happens to a model ----------------------------------------------------------------------------------------


def foreseen(state: State, news: Foreseen) -> State:
    """It is loaded when there is room, or kept."""
    if state.closed:
        return state
    home = home_of(state, news.model)
    return put(state, replace(home, foreseen=home.phase != "resident", used_at=news.at))


def measured(state: State, news: Measured, effects: list[Effect]) -> State:
    """Load it, or make room for it."""
    home = home_of(state, news.model)
    if home.phase != "measuring":
        return state
    request = next((other for other in queue(state, news.at) if other.model == home.name), None)
    nobody_wants_it = request is None and not home.foreseen
    if nobody_wants_it or is_arranging(state, "evicting"):  # memory is coming back: look again then
        return put(state, now_in(home, "absent", news.at))
    plan = _plan(state, home, request, news)
    if plan.outcome == "load":
        effects.append(Load(home.name))
        return put(state, now_in(home, "loading", news.at))
    if request is None:
        return _skip(state, home, plan.reason, news.at, effects)
    if plan.outcome == "wait":
        return put(state, now_in(home, "blocked", news.at))
    if plan.outcome == "refuse":
        state = _skip(state, home, plan.reason, news.at, effects)
        return refuse(state, _waiting_for(state, home), "no_room", plan.reason, effects)
    state = put(state, now_in(home, "absent", news.at))
    for name in plan.evict:
        state = evict(state, home_of(state, name), f"made room for the {home.name}", news.at, effects)
    return state


def loaded(state: State, news: Loaded) -> State:
    """It is resident, and known better than before."""
    home = home_of(state, news.model)
    if home.phase != "loading":
        return state
    fresh = replace(
        now_in(home, "resident", news.at),
        heavy=news.heavy if home.setting is None else home.setting,
        used_at=news.at,
        loaded_at=news.at,
        load_seconds=news.at - home.since,
        vram_mib=news.vram_mib,
        foreseen=False,
    )
    return put(state, fresh)


def load_failed(state: State, news: LoadFailed, effects: list[Effect]) -> State:
    """Everyone who waits for it is told."""
    home = home_of(state, news.model)
    if home.phase != "loading":
        return state
    return _give_up_load(state, home, "load_failed", news.error, news.at, effects)


def died(state: State, news: Died, effects: list[Effect]) -> State:
    """The next lease loads a fresh one."""
    home = home_of(state, news.model)
    if home.phase != "resident":
        return state
    home = failed(state.limits, home, started_at=home.loaded_at, now=news.at)
    return _bereave(put(state, now_in(home, "absent", news.at)), home, news.at, effects)


def evicted(state: State, news: Evicted, effects: list[Effect]) -> State:
    """Its memory is free."""
    home = home_of(state, news.model)
    if home.phase != "evicting":
        return state
    return _bereave(put(state, now_in(home, "absent", news.at)), home, news.at, effects)


def _bereave(state: State, home: Residence, now: Seconds, effects: list[Effect]) -> State:
    """The process is gone: so are its leases, and the half-done work of those who gave way."""
    for lease in state.leases:
        if lease.request.model == home.name:
            state = end_lease(state, lease, now, effects)
    lost = [request for request in _waiting_for(state, home) if request.suspended]
    return refuse(state, lost, "died", f"The {home.name}'s worker ended in the middle of its work.", effects)


# --- making room ----------------------------------------------------------------------------------------------------


def _plan(state: State, home: Residence, request: Request | None, news: Measured) -> Plan:
    return plan_swap(
        home.name,
        home.vram_mib,
        _residents(state, request, news.at),
        free_mib=news.free_mib,
        reserve_mib=state.limits.reserve_mib,
        guess_mib=state.limits.guess_mib,
    )


def _residents(state: State, request: Request | None, now: Seconds) -> list[Resident]:
    """The heavy models in memory, and which of them must stay if `request` is to be served."""
    waiting = queue(state, now)
    before = waiting[: waiting.index(request)] if request else waiting
    return [
        Resident(
            name=home.name,
            vram_mib=home.vram_mib or 0,
            reload_seconds=home.load_seconds,
            used_at=home.used_at,
            pinned=_pin(state, home, before),
        )
        for home in state.models
        if home.heavy and home.phase == "resident"
    ]


def _pin(state: State, home: Residence, before: Iterable[Request]) -> str:
    """Why a model must stay; empty if it need not."""
    for lease in state.leases:
        if lease.request.model == home.name:
            return f"{lease.request.owner} holds the {home.name}"
    for request in _waiting_for(state, home):
        if request.suspended:
            return f"{request.owner} is in the middle of using the {home.name}"
    for request in before:
        if request.model == home.name:
            return f"{request.owner} waits for the {home.name} and goes first"
    return ""


def _skip(state: State, home: Residence, reason: str, now: Seconds, effects: list[Effect]) -> State:
    if home.foreseen:
        effects.append(Skip(home.name, reason))
    return put(state, replace(now_in(home, "absent", now), foreseen=False))


def _waiting_for(state: State, home: Residence) -> list[Request]:
    return [request for request in state.waiting if request.model == home.name]


# --- what follows ---------------------------------------------------------------------------------------------------


def look_again(state: State, now: Seconds) -> State:
    """Room that was taken may be free now."""
    for home in state.models:
        if home.phase == "blocked":
            state = put(state, now_in(home, "absent", now))
    return state


def expire_loads(state: State, now: Seconds, effects: list[Effect]) -> State:
    """A load that takes too long has hung."""
    for home in state.models:
        if home.phase == "loading" and home.since + state.limits.load_seconds <= now:
            reason = f"The {home.name} was not loaded within {state.limits.load_seconds:g} s."
            state = _give_up_load(state, home, "load_hung", reason, now, effects)
    return state


def _give_up_load(
    state: State, home: Residence, cause: Cause, reason: str, now: Seconds, effects: list[Effect]
) -> State:
    state = evict(state, failed(state.limits, home, started_at=now, now=now), reason, now, effects)
    return refuse(state, _waiting_for(state, home), cause, reason, effects)


def unload_idle(state: State, now: Seconds, effects: list[Effect]) -> State:
    """A heavy model that nobody used for its time is ended."""
    for home in state.models:
        if may_idle(state, home) and home.used_at + state.limits.idle_seconds <= now:
            state = evict(state, home, f"nobody used it for {state.limits.idle_seconds:g} s", now, effects)
    return state


def start_loads(state: State, now: Seconds, effects: list[Effect]) -> State:
    """Begin with what is wanted most urgently; light models need not be measured."""
    wanted = [request.model for request in queue(state, now)]
    wanted += [home.name for home in state.models if home.foreseen]
    for name in dict.fromkeys(wanted):
        home = home_of(state, name)
        if home.phase != "absent" or now < home.retry_at:
            continue
        if not home.heavy:
            effects.append(Load(name))
            state = put(state, now_in(home, "loading", now))
        elif not is_arranging(state, "measuring", "loading", "evicting"):
            effects.append(Measure(name))
            state = put(state, now_in(home, "measuring", now))
    return state
