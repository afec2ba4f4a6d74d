"""What becomes of the models themselves: measured, loaded, ended, and what that does to who waits for them.

One heavy model at a time is measured, loaded or ended, so that the memory that is read is the memory there is.
"""

from __future__ import annotations

from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_changes import end_lease, evict, failed, now_in, put, refuse, shaped
from agent.policy.lease_forms import less, to_be_renewed, to_load
from agent.policy.lease_plans import allowed_mib, plan_load, residents, waits_for_chore
from agent.policy.lease_queue import home_of, is_arranging, is_wanted, may_idle, queue
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

# --- what happens to a model ----------------------------------------------------------------------------------------


def foreseen(state: State, news: Foreseen) -> State:
    """It is loaded when there is room, or kept; from now on it is not for chores alone."""
    if state.closed:
        return state
    home = home_of(state, news.model)
    return put(state, replace(home, foreseen=home.phase != "resident", used_at=news.at, for_chores=False))


def measured(state: State, news: Measured, effects: list[Effect]) -> State:
    """Load it, or make room for it; what leaves comes back as soon as only a chore's model is in its way."""
    home = home_of(state, news.model)
    if home.phase != "measuring":
        return state
    request = _first_for(state, home, news.at)
    nobody_wants_it = request is None and not home.foreseen
    if nobody_wants_it or is_arranging(state, "evicting"):  # memory is coming back: look again then
        return put(state, now_in(home, "absent", news.at))
    plan = plan_load(state, home, request, news.free_mib, news.at)
    if plan.outcome == "load":
        effects.append(Load(home.name, home.form))
        return put(state, now_in(home, "loading", news.at))
    if plan.outcome == "wait" and (request or waits_for_chore(state, home, news.at)):
        return put(state, now_in(home, "blocked", news.at))
    if plan.outcome in ("wait", "refuse"):
        state = _skip(state, home, plan.reason, news.at, effects)
        state = refuse(state, _waiting_for(state, home), "no_room", plan.reason, effects)
        return look_again(state, news.at)  # who was polite to them need not be any more
    state = put(state, now_in(home, "absent", news.at))
    for name in plan.evict:
        leaving = home_of(state, name)
        leaving = replace(leaving, foreseen=not leaving.for_chores)
        state = evict(state, leaving, f"made room for the {home.name}", news.at, effects)
    return state


def loaded(state: State, news: Loaded, effects: list[Effect]) -> State:
    """It is resident, and known better than before; what takes more than the budget leaves has no room after all."""
    home = home_of(state, news.model)
    if home.phase != "loading":
        return state
    footprints = {**dict(home.footprints), home.form: news.footprint_mib}
    fresh = replace(home, load_seconds=news.at - home.since, footprints=tuple(sorted(footprints.items())))
    if home.form != "light":
        fresh = replace(fresh, heavy=news.heavy if home.setting is None else home.setting)
    left_mib = allowed_mib(put(state, fresh))
    if fresh.heavy and left_mib is not None and left_mib < 0:
        return _make_all_room(put(state, fresh), fresh, "took more memory than the budget leaves", news.at, effects)
    fresh = now_in(fresh, "resident", news.at)
    return put(state, replace(fresh, used_at=news.at, loaded_at=news.at, foreseen=False))


def load_failed(state: State, news: LoadFailed, effects: list[Effect]) -> State:
    """Everyone who waits for it is told, unless it was the memory, and less of it may do or more can be had."""
    home = home_of(state, news.model)
    if home.phase != "loading":
        return state
    if news.out_of_memory:
        return _make_all_room(state, home, "ran out of memory", news.at, effects)
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


def _make_all_room(state: State, home: Residence, what: str, now: Seconds, effects: list[Effect]) -> State:
    """A load broke the bounds of the memory: end what may be ended, and load it once more as less, if it can be that.

    It is loaded as what it is where others make room that no smaller form would need. Each time there is less to end
    or a smaller form; where there is neither, those who wait are told what was tried.
    """
    request = _first_for(state, home, now)
    there = residents(state, home, request, now) if request else []
    others = [resident.name for resident in there if resident.footprint_mib and not resident.pinned]
    form = less(state.limits, home)
    if others and form in ("light", None):
        form = home.form
    if form is None:
        tried = ", then ".join(home.forms[: home.forms.index(home.form) + 1])
        reason = f"The {home.name} {what} when it was loaded ({tried}), and nothing more can be ended for it."
        if home.foreseen:
            effects.append(Skip(home.name, reason))
        return _give_up_load(state, to_be_renewed(home), "no_room", reason, now, effects)
    state = evict(state, shaped(home, form), f"{what}: it is loaded again ({form})", now, effects)
    for name in others:
        state = evict(state, home_of(state, name), f"made room for the {home.name}, which {what}", now, effects)
    return state


def _skip(state: State, home: Residence, reason: str, now: Seconds, effects: list[Effect]) -> State:
    if home.foreseen:
        effects.append(Skip(home.name, reason))
    return put(state, replace(now_in(home, "absent", now), foreseen=False))


def _first_for(state: State, home: Residence, now: Seconds) -> Request | None:
    """Who waits for it most urgently."""
    return next((request for request in queue(state, now) if request.model == home.name), None)


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
    """A model that nobody used for its time is ended."""
    seconds = state.limits.idle_seconds
    for home in state.models:
        if home.used_at + seconds <= now and may_idle(state, home):
            state = evict(state, to_be_renewed(home), f"nobody used it for {seconds:g} s", now, effects)
    return state


def start_loads(state: State, now: Seconds, effects: list[Effect]) -> State:
    """Begin with what is wanted most urgently; light models need not be measured.

    What somebody waits for in vain, because there is no room yet, has the room that there will be: foresight waits.
    """
    absent = {
        home.name for home in state.models if home.phase == "absent" and home.retry_at <= now and is_wanted(state, home)
    }
    if not absent:
        return state
    wanted = [request.model for request in queue(state, now)]
    foreseen_too = [home.name for home in state.models if home.foreseen]
    for name in dict.fromkeys(wanted + foreseen_too):
        if name in absent and (name in wanted or not _lacks_room(state)):
            state = _start_load(state, to_load(state, home_of(state, name)), now, effects)
    return state


def _lacks_room(state: State) -> bool:
    """Somebody waits for a model that cannot be loaded before something in use is not."""
    return any(home_of(state, request.model).phase == "blocked" for request in state.waiting)


def _start_load(state: State, home: Residence, now: Seconds, effects: list[Effect]) -> State:
    if not home.heavy:
        effects.append(Load(home.name, home.form))
        return put(state, now_in(home, "loading", now))
    if state.yielding and home.takes_memory:
        return _skip(state, home, f"Parley has stepped aside: {state.yielding}.", now, effects)
    if is_arranging(state, "measuring", "loading", "evicting"):
        return put(state, home)
    effects.append(Measure(home.name))
    return put(state, now_in(home, "measuring", now))
