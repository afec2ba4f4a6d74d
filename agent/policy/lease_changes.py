"""The changes of the scheduler's state that its rules are made of. Effects are appended in the order of the changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_queue import home_of
from agent.policy.lease_terms import (
    Cause,
    Effect,
    Evict,
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


def put(state: State, home: Residence) -> State:
    """The state with this about the model."""
    return replace(state, models=tuple(home if other.name == home.name else other for other in state.models))


def without(state: State, requests: Iterable[Request]) -> State:
    """The state without those who waited."""
    gone = {request.number for request in requests}
    return replace(state, waiting=tuple(request for request in state.waiting if request.number not in gone))


def now_in(home: Residence, phase: Phase, now: Seconds) -> Residence:
    """The model in a new phase."""
    return replace(home, phase=phase, since=now)


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


def end_lease(state: State, lease: Held, now: Seconds, effects: list[Effect]) -> State:
    """The lease is over."""
    effects.append(Release(lease.request.number, now - lease.since))
    state = replace(state, leases=tuple(other for other in state.leases if other is not lease))
    return put(state, replace(home_of(state, lease.request.model), used_at=now))


def refuse(state: State, requests: Iterable[Request], cause: Cause, reason: str, effects: list[Effect]) -> State:
    """These requests are over."""
    refused = tuple(requests)
    effects.extend(Refuse(request.number, cause, reason) for request in refused)
    return without(state, refused)
