"""The three parts of the soak, and how busy the machine was meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from agent.clock import monotonic
from agent.errors import EngineError
from scripts.soak_leases import figures
from scripts.soak_leases.house import PATIENCE_SECONDS, furnished, simulated_card
from scripts.soak_leases.injections import Fault, Outcome, Phase, inject
from scripts.soak_leases.unloads import unload_all
from scripts.soak_leases.yields import YIELDS, Yielded, give_way, watch

YIELDS_EACH: Final = 20
_HOUSE_TAKES: Final = 6
"""Faults before a fresh scheduler: after each it waits longer before it loads the model again."""
_BEAT_SECONDS: Final = 0.01
_FAILURES: Final = (AssertionError, TimeoutError, EngineError)


def soak(injections: Iterable[tuple[Phase, Fault]]) -> int:
    """Do it all and print the tables; how much failed."""
    logging.getLogger("agent").setLevel(logging.ERROR)  # that a model cannot be loaded is wanted here
    return asyncio.run(_soak(injections))


async def _soak(injections: Iterable[tuple[Phase, Fault]]) -> int:
    async with _how_busy():
        failed = await soak_injections(injections)
    async with _how_busy():
        failed += await soak_yields(YIELDS_EACH)
    return failed + figures.print_unloads(await unload_all())


async def soak_injections(injections: Iterable[tuple[Phase, Fault]]) -> int:
    """A fresh house after some; how many went wrong or missed their bound."""
    failed, outcomes, todo = 0, list[Outcome](), deque(injections)
    while todo:
        tried = ""
        try:
            with simulated_card() as card:
                async with furnished(card) as house:
                    for _ in range(min(_HOUSE_TAKES, len(todo))):
                        phase, fault = todo.popleft()
                        tried = f"{phase}, {fault}"
                        async with asyncio.timeout(2 * PATIENCE_SECONDS):
                            outcome = await inject(house, phase, fault)
                        outcomes.append(outcome)
                        failed += _told(tried, outcome.wrong)
        except _FAILURES as error:
            failed += _told(tried, (repr(error),))
    return failed + figures.print_injections(outcomes)


async def soak_yields(each: int) -> int:
    """In one house; how many went wrong or missed their bound."""
    failed, outcomes = 0, list[Yielded]()
    with simulated_card() as card:
        async with furnished(card) as house:
            yielding = watch(house)
            watching = asyncio.create_task(yielding.run())
            for why, mind in YIELDS * each:
                outcome = await give_way(house, yielding, why, mind)
                outcomes.append(outcome)
                failed += _told(f"{why}, {mind}", outcome.wrong)
            watching.cancel()
    return failed + figures.print_yields(outcomes)


def _told(what: str, wrong: tuple[str, ...]) -> int:
    if wrong:
        print(f"{what}: FAILED: {'; '.join(wrong)}", flush=True)
    return int(bool(wrong))


@asynccontextmanager
async def _how_busy() -> AsyncGenerator[None]:
    """Tell how late this process itself was woken during the block: no bound can be kept better than that."""
    late = list[float]()

    async def beat() -> None:
        while True:
            due = monotonic() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            late.append(monotonic() - due)

    beating = asyncio.create_task(beat())
    before = os.getloadavg()[0]
    try:
        yield
    finally:
        beating.cancel()
        p95 = figures.percentile(late, 0.95) * 1000
        print(
            f"the machine: {os.cpu_count()} processors, load {before:.1f} before and {os.getloadavg()[0]:.1f} after; "
            f"a timer of ours was late by {p95:.1f} ms (p95), at most {max(late) * 1000:.1f} ms"
        )
