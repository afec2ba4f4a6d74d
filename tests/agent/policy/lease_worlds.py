"""Small worlds around the scheduler: everything that can happen to it, and every way that leads to rest.

A world is a state of the scheduler with what surrounds it: requests to come, the true size of models and of the
memory. `advance` takes a step and holds it against the rules of `lease_rules.py`; `explore` visits all worlds within
reach, breadth first, so that what it finds is found in the fewest steps.

Worlds merge where nothing to come can tell them apart (`essence`): times count from now, requests of the same sort
are interchangeable, and what lies further back than any bound reaches is forgotten.
"""

from __future__ import annotations

import marshal
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from itertools import product
from math import inf
from operator import attrgetter
from typing import Any, Final, NamedTuple

from agent.events import Seconds
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Closed,
    Died,
    Effect,
    Evicted,
    Foreseen,
    Form,
    Grant,
    Happening,
    Held,
    Kind,
    Left,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Measured,
    Phase,
    Pressed,
    Refuse,
    Release,
    Relieved,
    Request,
    Residence,
    State,
    Suspend,
    TimePassed,
)
from agent.policy.leasing import step
from agent.policy.restarting import Health, RestartRules
from tests.agent.policy.lease_rules import Broken, Step, check

TICK: Final = 1.0
"""Seconds: all times in an explored world lie on this grid."""


class Ask(NamedTuple):
    """A sort of request."""

    model: str
    kind: Kind
    patience: float
    """Seconds until it is refused; one that is never refused is watched: what goes before it is counted."""
    due: float = inf
    """Seconds until it is needed; no more than its patience."""

    @property
    def owner(self) -> str:
        """Who asks like this."""
        return f"{self.model}, {self.kind}, {min(self.due, self.patience):g}"


class Passed(NamedTuple):
    """What went before the watched request after its time had come."""

    begun: int = 0
    loads: int = 0


NOTHING_PASSED: Final = Passed()


class World(NamedTuple):
    """What the scheduler's surroundings can do, how large everything is, and a book kept beside the scheduler's."""

    state: State
    asks: tuple[Ask, ...]
    sizes: tuple[tuple[str, int], ...]
    """Of each model in full, in MiB."""
    total_mib: int
    left: tuple[int, ...] = ()
    """How many of each of `asks` may still come."""
    now: float = 0.0
    checks: float = 0
    """How often a holder may be at a checkpoint."""
    rests: tuple[float, ...] = (0.0,)
    """Seconds that it may still have to run there."""
    mishaps: float = 0
    """How much may go wrong: loads that fail, processes that die, memory that is not free or cannot be read."""
    foresights: float = 0
    presses: float = 0
    """How often others may need the memory."""
    endings: float = 0
    """1 if Parley may end."""
    again: bool = False
    """Whoever's request ended may ask again, for ever."""
    open: frozenset[int] = frozenset()
    """The requests that have not ended."""
    measuring: frozenset[str] = frozenset()
    """The models for which the memory is being read."""
    running: tuple[tuple[str, Form], ...] = ()
    """The processes that there are, and as what they were started."""
    half_done: frozenset[int] = frozenset()
    """Who gave way, and has work in a process."""
    lost: frozenset[int] = frozenset()
    """Who gave way, and has lost it."""
    passed: Passed = NOTHING_PASSED

    def size(self, model: str, form: Form) -> int:
        """What a process takes."""
        full = next(size for name, size in self.sizes if name == model)
        return {"full": full, "smaller": max(full - _SMALLER_BY_MIB, 0), "light": 0}[form]

    def free_mib(self) -> int:
        """What no process takes; below 0 if a load is too large."""
        return self.total_mib - sum(self.size(model, form) for model, form in self.running)

    def phases(self) -> dict[str, Phase]:
        """Where the scheduler believes every model to be."""
        return {home.name: home.phase for home in self.state.models}


_SMALLER_BY_MIB: Final = 2


# --- what can happen ------------------------------------------------------------------------------------------------


def answers(world: World) -> list[Happening]:
    """What a good-natured world does by itself: it answers, and those who hold leases leave."""
    now = Seconds(world.now)
    found: list[Happening] = [Measured(now, model, max(world.free_mib(), 0)) for model in sorted(world.measuring)]
    for home in world.state.models:
        match home.phase:
            case "loading" if world.free_mib() < 0:
                found.append(LoadFailed(now, home.name, "out of memory", out_of_memory=True))
            case "loading":
                size = world.size(home.name, home.form)
                found.append(Loaded(now, home.name, size > 0, size))
            case "evicting":
                found.append(Evicted(now, home.name))
            case _:
                pass
    found += [Left(now, lease.request.number) for lease in world.state.leases if not lease.void]
    return found


