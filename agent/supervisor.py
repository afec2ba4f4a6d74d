"""Keeps routines and long-lived workers alive: a fresh instance per start, a pause that grows, and an end to patience.

This is where `Exception` is caught. What a crash is called on the bus and in the log is its type and place, and the
message only of Parley's own errors, which hold nothing that was said; the traceback in the log has no values in it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol, Self, cast

from agent.bus import Bus
from agent.clock import Clock
from agent.errors import ParleyError
from agent.events import RoutineCrashed, RoutineGaveUp, RoutineRestarted
from agent.policy.restarting import GiveUp, Health, RestartRules, crashed

_LOGGER = logging.getLogger(__name__)
_STOP_SECONDS: Final = 1.0
"""How long a routine may take to clean up after itself."""


class Routine(Protocol):
    """One loop that runs for as long as the companion lives."""

    async def run(self) -> None:
        """Run until cancelled. Returning is a crash, as is raising."""
        ...


@dataclass(slots=True)
class _Kept:
    name: str
    make: Callable[[], Routine]
    health: Health = field(default_factory=Health)
    restarts: int = 0
    state: str = "not started"
    """For a person."""
    task: asyncio.Task[None] | None = None


class Supervisor:
    """A block within which routines live: started in the order they were added, stopped in reverse."""

    def __init__(self, bus: Bus, clock: Clock, rules: RestartRules | None = None) -> None:
        """By default crashes in a row are retried after 0.1 s, doubling to 10 s; the sixth in a minute is the last."""
        self._bus = bus
        self._clock = clock
        self._rules = rules or RestartRules()
        self._kept: list[_Kept] = []
        self._alive = False
        self._stopping = False

    def add(self, name: str, make: Callable[[], Routine]) -> None:
        """Keep what `make` makes running; at once if the block has been entered, else from then on."""
        kept = _Kept(name, make)
        self._kept.append(kept)
        if self._alive:
            self._start(kept)

    def describe(self) -> dict[str, Any]:
        """Every routine and how it is, in words."""
        return {"routines": {kept.name: kept.state for kept in self._kept}}

    async def __aenter__(self) -> Self:
        """Start everything."""
        self._alive = True
        for kept in self._kept:
            self._start(kept)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything in reverse; who does not end in time is left behind, and the log says so."""
        self._alive, self._stopping = False, True
        for kept in reversed(self._kept):
            if kept.task:
                await self._stop(kept, kept.task)

    def _start(self, kept: _Kept) -> None:
        kept.task = asyncio.create_task(self._keep(kept), name=kept.name)

    async def _stop(self, kept: _Kept, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait((task,), timeout=_STOP_SECONDS)
        if not task.done():
            _LOGGER.error("%s did not stop within %g s and is left behind", kept.name, _STOP_SECONDS)
        kept.state = "stopped"

    async def _keep(self, kept: _Kept) -> None:
        """Run fresh instances until asked to stop or out of patience."""
        while True:
            started_at = self._clock.now()
            error = await self._run_one(kept)
            if self._stopping:
                return
            now = self._clock.now()
            kept.health, verdict = crashed(kept.health, self._rules, started_at=started_at, now=now)
            if isinstance(verdict, GiveUp):
                kept.state = f"given up: {verdict.reason} {error}"
                _LOGGER.error("%s stays down: %s", kept.name, verdict.reason)
                self._bus.publish(RoutineGaveUp(at=now, routine=kept.name, error=error))
                return
            kept.state = f"starts again after: {error}"
            crash = RoutineCrashed(at=now, routine=kept.name, error=error, retry_seconds=verdict.seconds)
            self._bus.publish(crash)
            await asyncio.sleep(verdict.seconds)
            kept.restarts += 1

    async def _run_one(self, kept: _Kept) -> str:
        """Run one instance to its end; what ended it, in words."""
        try:
            routine = kept.make()
            self._tell_start(kept)
            await routine.run()
        except asyncio.CancelledError as error:
            if _is_asked_to_stop():
                raise
            return self._note(kept, error, "was cancelled by nobody")
        except Exception as error:  # noqa: BLE001  # here, and nowhere else in the daemon
            return self._note(kept, error, in_words(error))
        return self._note(kept, None, "ended without being asked")

    def _tell_start(self, kept: _Kept) -> None:
        kept.state = "running"
        if kept.restarts:
            kept.state += f", started again {kept.restarts} times" if kept.restarts > 1 else ", started again once"
            self._bus.publish(RoutineRestarted(at=self._clock.now(), routine=kept.name, attempt=kept.restarts))

    def _note(self, kept: _Kept, error: BaseException | None, words: str) -> str:
        trace = "".join(_frames(error)) if error else ""
        _LOGGER.error("%s crashed: %s\n%s", kept.name, words, trace)
        return words


def in_words(error: BaseException) -> str:
    """What happened and where, without anything that may have been said."""
    if isinstance(error, ParleyError):
        return str(error)
    if parts := _parts(error):
        return "; ".join(in_words(part) for part in parts)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{where}"


def _frames(error: BaseException) -> list[str]:
    """The traceback without the message, and those of its causes."""
    lines: list[str] = []
    seen: set[int] = set()
    rest: list[BaseException] = [error]
    while rest:
        one = rest.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        lines += [f"{type(one).__name__}:\n", *traceback.format_tb(one.__traceback__)]
        rest += [cause for cause in (one.__cause__, one.__context__, *_parts(one)) if cause]
    return lines


def _parts(error: BaseException) -> tuple[BaseException, ...]:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()


def _is_asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
