"""Small worlds around the scheduler: everything that can happen to it, and every rule that must always hold.

A world is a state of the scheduler with what surrounds it: requests to come, the true size of models and of the
memory. `explore` visits all worlds within reach, breadth first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from agent.events import Seconds
from agent.policy.lease_queue import wakes_at
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Died,
    Effect,
    Evict,
    Evicted,
    Foreseen,
    Grant,
    Happening,
    Left,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Measured,
    Refuse,
    Release,
    Request,
    Residence,
    Skip,
    State,
    Suspend,
    TimePassed,
)
from agent.policy.leasing import step
from agent.policy.restarting import RestartRules


@dataclass(frozen=True)
class World:
    """What the scheduler's surroundings can do, and how large everything is."""

    state: State
    asks: tuple[tuple[str, Any, int], ...]
    """Model, kind and patience of each request; its number is its index and 1."""
    sizes: tuple[tuple[str, int], ...]
    total_mib: int
    now: int = 0
    asked: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset()
    checks: int = 0
    mishaps: int = 0
    foresights: int = 0

    def size(self, model: str) -> int:
        return dict(self.sizes)[model]

    def free_mib(self) -> int:
        there = (home for home in self.state.models if home.phase in ("resident", "evicting", "loading"))
        return self.total_mib - sum(self.size(home.name) for home in there)


def answers(world: World) -> list[Happening]:
    """What a good-natured world does by itself: it answers, and those who hold leases leave."""
    now = Seconds(world.now)
    found: list[Happening] = []
    for home in world.state.models:
        match home.phase:
            case "measuring":
                found.append(Measured(now, home.name, world.free_mib()))
            case "loading":
                found.append(Loaded(now, home.name, True, world.size(home.name)))
            case "evicting":
                found.append(Evicted(now, home.name))
            case _:
                pass
    found += [Left(now, lease.request.number) for lease in world.state.leases if not lease.void]
    return found


def happenings(world: World) -> list[Happening]:  # noqa: C901  # a list of cases
    """Everything that can happen next, good or bad."""
    now = Seconds(world.now)
    found = answers(world)
    for index, (model, kind, patience) in enumerate(world.asks):
        if index + 1 not in world.asked:
            found.append(Asked(now, index + 1, model, model, kind, Seconds(world.now + patience)))
    found += [Left(now, request.number) for request in world.state.waiting]
    if world.checks:
        for lease in world.state.leases:
            place = 100 + max((request.place for request in world.state.waiting), default=0)
            found += [Checked(now, lease.request.number, place, due) for due in (None, Seconds(world.now + 1.0))]
    if world.mishaps:
        for home in world.state.models:
            if home.phase == "loading":
                found.append(LoadFailed(now, home.name, "broken"))
            if home.phase == "resident":
                found.append(Died(now, home.name, "killed"))
            if home.phase == "measuring":
                found.append(Measured(now, home.name, None))
    if world.foresights:
        found += [Foreseen(now, home.name) for home in world.state.models if home.phase == "absent"]
    found.append(TimePassed(Seconds(now + 1.0)))
    return found


def advance(world: World, happening: Happening) -> World:
    """One step of the world; every rule that must always hold is checked here."""
    state, effects = step(world.state, happening)
    after = replace(world, state=state, now=int(happening.at))
    match happening:
        case Asked():
            after = replace(after, asked=after.asked | {happening.number})
        case Checked():
            after = replace(after, checks=after.checks - 1)
        case LoadFailed() | Died() | Measured(free_mib=None):
            after = replace(after, mishaps=after.mishaps - 1)
        case Foreseen():
            after = replace(after, foresights=after.foresights - 1)
        case Left() if not any(lease.request.number == happening.number for lease in state.leases):
            after = replace(after, ended=after.ended | {happening.number})
        case _:
            pass
    for effect in effects:
        after = check_effect(world, after, happening, effect)
    check_state(after)
    return after


def check_effect(before: World, after: World, happening: Happening, effect: Effect) -> World:
    phases = {home.name: home.phase for home in before.state.models}
    match effect:
        case Grant():
            assert effect.number in after.asked - after.ended, "nobody is granted what they no longer want"
            assert effect.waited_seconds >= effect.load_seconds >= 0
            deadlines = [request.deadline for request in before.state.waiting if request.number == effect.number]
            assert all(deadline > happening.at for deadline in deadlines), "granted too late"
        case Release() | Refuse():
            own = isinstance(happening, Left) and happening.number == effect.number
            assert own or effect.number in after.asked - after.ended, "every request ends once"
            after = replace(after, ended=after.ended | {effect.number})
        case Load():
            just_gone = isinstance(happening, Evicted | Died) and happening.model == effect.model
            assert just_gone or phases[effect.model] in ("measuring", "absent")
            assert after.free_mib() >= 0, "the budget holds"
        case Evict():
            assert phases[effect.model] in ("loading", "resident")
        case Measure():
            assert phases[effect.model] != "loading"
        case Suspend() | Skip():
            pass
    return after


