"""What a load would take: which models have to leave for it, and which must stay.

A request may end what nobody uses and nobody waits for before it. A chore or a remark is polite as long as it has not
aged: it ends nothing while somebody more urgent is served, nor what was used a moment ago, because a reply gives the
voice back after each sentence. Foresight ends only what nobody but chores ever used.
"""

from __future__ import annotations

from agent.events import Seconds
from agent.policy.lease_queue import RANKS, queue, rank
from agent.policy.lease_terms import Request, Residence, State
from agent.policy.swapping import Plan, Resident, plan_swap


def plan_load(state: State, home: Residence, request: Request | None, free_mib: int | None, now: Seconds) -> Plan:
    """What has to be done so that `request`, or foresight if that is None, gets the model."""
    return plan_swap(
        home.name,
        home.footprint_mib,
        residents(state, home, request, now),
        free_mib=free_mib,
        reserve_mib=state.limits.reserve_mib,
        guess_mib=state.limits.guess_mib,
        allowed_mib=allowed_mib(state),
    )


def allowed_mib(state: State) -> int | None:
    """What the models that are in memory leave of the budget; None if there is none."""
    if state.limits.budget_mib is None:
        return None
    there = (home for home in state.models if home.phase in ("loading", "resident", "evicting"))
    return state.limits.budget_mib - sum(home.footprint_mib or 0 for home in there)


def residents(state: State, wanted: Residence, request: Request | None, now: Seconds) -> list[Resident]:
    """The heavy models in memory, and which of them must stay if `request` is to get the wanted one."""
    return [
        Resident(
            name=home.name,
            footprint_mib=home.footprint_mib or 0,
            reload_seconds=home.load_seconds or 0.0,
            used_at=home.used_at,
            pinned=_pin(state, home, wanted, request, now),
        )
        for home in state.models
        if home.heavy and home.phase == "resident"
    ]


def waits_for_chore(state: State, wanted: Residence, now: Seconds) -> bool:
    """A model that foresight may end is still in use by a chore."""
    return any(
        home.for_chores and home.heavy and home.phase == "resident" and _pin(state, home, wanted, None, now)
        for home in state.models
    )


def _pin(state: State, home: Residence, wanted: Residence, request: Request | None, now: Seconds) -> str:
    """Why a model must stay; empty if it need not."""
    waiting = queue(state, now)
    for lease in state.leases:
        if lease.request.model == home.name:
            return f"{lease.request.owner} holds the {home.name}"
    for other in waiting:
        if other.suspended and other.model == home.name:
            return f"{other.owner} is in the middle of using the {home.name}"
    for other in waiting[: waiting.index(request)] if request else waiting:
        if other.model == home.name:
            return f"{other.owner} waits for the {home.name} and goes first"
    just_used = home.used_at + state.limits.linger_seconds > now
    if request is None:
        return _pin_against_foresight(home, wanted, just_used=just_used)
    return _pin_against_polite(state, home, request, just_used=just_used) if rank(state.limits, request, now) else ""


def _pin_against_foresight(home: Residence, wanted: Residence, *, just_used: bool) -> str:
    """A chore that works in pieces asks again in a moment; unless the other was foreseen since, it is let."""
    if not home.for_chores:
        return f"the {home.name} may be needed as soon"
    return f"the {home.name} was just used" if just_used and home.used_at > wanted.used_at else ""


def _pin_against_polite(state: State, home: Residence, request: Request, *, just_used: bool) -> str:
    for other in (*(lease.request for lease in state.leases), *state.waiting):
        if RANKS[other.kind] < RANKS[request.kind]:
            return f"{other.owner} is served first"
    return f"the {home.name} was just used" if just_used else ""
