"""As what a model is loaded: in full, smaller because the memory ran out, or light because Parley yields it.

A model that is not in its best form gets that back with the load that follows an idle unload, a last refusal, or
relief. While Parley yields, what is heavy and takes memory is ended, whatever it does, and nothing such is loaded.
"""

from __future__ import annotations

from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_changes import evict, now_in, put, refuse, restart, shaped
from agent.policy.lease_queue import home_of, is_unused
from agent.policy.lease_terms import Effect, Form, Limits, Residence, State


def to_load(state: State, home: Residence) -> Residence:
    """An absent model, in the form in which it is to be loaded now."""
    if state.yielding:
        return shaped(home, "light") if home.takes_memory and "light" in home.forms else home
    return replace(shaped(home, home.forms[0]), renew=False) if home.renew else home


def less(limits: Limits, home: Residence) -> Form | None:
    """The next smaller form that the model has and may be loaded as; None if there is none."""
    smaller = home.forms[home.forms.index(home.form) + 1 :]
    return next((form for form in smaller if form != "light" or limits.may_degrade), None)


def to_be_renewed(home: Residence) -> Residence:
    """The model, to be loaded in its best form next time."""
    return replace(home, renew=home.form != home.forms[0])


# --- yielding -------------------------------------------------------------------------------------------------------


def relieved(state: State) -> State:
    """Whatever could not be what it is at its best may become that again."""
    if not state.yielding:
        return state
    return replace(state, yielding="", models=tuple(map(to_be_renewed, state.models)))


def step_aside(state: State, now: Seconds, effects: list[Effect]) -> State:
    """While Parley yields: end what takes memory, and refuse whoever waits for what has no light form."""
    if not state.yielding:
        return state
    for home in state.models:
        if home.takes_memory and home.phase in ("loading", "resident"):
            state = restart(evict(state, home, f"stepped aside: {state.yielding}", now, effects), home.name)
        elif home.takes_memory and home.phase == "measuring":
            state = put(state, now_in(home, "absent", now))
    hopeless = [request for request in state.waiting if _is_hopeless(home_of(state, request.model))]
    return refuse(state, hopeless, "yielded", f"Parley has stepped aside: {state.yielding}.", effects)


def _is_hopeless(home: Residence) -> bool:
    return home.takes_memory and "light" not in home.forms


def renew(state: State, now: Seconds, effects: list[Effect]) -> State:
    """A model that can be more than it is ends for that, once nobody uses it, and is loaded again soon."""
    if state.yielding:
        return state
    for home in state.models:
        if home.renew and is_unused(state, home):
            state = evict(state, replace(home, foreseen=True), "there is room for more of it again", now, effects)
    return state
