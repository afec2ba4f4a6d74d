"""One engine loaded, used once and ended, several times; and what that took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.clock import Clock
from agent.memory import Memory, wait_until_back
from agent.workers.models import ModelWorker
from scripts.gpu_checks import page_cache
from scripts.gpu_checks.subjects import Subject
from scripts.gpu_checks.work import FIRST_RESULT, ask

BACK_SHARE: Final = 0.9
"""Of what a process held: so much must be seen to come back, for others may take some meanwhile."""
BACK_SECONDS: Final = 5.0
"""So long that is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """From the start of a process to its end. Memory in MiB, None where it is not told."""

    load_seconds: float
    """Start of the process, imports, model, and what the engine runs to warm up."""
    own_mib: int | None
    """Of its process group, once it is loaded."""
    difference_mib: int | None
    """What was free before the load, less what was free after it."""
    first_seconds: float
    """From the first request to the first result."""
    worked_mib: int | None
    """Of its process group, after that."""
    ended_seconds: float
    """From the wish that it end until the process was gone."""
    back_seconds: float | None
    """From then until its memory was seen to be free; None: not within `BACK_SECONDS`."""
    left_mib: int | None
    """Of its process group, at the very end."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine."""

    subject: Subject
    engine: str
    """What it says of itself."""
    dropped: str
    """From the page cache, before the cold load."""
    cold: Life
    warm: tuple[Life, ...]


async def measure(subject: Subject, memory: Memory, rounds: int, tell: Callable[[str], None]) -> Measured:
    """Live once after a drop of the page cache, and `rounds` times more. Raises ParleyError; no process is left."""
    worker = subject.worker(memory.environment)
    dropped = page_cache.drop(subject.model)
    engine, cold = await _live(worker, memory)
    tell(f"{subject.organ}: {_told(subject, cold, 'cold')}")
    warm = list[Life]()
    for _ in range(rounds):
        warm.append((await _live(worker, memory))[1])
        tell(f"{subject.organ}: {_told(subject, warm[-1], 'warm')}")
    return Measured(subject, engine, dropped, cold, tuple(warm))


async def _live(worker: ModelWorker, memory: Memory) -> tuple[str, Life]:
    """What the engine says of itself, and what it took."""
    free_before = memory.free_mib()
    clock = Clock()
    try:
        facts = await worker.load()
        loaded = clock.now()
        pid, free_after = worker.pid, memory.free_mib()
        own_mib = memory.used_by_mib(pid)
        asked = clock.now()
        await ask(worker)
        answered = clock.now()
        worked_mib, free_worked = memory.used_by_mib(pid), memory.free_mib()
        ending = clock.now()
    finally:
        await worker.evict()
    ended = clock.now()
    difference_mib = _less(free_before, free_after)
    held_mib = worked_mib if worked_mib is not None else _less(free_before, free_worked) or 0
    back_seconds = None
    if free_worked is not None:
        expected_mib = free_worked + round(BACK_SHARE * held_mib)
        back_seconds = await wait_until_back(memory, expected_mib, seconds=BACK_SECONDS, clock=clock)
    return facts.engine, Life(
        load_seconds=loaded,
        own_mib=own_mib,
        difference_mib=difference_mib,
        first_seconds=answered - asked,
        worked_mib=worked_mib,
        ended_seconds=ended - ending,
        back_seconds=back_seconds,
        left_mib=memory.used_by_mib(pid),
    )


def _less(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else before - after


def _told(subject: Subject, life: Life, how: str) -> str:
    own = "not told" if life.own_mib is None else f"{life.own_mib} MiB"
    back = "not seen back" if life.back_seconds is None else f"back after {life.back_seconds:.2f} s"
    first = f"{FIRST_RESULT[subject.organ]} after {life.first_seconds:.3f} s"
    return f"{how} load {life.load_seconds:.2f} s, {own}, {first}, ended in {life.ended_seconds:.2f} s, {back}"