def check_state(world: World) -> None:
    state = world.state
    phases = {home.name: home.phase for home in state.models}
    assert sum(not lease.light for lease in state.leases) <= 1, "two heavy leases are active"
    for lease in state.leases:
        assert phases[lease.request.model] == ("evicting" if lease.void else "resident")
    numbers = [request.number for request in state.waiting] + [lease.request.number for lease in state.leases]
    assert sorted(numbers) == sorted(world.asked - world.ended), "everyone waits, holds or has ended"
    assert all(request.deadline > world.now for request in state.waiting)
    wake = wakes_at(state, Seconds(world.now))
    assert wake is None or wake > world.now, "time would stand still"
    arranging = [home for home in state.models if home.heavy and home.phase in ("measuring", "loading")]
    assert len(arranging) <= 1


def settle(world: World) -> World | None:
    """One good-natured step towards rest; None if the world is at rest."""
    if not world.state.waiting and not world.state.leases and not answers(world):
        return None
    if helpful := answers(world):
        return advance(world, helpful[0])
    backed_off = any(home.retry_at > world.now for home in world.state.models)
    assert backed_off, f"only giving up would end this: {world.state}"
    return advance(world, TimePassed(Seconds(world.now + 1.0)))


def essence(world: World) -> World:
    """The same world at time 0, with what cannot matter any more forgotten, so that equal worlds are equal."""
    now, limits = world.now, world.state.limits
    order = sorted({request.place for request in everyone(world.state)})

    def shifted(moment: float, memory: float) -> Seconds:
        return Seconds(max(moment - now, -memory))

    def request(old: Request) -> Request:
        return replace(
            old,
            asked_at=shifted(old.asked_at, limits.chore_ages_seconds),
            deadline=Seconds(old.deadline - now),
            due=Seconds(old.due - now),
            place=order.index(old.place),
        )

    def residence(old: Residence) -> Residence:
        return replace(
            old,
            since=shifted(old.since, 0.0) if old.phase != "loading" else Seconds(old.since - now),
            used_at=shifted(old.used_at, limits.idle_seconds),
            loaded_at=shifted(old.loaded_at, limits.restarts.healthy_seconds),
            load_seconds=0.0,
            retry_at=shifted(old.retry_at, 0.0),
        )

    state = replace(
        world.state,
        models=tuple(residence(home) for home in world.state.models),
        waiting=tuple(sorted(map(request, world.state.waiting), key=lambda one: one.number)),
        leases=tuple(
            replace(lease, request=request(lease.request), since=Seconds(0.0), until=Seconds(lease.until - now))
            for lease in world.state.leases
        ),
    )
    return replace(world, state=state, now=0)


def everyone(state: State) -> list[Request]:
    return [*state.waiting, *(lease.request for lease in state.leases)]


def explore(start: World, most: int) -> tuple[int, int]:
    """Visit worlds breadth first; the number visited, and of steps tried. From each, rest must be reachable."""
    start = essence(start)
    seen, frontier, restful, steps = {start}, deque([start]), set[World](), 0
    while frontier and len(seen) < most:
        world = frontier.popleft()
        reach_rest(world, restful)
        for happening in happenings(world):
            steps += 1
            after = essence(advance(world, happening))
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    return len(seen), steps


def reach_rest(world: World, restful: set[World]) -> None:
    path: list[World] = []
    here: World | None = world
    while here is not None and here not in restful:
        path.append(here)
        assert len(path) < 200, "it does not come to rest"
        following = settle(here)
        here = None if following is None else essence(following)
    restful.update(path)


SMALL = Limits(
    idle_seconds=2,
    load_seconds=2,
    hold_seconds=2,
    remark_ages_seconds=1,
    chore_ages_seconds=2,
    guess_mib=5,
    restarts=RestartRules(free=1, first_seconds=1, longest_seconds=1, healthy_seconds=2, limit=None),
)


def world(*models: Residence, asks: Any, total_mib: int = 9, **chances: int) -> World:
    sizes = tuple((home.name, size) for home, size in zip(models, (5, 4, 3), strict=False))
    return World(State(models=models, limits=SMALL), tuple(asks), sizes, total_mib, **chances)
