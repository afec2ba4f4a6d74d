"""The changes of the scheduler's state that its rules are made of. Effects are appended in the order of the changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_terms import (
    Cause,
    Effect,
    Evict,
    Form,
    Held,
    Limits,
    Phase,
    Refuse,
    Release,
    Request,
    Residence,
    State,
)
from agent.policy.restarting import Retry, crashed

# --- models ---------------------------------------------------------------------------------------------------------


def put(state: State, home: Residence) -> State:
    """The state with this about the model."""
    return replace(state, models=_with(state.models, home))


def _with(models: tuple[Residence, ...], home: Residence) -> tuple[Residence, ...]:
    return tuple([home if other.name == home.name else other for other in models])


def now_in(home: Residence, phase: Phase, now: Seconds) -> Residence:
    """The model in a new phase."""
    return replace(home, phase=phase, since=now)


def shaped(home: Residence, form: Form) -> Residence:
    """The model, to be loaded as this. It counts as heavy unless its form or the user says otherwise."""
    if form == home.form:
        return home
    return replace(home, form=form, heavy=form != "light" and home.setting is not False)


def failed(limits: Limits, home: Residence, *, started_at: Seconds, now: Seconds) -> Residence:
    """The model after its process, which ran since `started_at`, came to a bad end."""
    health, verdict = crashed(home.health, limits.restarts, started_at=started_at, now=now)
    pause = verdict.seconds if isinstance(verdict, Retry) else limits.restarts.longest_seconds
    return replace(home, health=health, retry_at=Seconds(now + pause), foreseen=False)


def evict(state: State, home: Residence, reason: str, now: Seconds, effects: list[Effect]) -> State:
    """End a process; leases on it are void, and active until it is gone."""
    effects.append(Evict(home.name, reason))
    leases = (replace(lease, void=True) if lease.request.model == home.name else lease for lease in state.leases)
    return replace(put(state, now_in(home, "evicting", now)), leases=tuple(leases))


# --- requests and leases --------------------------------------------------------------------------------------------


def without(state: State, requests: Iterable[Request]) -> State:
    """The state without those who waited."""
    gone = {request.number for request in requests}
    return replace(state, waiting=tuple([request for request in state.waiting if request.number not in gone]))


def refuse(state: State, requests: Iterable[Request], cause: Cause, reason: str, effects: list[Effect]) -> State:
    """These requests are over."""
    refused = tuple(requests)
    effects.extend(Refuse(request.number, cause, reason) for request in refused)
    return without(state, refused) if refused else state


def restart(state: State, model: str) -> State:
    """Whoever is in the middle of using the model waits on, to begin again: its process is being ended."""
    return replace(
        state,
        waiting=tuple(
            replace(request, suspended=False, restarted=True)
            if request.suspended and request.model == model
            else request
            for request in state.waiting
        ),
    )


def end_lease(state: State, lease: Held, now: Seconds, effects: list[Effect]) -> State:
    """The lease is over."""
    effects.append(Release(lease.request.number, now - lease.since))
    used = next(home for home in state.models if home.name == lease.request.model)
    return replace(
        state,
        leases=tuple([other for other in state.leases if other is not lease]),
        models=_with(state.models, replace(used, used_at=now)),
    )