def happenings(world: World) -> list[Happening]:
    """Everything that can happen next, good or bad."""
    now = Seconds(world.now)
    found = [*answers(world), *_requests(world, now), *_mishaps(world, now)]
    if world.foresights:
        found += [Foreseen(now, home.name) for home in world.state.models if home.phase == "absent"]
    if world.presses and not world.state.yielding:
        found.append(Pressed(now, "a game runs"))
    if world.state.yielding:
        found.append(Relieved(now))
    if world.endings:
        found.append(Closed(now))
    found.append(TimePassed(Seconds(now + TICK)))
    return found


def _requests(world: World, now: Seconds) -> Iterator[Happening]:
    latest = max((max(one.number, one.place) for one in everyone(world.state)), default=0)
    for ask, left in zip(world.asks, world.left, strict=True):
        if left:
            deadline, due = Seconds(now + ask.patience), Seconds(now + min(ask.due, ask.patience))
            yield Asked(now, latest + 1, ask.model, ask.owner, ask.kind, deadline, due)
    for request in world.state.waiting:
        if request.deadline < inf:
            yield Left(now, request.number)
    if world.checks:
        for lease in world.state.leases:
            for due, rest in product((None, Seconds(now + TICK)), world.rests):
                yield Checked(now, lease.request.number, latest + 1, due, rest)


def _mishaps(world: World, now: Seconds) -> Iterator[Happening]:
    if not world.mishaps:
        return
    for home in world.state.models:
        match home.phase:
            case "loading":
                yield LoadFailed(now, home.name, "broken")
                yield LoadFailed(now, home.name, "out of memory", out_of_memory=True)
            case "resident":
                yield Died(now, home.name, "killed")
            case "measuring" if home.name in world.measuring:
                yield Measured(now, home.name, None)
                yield Measured(now, home.name, 0)
            case _:
                pass


def everyone(state: State) -> list[Request]:
    """All who wait or hold."""
    return [*state.waiting, *(lease.request for lease in state.leases)]


# --- one step -------------------------------------------------------------------------------------------------------


def advance(world: World, happening: Happening) -> World:
    """One step of the world; raises `Broken` if a rule does not hold of it."""
    state, effects = step(world.state, happening)
    ended = ends(world.state, happening, effects)
    opened = world.open | {happening.number} if isinstance(happening, Asked) else world.open
    after = world._replace(
        state=state,
        now=happening.at,
        open=opened.difference(ended),
        left=_left(world, happening, ended),
        measuring=_measuring(world, happening, effects),
        running=_running(world, happening, effects),
        passed=_passed(world, state, effects),
        **_work(world, happening, effects, ended),
        **_used_up(world, happening),
    )
    check(Step(world, happening, effects, after, opened, ended))
    return after


def ends(state: State, happening: Happening, effects: Iterable[Effect]) -> list[int]:
    """The requests that the step brought to an end, one by one."""
    numbers = [effect.number for effect in effects if isinstance(effect, Release | Refuse)]
    if isinstance(happening, Left):
        numbers += [one.number for one in state.waiting if one.number == happening.number]
    return numbers


def _used_up(world: World, happening: Happening) -> dict[str, Any]:
    """The chances that are fewer now."""
    match happening:
        case Checked():
            return {"checks": world.checks - 1}
        case LoadFailed() | Died() | Measured() if happening not in answers(world):
            return {"mishaps": world.mishaps - 1}
        case Foreseen():
            return {"foresights": world.foresights - 1}
        case Pressed():
            return {"presses": world.presses - 1}
        case Closed():
            return {"endings": world.endings - 1}
        case _:
            return {}


def _left(world: World, happening: Happening, ended: Iterable[int]) -> tuple[int, ...]:
    """How many of each sort may still ask after this."""
    if not world.asks:
        return ()
    left = {ask.owner: left for ask, left in zip(world.asks, world.left, strict=True)}
    owners = {one.number: one.owner for one in everyone(world.state)}
    if isinstance(happening, Asked):
        left[happening.owner] -= 1
        owners[happening.number] = happening.owner
    if world.again:
        for number in ended:
            left[owners[number]] += 1
    return tuple(left.values())


