"""What a lease costs that nobody contends for, beside an `asyncio.Lock`; in real time, in one run, by turns."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from typing_extensions import override

from agent.bus import Bus
from agent.clock import Clock
from agent.engines.api import Facts
from agent.policy.lease_terms import Form
from agent.settings import VramSettings
from agent.vram import Vram
from scripts.bench_leases.hardware import Card, FakeModel, Profile
from scripts.bench_response.figures import Round

LEASES_A_ROUND: Final = 50
_ROUNDS: Final = 400
_WARM_UPS: Final = 5


class _FakeModel(FakeModel):
    """One that is loaded at once."""

    def __init__(self, *, heavy: bool) -> None:
        super().__init__("fake", Profile(footprint_mib=0, load_seconds=0.0))
        self._heavy = heavy

    @override
    async def load(self, form: Form = "full") -> Facts:
        return Facts(engine="fake", heavy=self._heavy)


def measure(rounds: int = _ROUNDS) -> dict[str, list[Round]]:
    """For each of lock, light and heavy lease: the seconds for one, in each round."""
    return asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> dict[str, list[Round]]:
    models = {"light": _FakeModel(heavy=False), "heavy": _FakeModel(heavy=True)}
    found: dict[str, list[Round]] = {"lock": [], "light": [], "heavy": []}
    async with Vram(Bus(), Clock(), VramSettings(), models, memory=Card()) as vram:
        for model in models:
            await vram.prepare(model)
        lock = asyncio.Lock()
        ways: dict[str, Callable[[], AbstractAsyncContextManager[Any]]] = {
            "lock": lambda: lock,
            "light": lambda: vram.lease("light", owner="bench", kind="hearing"),
            "heavy": lambda: vram.lease("heavy", owner="bench", kind="replying"),
        }
        for number in range(-_WARM_UPS, rounds):
            for name, way in ways.items():
                seconds = await _time(way)
                if number >= 0:
                    found[name].append(Round((seconds,)))
    return found


async def _time(way: Callable[[], AbstractAsyncContextManager[Any]]) -> float:
    gc.collect()
    await asyncio.sleep(0)  # a turn of the loop clears away the timers that the last ones left
    began = time.perf_counter()
    for _ in range(LEASES_A_ROUND):
        async with way():
            pass
    return (time.perf_counter() - began) / LEASES_A_ROUND
