"""What must always hold of the scheduler, each rule with its name and in words.

A rule looks at one step of a world: the world before, what happened, what was ordered, the world after.
`tests/agent/policy/lease_worlds.py` has the worlds and applies the rules to every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.events import Seconds
from agent.policy.lease_queue import wakes_at
from agent.policy.lease_terms import (
    Effect,
    Evict,
    Grant,
    Happening,
    Load,
    Suspend,
)

if TYPE_CHECKING:
    from tests.agent.policy.lease_worlds import World

MOST_BEGUN: Final = 2
"""So many others may begin to use heavy models before a request whose time has come, unless its model is on its way."""
MOST_LOADS: Final = 2
"""So many loads of other heavy models may begin before it."""


class Step(NamedTuple):
    """One step of a world."""

    before: World
    happening: Happening
    effects: tuple[Effect, ...]
    after: World
    opened: frozenset[int]
    """The requests that had not ended before the step, and the new one."""
    ended: list[int]
    """The requests that came to an end, one by one."""


class Broken(AssertionError):
    """A rule does not hold."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold of every step."""

    name: str
    words: str
    holds: Callable[[Step], bool]


def check(step: Step) -> None:
    """Raise `Broken` with the first rule that does not hold."""
    for rule in RULES:
        if not rule.holds(step):
            raise Broken(f"{rule.name}: not true that {rule.words[0].lower()}{rule.words[1:]}")


# --- the rules ------------------------------------------------------------------------------------------------------


def _one_at_a_time(step: Step) -> bool:
    return sum(not lease.light for lease in step.after.state.leases) <= 1


def _one_arrangement(step: Step) -> bool:
    models = step.after.state.models
    return sum(home.heavy and home.phase in ("measuring", "loading") for home in models) <= 1


def _budget(step: Step) -> bool:
    """A model of unknown size is loaded to be measured: it alone may turn out too large, and its load fails then."""
    limits, known = step.after.state.limits, {home.name: dict(home.footprints) for home in step.before.state.models}
    if not any(isinstance(effect, Load) and effect.form in known[effect.model] for effect in step.effects):
        return True
    free_mib = step.after.free_mib()
    taken_mib = step.after.total_mib - free_mib
    return free_mib >= limits.reserve_mib and (limits.budget_mib is None or taken_mib <= limits.budget_mib)


def _yielding(step: Step) -> bool:
    state, phases = step.after.state, step.after.phases()
    if not state.yielding:
        return True
    return all(not step.after.size(model, form) or phases[model] == "evicting" for model, form in step.after.running)


def _ends_once(step: Step) -> bool:
    return len(set(step.ended)) == len(step.ended) and step.opened.issuperset(step.ended)


def _nobody_is_lost(step: Step) -> bool:
    state = step.after.state
    found = [*(one.number for one in state.waiting), *(lease.request.number for lease in state.leases)]
    return len(found) == len(step.after.open) and step.after.open.issuperset(found)


def _granted_in_time(step: Step) -> bool:
    granted = {effect.number for effect in step.effects if isinstance(effect, Grant)}
    if not granted:
        return True
    late = any(one.number in granted and one.deadline <= step.happening.at for one in step.before.state.waiting)
    held = {lease.request.number for lease in step.after.state.leases}
    return not late and granted <= held & step.opened


def _waits_told(step: Step) -> bool:
    return all(
        effect.waited_seconds >= effect.load_seconds >= 0 for effect in step.effects if isinstance(effect, Grant)
    )


def _deadlines(step: Step) -> bool:
    return all(request.deadline > step.after.now for request in step.after.state.waiting)


def _leases_live_in_processes(step: Step) -> bool:
    phases = step.after.phases()
    return all(
        phases[lease.request.model] == ("evicting" if lease.void else "resident") for lease in step.after.state.leases
    )


def _half_done_work_stays(step: Step) -> bool:
    phases = step.after.phases()
    return all(
        phases[request.model] in ("resident", "evicting") for request in step.after.state.waiting if request.suspended
    )


def _one_process_each(step: Step) -> bool:
    believed = [home.name for home in step.after.state.models if home.phase in ("loading", "resident", "evicting")]
    return sorted(believed) == [model for model, _form in step.after.running]


def _measured(step: Step) -> bool:
    return all(home.name in step.after.measuring for home in step.after.state.models if home.phase == "measuring")


def _ended_once(step: Step) -> bool:
    ending = [effect.model for effect in step.effects if isinstance(effect, Evict)]
    if not ending:
        return True
    phases = step.before.phases()
    return len(set(ending)) == len(ending) and all(phases[model] in ("loading", "resident") for model in ending)


def _told_of_loss(step: Step) -> bool:
    granted = {effect.number: effect.restarted for effect in step.effects if isinstance(effect, Grant)}
    return all(restarted == (number in step.before.lost) for number, restarted in granted.items())


def _time_goes_on(step: Step) -> bool:
    wake = wakes_at(step.after.state, Seconds(step.after.now))
    return wake is None or wake > step.after.now


def _gave_way(step: Step) -> bool:
    gave_way = {effect.number for effect in step.effects if isinstance(effect, Suspend)}
    waiting = {one.number for one in step.after.state.waiting if one.suspended or one.restarted}
    return gave_way <= waiting


def _no_starving(step: Step) -> bool:
    return step.after.passed.begun <= MOST_BEGUN and step.after.passed.loads <= MOST_LOADS


def _closed_is_closed(step: Step) -> bool:
    state = step.after.state
    return not state.closed or (not state.waiting and not any(isinstance(e, Grant | Load) for e in step.effects))


RULES: Final = (
    Rule("one at a time", "At most one heavy lease is active", _one_at_a_time),
    Rule("budget", "No load begins that would not fit with all that is loaded and the reserve", _budget),
    Rule("yielding", "While Parley yields, every process that takes memory is ending", _yielding),
    Rule("ends once", "Every request ends at most once, and only after it was asked", _ends_once),
    Rule("nobody is lost", "Who has not ended waits, or holds, and not both", _nobody_is_lost),
    Rule(
        "no starving",
        f"Before a request whose time has come at most {MOST_BEGUN} others begin, and {MOST_LOADS} other models load",
        _no_starving,
    ),
    Rule("one arrangement", "At most one heavy model is measured or loaded at a time", _one_arrangement),
    Rule("granted in time", "Only who still waits is granted a lease, and not after the deadline", _granted_in_time),
    Rule("waits told", "The part of a wait that was loading is no longer than the wait", _waits_told),
    Rule("deadlines", "Nobody waits beyond the deadline", _deadlines),
    Rule("leases live", "A lease's model is loaded, or the lease is void and the process is ending", _leases_live_in_processes),
    Rule("half-done work", "The model of one who gave way stays loaded, or is ending", _half_done_work_stays),
    Rule("gave way", "Who gives way waits, to go on or to begin again", _gave_way),
    Rule("told of loss", "Whoever's half-done work was lost is told so with the lease, and nobody else", _told_of_loss),
    Rule("one process each", "A model has a process, and one, where the scheduler believes it has", _one_process_each),
    Rule("measured", "Whenever the scheduler waits for the memory to be read, it is being read", _measured),
    Rule("ended once", "Only a process that loads or is loaded is ended, and once", _ended_once),
    Rule("time goes on", "The next alarm is later than now", _time_goes_on),
    Rule("closed", "After the end nobody waits, and nothing is granted or loaded", _closed_is_closed),
)  # fmt: skip