def _measuring(world: World, happening: Happening, effects: Sequence[Effect]) -> frozenset[str]:
    """For which models the memory is being read after the step: every order is answered once."""
    answered = {happening.model} if isinstance(happening, Measured) else set[str]()
    return world.measuring - answered | {effect.model for effect in effects if isinstance(effect, Measure)}


def _running(world: World, happening: Happening, effects: Iterable[Effect]) -> tuple[tuple[str, Form], ...]:
    """The processes after the step, in the order of the alphabet."""
    gone = happening.model if isinstance(happening, Evicted | Died) else None
    running = [process for process in world.running if process[0] != gone]
    running.extend((effect.model, effect.form) for effect in effects if isinstance(effect, Load))
    return tuple(sorted(running))


def _work(world: World, happening: Happening, effects: Sequence[Effect], ended: Iterable[int]) -> dict[str, Any]:
    """Who has half-done work somewhere, and who has lost it."""
    half_done, lost = world.half_done, world.lost
    if not (half_done or lost or effects):
        return {}
    if isinstance(happening, Evicted | Died):
        gone = {one.number for one in everyone(world.state) if one.model == happening.model} & half_done
        half_done, lost = half_done - gone, lost | gone
    granted = {effect.number for effect in effects if isinstance(effect, Grant)}
    suspended = {effect.number for effect in effects if isinstance(effect, Suspend)}
    return {"half_done": (half_done - granted | suspended).difference(ended), "lost": lost.difference(granted, ended)}


def _passed(world: World, state: State, effects: Iterable[Effect]) -> Passed:
    """Count what goes before the watched request once its time has come.

    Loads of other models count, and of leases on heavy ones those that begin while its own is loaded, or waits only for
    memory in use. Before that others may use theirs, and half-done work is finished first.
    """
    watched = next((one for one in world.state.waiting if one.deadline == inf), None)
    if watched is None or watched not in state.waiting:
        return NOTHING_PASSED
    if _its_time(watched, state.limits) > world.now:
        return world.passed
    heavy = {home.name for home in state.models if home.heavy}
    models = {one.number: one.model for one in everyone(state) if one.number not in world.half_done}
    begun = [effect for effect in effects if isinstance(effect, Grant) and models.get(effect.number) in heavy]
    loads = [effect for effect in effects if isinstance(effect, Load) and effect.model in heavy - {watched.model}]
    ready = world.phases()[watched.model] in ("resident", "measuring", "blocked")
    return Passed(world.passed.begun + len(begun) * ready, world.passed.loads + len(loads))


def _its_time(request: Request, limits: Limits) -> float:
    """From when on it is as urgent as anything and older than anything to come."""
    ages = {"remark": limits.remark_ages_seconds, "chore": limits.chore_ages_seconds}
    return min(request.due, request.asked_at + ages.get(request.kind, inf))


# --- worlds that are the same ---------------------------------------------------------------------------------------


def essence(world: World) -> World:
    """The same world at time 0, with what cannot matter any more forgotten, so that equal worlds are equal.

    Numbers only tell requests apart, and their order is that of their places: so they are given out anew.
    """
    now, state = world.now, world.state
    held = {lease.request.model for lease in state.leases}
    in_order = sorted(state.waiting, key=attrgetter("place"))
    waiting = [_request(request, number, now) for number, request in enumerate(in_order, start=1)]
    leases = [
        _lease(lease, number, now) for number, lease in enumerate(sorted(state.leases, key=_WHOSE), len(waiting) + 1)
    ]
    models = [_residence(home, now, state.limits, is_held=home.name in held) for home in state.models]
    renumbered = {old.number: new.number for old, new in zip(in_order, waiting, strict=True)}
    return world._replace(
        state=_with(state, models=tuple(models), waiting=tuple(waiting), leases=tuple(leases)),
        now=0.0,
        open=frozenset(range(1, len(waiting) + len(leases) + 1)),
        half_done=frozenset(map(renumbered.__getitem__, world.half_done)),
        lost=frozenset(map(renumbered.__getitem__, world.lost)),
    )


_WHOSE: Final = attrgetter("request.model", "request.owner", "until", "void")
_LONG_AGO: Final = -20.0
"""Seconds: further back than any patience and any bound of `SMALL`."""


def _since(moment: float, now: float, reach: float = _LONG_AGO) -> Seconds:
    """The moment, counted from now, and no further back than matters; plus 0.0, so that there is one zero."""
    return Seconds(max(moment - now, reach) + 0.0)


def _with(old: Any, **fields: Any) -> Any:
    """As `replace`, but sooner done where nothing changes."""
    return old if all(getattr(old, name) == value for name, value in fields.items()) else replace(old, **fields)


