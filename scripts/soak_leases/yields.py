"""Others want the memory: how long until no heavy process is left, also if one of them is stopped.

They want it because the user says so, or because another program has grown into the reserve, as the simulated driver
tells the real watch, `agent.yielding.Yielding`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, get_args

from agent.errors import EngineError
from agent.events import CameBack, SteppedAside
from agent.yielding import Yielding
from scripts.soak_leases.house import ANSWER, PATIENCE_SECONDS, House
from scripts.soak_leases.processes import end

Why = Literal["asked", "pressure"]
Mind = Literal["works", "is stopped"]

YIELDS: Final[list[tuple[Why, Mind]]] = list(product(get_args(Why), get_args(Mind)))
YIELD_SECONDS: Final = 1.0
"""Within this no heavy process may be left."""
_SETTLED_SECONDS: Final = 0.1
"""The watch has read by then what others use beside models that were just loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yielded:
    """How it went once."""

    why: Why
    mind: Mind
    noticed_seconds: float
    """Until the scheduler was told to step aside."""
    gone_seconds: float
    """From then until no process of a heavy model was left."""
    told_seconds: float
    """From then until the scheduler said so; the memory had been seen to be back."""
    wrong: tuple[str, ...]


def watch(house: House) -> Yielding:
    """The watch over the house's card."""
    return Yielding(
        house.bus, house.clock, house.vram, house.memory, house.settings, pid=lambda name: house.models[name].pid
    )


async def give_way(house: House, watch: Yielding, why: Why, mind: Mind) -> Yielded:
    """With both models loaded. Raises AssertionError if what was waited for did not come."""
    await house.vram.prepare("voice")
    await house.reply()
    processes = house.group("mind") | house.group("voice")
    await asyncio.sleep(_SETTLED_SECONDS)
    async with _works(house) if mind == "works" else _is_stopped(house):
        began = house.clock.now()
        freeing = asyncio.create_task(_ask_for_it(house, watch, why))
        asked = (await house.first(SteppedAside, began)).at
        lasted = await end(processes, PATIENCE_SECONDS)
        gone = house.clock.now()
        await house.vram.emptied()
        told = house.clock.now()
    await freeing
    wrong = [] if lasted is not None else [f"processes were left after {PATIENCE_SECONDS:g} s"]
    house.card.foreign_mib = 0
    watch.back()
    await house.first(CameBack, asked)
    wrong += [] if await house.reply() == ANSWER else ["the next turn was not answered"]
    return Yielded(
        why=why,
        mind=mind,
        noticed_seconds=asked - began,
        gone_seconds=gone - asked,
        told_seconds=told - asked,
        wrong=(*wrong, *house.unrest()),
    )


async def _ask_for_it(house: House, watch: Yielding, why: Why) -> None:
    if why == "asked":
        await watch.free(None)
    else:
        house.card.foreign_mib = house.card.free_mib


@asynccontextmanager
async def _works(house: House) -> AsyncGenerator[None]:
    """The mind gives one reply after the other, until it is taken away."""

    async def chat() -> None:
        with suppress(EngineError):
            while await house.reply() == ANSWER:
                pass

    chatting = asyncio.create_task(chat())
    yield
    await chatting


@asynccontextmanager
async def _is_stopped(house: House) -> AsyncGenerator[None]:
    """Someone holds the mind, whose process is stopped, and has not noticed."""
    async with house.someone_at("mind") as has_it:
        await has_it.wait()
        os.kill(house.mind.pid, signal.SIGSTOP)
        yield
