"""The scheduler's state for a person: what is where, who holds it, who waits and why, what the next load would do."""

from __future__ import annotations

from typing import Final

from agent.events import Seconds
from agent.policy.lease_forms import to_load
from agent.policy.lease_plans import plan_load
from agent.policy.lease_queue import home_of, queue
from agent.policy.lease_terms import Form, Phase, Request, Residence, State

_WHERE: Final[dict[Phase, str]] = {
    "absent": "not loaded",
    "measuring": "not loaded",
    "blocked": "waiting for room",
    "loading": "loading",
    "resident": "loaded",
    "evicting": "being ended",
}
_AS: Final[dict[Form, str]] = {"full": "", "smaller": " smaller than set", "light": " as its light form"}


def in_words(state: State, now: Seconds, free_mib: int | None) -> dict[str, str | list[str]]:
    """Every model, everyone who waits and for what, the next loads, and why the memory is yielded, if it is.

    `free_mib` is what is free of the memory now; None if it cannot be read.
    """
    words: dict[str, str | list[str]] = {home.name: _home_in_words(state, home, now) for home in state.models}
    words["waiting"] = [
        f"{request.owner} for the {request.model} ({request.kind}), for {now - request.asked_at:.1f} s, "
        f"at most {request.deadline - now:.1f} s more: {why_waiting(state, request)}"
        for request in queue(state, now)
    ]
    words["next loads"] = _next_loads(state, now, free_mib)
    words["yielding"] = state.yielding or "no"
    return words


def why_waiting(state: State, request: Request) -> str:
    """What a request waits for, in words."""
    home = home_of(state, request.model)
    holder = next((lease.request for lease in state.leases if not lease.light), None)
    match home.phase:
        case "loading":
            return f"the {home.name} is being loaded"
        case "evicting":
            return f"the {home.name}'s process is being ended"
        case "blocked":
            return f"the memory for the {home.name} is in use"
        case "absent" if home.health.in_a_row:
            return f"the {home.name} is down after {_failures(home)}"
        case "resident" if holder:
            return f"{holder.owner} holds the {holder.model}"
        case "resident":
            return "others go first"
        case _:
            return f"the {home.name} is not loaded"


# --- models ---------------------------------------------------------------------------------------------------------


def _home_in_words(state: State, home: Residence, now: Seconds) -> str:
    words = _WHERE[home.phase]
    if home.phase == "resident":
        footprint = f", {home.footprint_mib} MiB" if home.footprint_mib else ""
        words += f"{_AS[home.form]}, {'heavy' if home.heavy else 'light'}{footprint}"
    for lease in state.leases:
        if lease.request.model == home.name:
            words += f", held by {lease.request.owner} for {now - lease.since:.1f} s"
    for request in state.waiting:
        if request.model == home.name and request.suspended:
            words += f", in the middle of the work of {request.owner}, who gave way"
    if home.health.in_a_row and home.phase != "resident":
        words += f" after {_failures(home)}"
    return words


def _failures(home: Residence) -> str:
    return "a failure" if home.health.in_a_row == 1 else f"{home.health.in_a_row} failures in a row"


# --- plans ----------------------------------------------------------------------------------------------------------


def _next_loads(state: State, now: Seconds, free_mib: int | None) -> list[str]:
    """What the load of each heavy model that is not in memory would do now, those that are waited for first."""
    firsts = {request.model: request for request in reversed(queue(state, now))}
    out = [home for home in state.models if home.heavy and home.phase in ("absent", "measuring", "blocked")]
    out.sort(key=lambda home: home.name not in firsts)
    return [_next_load(state, to_load(state, home), firsts.get(home.name), now, free_mib) for home in out]


def _next_load(state: State, home: Residence, request: Request | None, now: Seconds, free_mib: int | None) -> str:
    if home.form == "light":
        return f"{home.name}: loads{_AS['light']}, which takes no memory of the GPU."
    if state.yielding and home.takes_memory:
        return f"{home.name}: is not loaded while others need the memory."
    plan = plan_load(state, home, request, free_mib, now)
    what = {
        "load": f"loads{_AS[home.form]}",
        "evict": f"ends the {' and the '.join(plan.evict)} and loads{_AS[home.form]}",
        "wait": "waits",
        "refuse": "is refused",
    }[plan.outcome]
    return f"{home.name}: {what}. {plan.reason}"