def _request(old: Request, number: int, now: float) -> Request:
    return _with(
        old,
        number=number,
        place=number,
        asked_at=_since(old.asked_at, now),
        deadline=_since(old.deadline, now),
        due=_since(old.due, now),
    )


def _lease(old: Held, number: int, now: float) -> Held:
    """Of a holder's request only the patience matters: all else is set anew when it gives way."""
    zero, patience = Seconds(0.0), Seconds(old.request.deadline - old.request.asked_at)
    request = _with(old.request, number=number, place=number, asked_at=zero, deadline=patience, due=zero)
    return _with(old, request=request, since=zero, until=zero if old.void else _since(old.until, now))


def _residence(old: Residence, now: float, limits: Limits, *, is_held: bool) -> Residence:
    zero, resident = Seconds(0.0), old.phase == "resident"
    return _with(
        old,
        since=_since(old.since, now) if old.phase == "loading" else zero,
        used_at=_since(old.used_at, now) if old.foreseen or (resident and not is_held) else zero,
        loaded_at=_since(old.loaded_at, now, -limits.restarts.healthy_seconds) if resident else zero,
        health=Health(min(old.health.in_a_row, _LONGEST_ROW)),
        retry_at=_since(old.retry_at, now, 0.0),
    )


_LONGEST_ROW: Final = 2
"""From so many crashes in a row on, the pause of `SMALL` stays the same."""


def digest(world: World) -> bytes:
    """Twelve bytes that tell an `essence` from all others of the same start."""
    state = world.state
    facts = (
        [(_HOME(home), home.health.in_a_row) for home in state.models],
        [_REQUEST(request) for request in state.waiting],
        [(_HELD(lease), _REQUEST(lease.request)) for lease in state.leases],
        _REST(state),
        _CHANCES(world),
        sorted(world.measuring),
        sorted(world.half_done),
        sorted(world.lost),
        tuple(world.passed),  # of a plain type, as marshal wants it
    )
    return blake2b(marshal.dumps(facts, 2), digest_size=12).digest()  # version 2 writes equal things equally


def _all_but(kind: type, *others: str) -> Callable[[Any], Any]:
    return attrgetter(*(field.name for field in fields(kind) if field.name not in others))


_HOME: Final = _all_but(Residence, "health")
_REQUEST: Final = _all_but(Request)
_HELD: Final = _all_but(Held, "request")
_REST: Final = _all_but(State, "models", "limits", "waiting", "leases")
_CHANCES: Final = attrgetter("left", "checks", "mishaps", "foresights", "presses", "endings", "running")


# --- the way to rest ------------------------------------------------------------------------------------------------


def towards_rest(world: World) -> int | None:
    """Which of `happenings` a good-natured world takes; None if it is at rest."""
    if answers(world):
        return 0
    if not world.state.waiting:
        return None
    if not any(_time_helps(home, world) for home in world.state.models):
        raise Broken("rest: not true that who waits is served by and by; only giving up would end this")
    return len(happenings(world)) - 1  # time passes


def _time_helps(home: Residence, world: World) -> bool:
    """It may be loaded again, or may leave for others, after a while."""
    stays_until = home.used_at + world.state.limits.linger_seconds if home.phase == "resident" else 0.0
    return max(home.retry_at, stays_until) > world.now


def settle(world: World) -> World | None:
    """One good-natured step; None if the world is at rest."""
    towards = towards_rest(world)
    return None if towards is None else advance(world, happenings(world)[towards])


# --- every world within reach ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Explored:
    """What an exploration has seen."""

    worlds: int
    """Those of which everything that can follow was tried."""
    steps: int
    whole: bool
    """These are all within reach."""
    longest_way_to_rest: int
    """In steps, from the world furthest from it."""


