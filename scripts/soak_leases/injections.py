"""One thing goes wrong with the mind's process in one phase of a lease; how long until the lease is free.

Each phase is a coroutine: it brings a house there, lets it go wrong, and tells when that was and when the lease was
free, or who waited for it was told. What follows is the same for all: no process of the group is left, the next turn
is answered, nobody waits and nobody holds anything.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from agent.errors import EngineError
from agent.events import LeaseReleased, ModelEvicted, Seconds
from agent.vram import Lease
from agent.workers.host import CANCEL_SECONDS, PAUSE_SECONDS
from agent.workers.models import EVICT_SECONDS
from scripts.soak_leases.house import ANSWER, DEADLINE_SECONDS, LOAD_SECONDS, House
from scripts.soak_leases.processes import GONE_SECONDS, alive, end

Phase = Literal["loading", "granted", "in mid-stream", "suspended", "idle", "being evicted", "yielding"]
"""granted: a reply was asked for, and no result has come; suspended: at a checkpoint, while another has the lease."""

Fault = Literal[
    "killed", "exits", "garbage", "stopped", "hangs", "never ready", "will not cancel", "will not pause", "will not end"
]
"""killed and stopped: by a signal; exits: with status 0; hangs: gives no result."""

DEATHS: Final[frozenset[Fault]] = frozenset({"killed", "exits", "garbage"})
"""These are noticed when they happen; the others when a time is over."""
DEATH_SECONDS: Final = 0.02
"""For the 95th of a hundred."""
_TELLING_SECONDS: Final = 0.25
"""After its time is over, a process that hangs may keep the lease for so long."""

_BUSY: Final[tuple[Fault, ...]] = (*sorted(DEATHS), "stopped", "hangs", "will not cancel")
_LEAVING: Final[tuple[Fault, ...]] = (*sorted(DEATHS), "stopped", "will not end")
_FAULTS: Final[dict[Phase, tuple[Fault, ...]]] = {
    "loading": (*sorted(DEATHS), "stopped", "never ready"),
    "granted": (*_BUSY, "will not pause"),
    "in mid-stream": (*_BUSY, "will not pause"),
    "suspended": _BUSY,
    "idle": (*sorted(DEATHS), "stopped", "hangs"),
    "being evicted": _LEAVING,
    "yielding": _LEAVING,
}
INJECTIONS: Final[list[tuple[Phase, Fault]]] = [(phase, fault) for phase in _FAULTS for fault in _FAULTS[phase]]

_RESULTS: Final = 3
"""So many have come in mid-stream."""
_UNDER_WAY_SECONDS: Final = 0.01
"""A request is with the engine by then, and no result has come."""
_CROWD_MIB: Final = 6000
"""With so much in use by others, the card holds only one of the models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one injection."""

    phase: Phase
    fault: Fault
    free_seconds: float
    """Until the lease was free, or who waited was told."""
    answered_seconds: float
    """Until the next turn was answered: reloads, and the pauses between them that grow with the failures, included."""
    wrong: tuple[str, ...] = ()
    """What was not as it has to be, times aside."""

    @property
    def bound_seconds(self) -> float:
        """Within this the lease has to be free; a death in 95 of a hundred."""
        return bound_seconds(self.phase, self.fault)


def bound_seconds(phase: Phase, fault: Fault) -> float:
    """How soon a lease has to be free."""
    if fault in DEATHS:
        return DEATH_SECONDS
    if phase == "loading":
        return LOAD_SECONDS + _TELLING_SECONDS
    if phase in {"being evicted", "yielding"}:
        return EVICT_SECONDS + _TELLING_SECONDS
    if fault in {"will not cancel", "will not pause"}:
        return (CANCEL_SECONDS if fault == "will not cancel" else PAUSE_SECONDS) + _TELLING_SECONDS
    return DEADLINE_SECONDS + _TELLING_SECONDS


async def inject(house: House, phase: Phase, fault: Fault) -> Outcome:
    """Let it go wrong, and see what follows. Raises AssertionError if what was waited for did not come."""
    began, freed, group = await _PHASES[phase](house, fault)
    wrong = [] if await end(group, GONE_SECONDS) is not None else [f"of the group, {sorted(alive(group))} are left"]
    asked = house.clock.now()
    try:
        answer = await house.reply()
    except EngineError as error:
        wrong.append(f"the next turn failed: {error}")
    else:
        wrong += [] if answer == ANSWER else [f"the next turn's answer was {answer!r}"]
    return Outcome(
        phase=phase,
        fault=fault,
        free_seconds=freed - began,
        answered_seconds=house.clock.now() - asked,
        wrong=(*wrong, *house.unrest()),
    )


# --- what goes wrong ------------------------------------------------------------------------------------------------


async def _go_wrong(house: House, fault: Fault, pid: int) -> Seconds:
    """When it began. What only shows when something is wanted of the engine has not shown yet."""
    match fault:
        case "killed" | "stopped":
            began = house.clock.now()
            with suppress(ProcessLookupError):  # it has just ended in order
                os.kill(pid, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
            return began
        case "exits":
            return await house.order("exit")
        case "garbage":
            return await house.order("garbage")
        case _:
            return await house.order("hang")


# --- the phases -----------------------------------------------------------------------------------------------------

_Passed = tuple[Seconds, Seconds, set[int]]
"""When it went wrong, when the lease was free, and the processes of the group."""


async def _loading(house: House, fault: Fault) -> _Passed:
    await house.empty()
    asked = house.clock.now()
    asking = asyncio.create_task(house.reply())
    await house.loads(asked)
    group = house.group()
    began = await _go_wrong(house, fault, house.mind.pid)
    await _fails(asking)
    return began if fault in DEATHS else house.load_began, house.clock.now(), group


async def _granted(house: House, fault: Fault) -> _Passed:
    return await _in_reply(house, fault, results=0)


async def _in_mid_stream(house: House, fault: Fault) -> _Passed:
    return await _in_reply(house, fault, results=_RESULTS)


async def _in_reply(house: House, fault: Fault, results: int) -> _Passed:
    await house.vram.prepare("voice")
    async with _reading(house, results) as (lease, result):
        group = house.group()
        began = await _go_wrong(house, fault, house.mind.pid)
        if fault in {"will not cancel", "will not pause"}:
            await house.hangs()
            began = house.clock.now()
        if fault == "will not pause":
            async with house.someone_at("voice"):
                await _fails(lease.checkpoint())
        elif fault == "will not cancel":
            result.cancel()
        await _fails(result)
    return began, (await house.first(LeaseReleased, began, "mind")).at, group


async def _suspended(house: House, fault: Fault) -> _Passed:
    await house.vram.prepare("voice")
    async with house.vram.lease("mind", owner="thinking", kind="replying") as lease, aclosing(house.speaks()) as reply:
        for _ in range(_RESULTS):
            await anext(reply)
        async with house.someone_at("voice") as has_it:
            resting = asyncio.create_task(lease.checkpoint())
            await has_it.wait()
            group = house.group()
            began = await _go_wrong(house, fault, house.mind.pid)
            if fault == "will not cancel":
                began = house.clock.now()
                resting.cancel()
            if fault not in {"stopped", "hangs"}:
                await _fails(resting)
                await reply.aclose()
                return began, house.clock.now(), group
        await resting
        began = house.clock.now()
        await _fails(_rest_of(reply))
    return began, (await house.first(LeaseReleased, began, "mind")).at, group


async def _idle(house: House, fault: Fault) -> _Passed:
    await house.reply()
    group = house.group()
    began = await _go_wrong(house, fault, house.mind.pid)
    if fault in DEATHS:
        return began, (await house.first(ModelEvicted, began, "mind")).at, group
    began = house.clock.now()
    await _fails(house.reply())
    return began, (await house.first(LeaseReleased, began, "mind")).at, group


async def _being_evicted(house: House, fault: Fault) -> _Passed:
    """Another model needs the room."""
    await house.empty()
    await house.reply()
    group, pid = house.group(), house.mind.pid
    if fault == "will not end":
        await _go_wrong(house, fault, pid)
    house.card.foreign_mib = _CROWD_MIB
    began = house.clock.now()
    async with house.someone_at("voice") as has_it:
        await _is_let_go(house)
        if fault != "will not end":
            began = await _go_wrong(house, fault, pid)
        freed = (await house.first(ModelEvicted, began, "mind")).at
        await has_it.wait()
    house.card.foreign_mib = 0
    return began, freed, group


async def _yielding(house: House, fault: Fault) -> _Passed:
    """Others need all the memory, in mid-stream."""
    async with _reading(house, _RESULTS) as (_, result):
        group, pid = house.group(), house.mind.pid
        if fault == "will not end":
            await _go_wrong(house, fault, pid)
            await house.hangs()
        began = house.clock.now()
        house.vram.press("the soak wants it")
        await _is_let_go(house)
        if fault != "will not end":
            began = await _go_wrong(house, fault, pid)
        await _fails(result)
    freed = (await house.first(LeaseReleased, began, "mind")).at
    await house.vram.emptied()
    house.vram.relieve()
    return began, freed, group


_PHASES: Final[dict[Phase, Callable[[House, Fault], Awaitable[_Passed]]]] = {
    "loading": _loading,
    "granted": _granted,
    "in mid-stream": _in_mid_stream,
    "suspended": _suspended,
    "idle": _idle,
    "being evicted": _being_evicted,
    "yielding": _yielding,
}


# --- what they have in common ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _reading(house: House, results: int) -> AsyncGenerator[tuple[Lease, asyncio.Task[None]]]:
    """A lease is held, and of a reply so many results have come; with the end of what is to come after them."""
    async with house.vram.lease("mind", owner="thinking", kind="replying") as lease, aclosing(house.speaks()) as reply:
        for _ in range(results):
            await anext(reply)
        rest = asyncio.create_task(_rest_of(reply))
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        yield lease, rest


async def _rest_of(reply: AsyncGenerator[object, None]) -> None:
    async for _ in reply:
        pass


async def _fails(work: Awaitable[object]) -> None:
    """Raises AssertionError if it succeeds."""
    try:
        await work
    except (EngineError, asyncio.CancelledError):
        return
    raise AssertionError("what was cut off ended as if it were whole")


async def _is_let_go(house: House) -> None:
    """Return once the end of the mind's process has begun."""
    while house.mind.pid:  # noqa: ASYNC110  # it is no event
        await asyncio.sleep(0)
