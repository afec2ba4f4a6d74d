"""The watch over what others want of the memory: it has Parley step aside and come back.

What is decided is in `agent.policy.yielding`. The memory is read every other second, and only while a model of ours is
in it or others press; at any other time the watch sleeps until something happens.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any, Final, Protocol

from agent.bus import Bus
from agent.clock import Clock
from agent.errors import ParleyError
from agent.events import CameBack, Event, ModelEvicted, ModelLoaded, SteppedAside
from agent.memory import Memory
from agent.policy.yielding import (
    Aside,
    Reading,
    Surroundings,
    YieldRules,
    asked,
    called_back,
    decide,
    games_counted,
    memory_read,
    memory_unwatched,
    why_back,
)
from agent.settings import VramSettings

_READ_SECONDS: Final = 2.0
_FREE_SECONDS: Final = 4.0
"""Ending a model's process is bounded; who asked for the memory is told then at the latest."""


class Scheduler(Protocol):
    """Who ends the models and loads them again."""

    def press(self, reason: str) -> None:
        """End every heavy model now and load none until `relieve`; called again, only the reason changes."""
        ...

    def relieve(self) -> None:
        """Models may be loaded again."""
        ...

    async def emptied(self) -> None:
        """Return once every process that is being ended has ended."""
        ...


class Yielding:
    """A routine that lives as long as the companion: an order to step aside outlasts a crash."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        vram: Scheduler,
        memory: Memory,
        settings: VramSettings,
        *,
        pid: Callable[[str], int],
    ) -> None:
        """`pid` tells the process of a loaded model."""
        self._bus = bus
        self._clock = clock
        self._vram = vram
        self._memory = memory
        self._pid = pid
        self._rules = YieldRules(reserve_mib=settings.reserve_mib, room_seconds=settings.return_seconds)
        self._heeds_pressure = settings.yield_to in {"all", "pressure"}
        self._surroundings = Surroundings()
        self._aside: Aside | None = None
        self._footprints: dict[str, int] = {}
        self._stirred = asyncio.Event()
        bus.tap(self._take)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._stirred.clear()
            self._read_memory()
            self._judge()
            await self._something()

    async def free(self, seconds: float | None) -> None:
        """Step aside for so long, or until `back`; returns once the memory is free. Raises ParleyError."""
        self._learn(asked(self._surroundings, self._clock.now(), seconds))
        try:
            async with asyncio.timeout(_FREE_SECONDS):
                await self._vram.emptied()
        except TimeoutError:
            raise ParleyError(
                f"A model has not ended within {_FREE_SECONDS:.0f} s; `parley vram` tells which."
            ) from None

    def back(self) -> str:
        """The user needs the memory no more; why Parley is aside all the same, empty if it is not."""
        self._learn(called_back(self._surroundings))
        return self._aside.reason if self._aside else ""

    def games_counted(self, games: int) -> None:
        """So many games run now."""
        self._learn(games_counted(self._surroundings, self._clock.now(), games))

    def describe(self) -> dict[str, Any]:
        """The memory, and why Parley is aside and until when."""
        return {
            "memory": {
                "name": self._memory.name,
                "free_mib": self._memory.free_mib(),
                "total_mib": self._memory.total_mib(),
                "reserve_mib": self._rules.reserve_mib,
            },
            "yielding": self._describe_aside(self._aside) if self._aside else None,
        }

    def _describe_aside(self, aside: Aside) -> dict[str, Any]:
        until = None
        if aside.until is not None:
            until = self._clock.wall() + dt.timedelta(seconds=aside.until - self._clock.now())
        return {"reason": aside.reason, "ends": aside.ends, "until": until and until.isoformat(timespec="seconds")}

    def _learn(self, surroundings: Surroundings) -> None:
        """Act at once, also if the loop is just being started again."""
        self._surroundings = surroundings
        self._judge()
        self._stirred.set()

    def _take(self, event: Event) -> None:
        match event:
            case ModelLoaded(model=model, footprint_mib=footprint_mib, heavy=True) if footprint_mib:
                self._footprints[model] = footprint_mib
                self._stirred.set()
            case ModelEvicted(model=model):
                self._footprints.pop(model, None)
                self._stirred.set()
            case _:
                pass

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _is_watching(self) -> bool:
        return self._heeds_pressure and bool(self._footprints or self._surroundings.crowding.reason)

    def _read_memory(self) -> None:
        if not self._is_watching():
            self._surroundings = memory_unwatched(self._surroundings)
            return
        reading = Reading(
            at=self._clock.now(),
            free_mib=self._memory.free_mib(),
            foreign_mib=self._memory.foreign_mib([self._pid(model) for model in self._footprints]),
            largest_mib=max(self._footprints.values(), default=0),
        )
        self._surroundings = memory_read(self._surroundings, reading, self._rules)

    def _judge(self) -> None:
        """Do what is decided, if it is anything new."""
        now, before = self._clock.now(), self._aside
        self._aside = decide(self._surroundings, now, self._rules)
        match before, self._aside:
            case None, Aside(reason=reason):
                self._bus.publish(SteppedAside(at=now, reason=reason))
                self._vram.press(reason)
            case Aside(reason=old), Aside(reason=new) if old != new:
                self._vram.press(new)
            case Aside(), None:
                self._bus.publish(CameBack(at=now, reason=why_back(before, now)))
                self._vram.relieve()
            case _:
                pass

    async def _something(self) -> None:
        """Return when something has happened, or time has come to look again."""
        waits = [_READ_SECONDS] if self._is_watching() else []
        if self._aside and self._aside.until is not None:
            waits.append(self._aside.until - self._clock.now())
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._stirred.wait()
        except TimeoutError:
            pass