class Explorer:
    """Visits every world within reach. It remembers a digest of each, how it was come by, and what leads to rest."""

    def __init__(self, start: World, told: Callable[[int, int], None] | None = None) -> None:
        self._ahead = deque([essence(start)])
        self._start = self._ahead[0]
        self._told = told
        """Called from time to time with the number of worlds looked at, and of those ahead."""
        self._numbers = {digest(self._start): 0}
        self._from = array("l", [0])
        self._by = array("h", [0])
        self._towards_rest = array("l")
        """For each world that was looked at, the number of the next; its own if it is at rest."""

    def explore(self, most: int | None = None) -> Explored:
        """Try all that can follow, in `most` worlds or in all; of those ahead then, only their way to rest.

        Raises `Broken` with the shortest story of what is wrong.
        """
        worlds, steps, whole = 0, 0, True
        while self._ahead:
            world, number = self._ahead.popleft(), len(self._towards_rest)
            restful = self._restful(world, number)
            found: dict[int | None, int] = {restful: number} if restful is None else {}
            whole = most is None or number < most
            for by, happening in enumerate(happenings(world)):
                if whole or by == restful:
                    found[by] = self._find(world, number, by, happening)
            self._towards_rest.append(found[restful])
            if whole:
                worlds, steps = worlds + 1, steps + len(found) - (restful is None)
            if self._told and worlds % 20_000 == 0:
                self._told(worlds, len(self._ahead))
        return Explored(worlds, steps, whole, self._longest_way())

    def _restful(self, world: World, number: int) -> int | None:
        try:
            return towards_rest(world)
        except Broken as broken:
            raise Broken(f"{broken}\n{self._story(number)}") from None

    def _find(self, world: World, number: int, by: int, happening: Happening) -> int:
        """The number of the world that follows, which is ahead if it is new."""
        try:
            after = essence(advance(world, happening))
        except Broken as broken:
            raise Broken(f"{broken}\n{self._story(number, by)}") from None
        found = self._numbers.setdefault(digest(after), len(self._numbers))
        if found == len(self._from):
            self._from.append(number)
            self._by.append(by)
            self._ahead.append(after)
        return found

    def _longest_way(self) -> int:
        """From the world furthest from rest; raises `Broken` if one never comes to it."""
        far = array("l", [0]) * len(self._towards_rest)
        for start in range(len(far)):
            way, here = list[int](), start
            while not far[here] and self._towards_rest[here] != here:
                way.append(here)
                here = self._towards_rest[here]
                if len(way) > len(far):
                    raise Broken(f"rest: not true that it is reached from everywhere\n{self._story(start)}")
            for steps, number in enumerate(reversed(way), far[here] + 1):
                far[number] = steps
        return max(far)

    def _story(self, number: int, last: int | None = None) -> str:
        """What happened, from the start to this world, and then this."""
        moves = [] if last is None else [last]
        while number:
            moves.append(self._by[number])
            number = self._from[number]
        return story(self._start, reversed(moves))


def story(start: World, moves: Iterable[int]) -> str:
    """What happens if these of `happenings` are taken one after the other, and what is ordered, for a person."""
    lines, world, at = list[str](), essence(start), 0.0
    for move in moves:
        happening = happenings(world)[move]
        at += happening.at
        _, effects = step(world.state, happening)
        owners = {one.number: one.owner for one in everyone(world.state)}
        ordered = "; ".join(_in_words(effect, owners) for effect in effects)
        lines.append(f"  {at:g} s: {_in_words(happening, owners)} -> {ordered or 'nothing'}")
        try:
            world = essence(advance(world, happening))
        except Broken:
            break
    return "\n".join(lines)


def _in_words(fact: Any, owners: dict[int, str]) -> str:
    said = [
        f"[{owners.get(fact.number, fact.number)}]" if field.name == "number" else repr(getattr(fact, field.name))
        for field in fields(fact)
        if field.name not in ("at", "place")
    ]
    return " ".join([type(fact).__name__, *said])


def explore(start: World, most: int | None = None) -> tuple[int, int]:
    """Visit worlds breadth first; the number looked at, and of steps tried. From each, rest must be reachable."""
    explored = Explorer(start).explore(most)
    return explored.worlds, explored.steps


# --- small ones -----------------------------------------------------------------------------------------------------

SMALL: Final = Limits(
    idle_seconds=2,
    linger_seconds=1,
    load_seconds=2,
    hold_seconds=2,
    remark_ages_seconds=1,
    chore_ages_seconds=2,
    guess_mib=5,
    restarts=RestartRules(free=1, first_seconds=1, longest_seconds=1, healthy_seconds=2, limit=None),
)


def world(
    *models: Residence,
    asks: Iterable[Any],
    sizes: Sequence[int] = (5, 4, 3),
    total_mib: int = 9,
    limits: Limits = SMALL,
    **chances: Any,
) -> World:
    """A world at rest with these models, of these sizes, and these requests to come: model, kind, patience, due."""
    sorts = Counter(Ask(*ask) for ask in asks)
    known = tuple((home.name, size) for home, size in zip(models, sizes, strict=False))
    return World(State(models=models, limits=limits), tuple(sorts), known, total_mib, tuple(sorts.values()), **chances)
