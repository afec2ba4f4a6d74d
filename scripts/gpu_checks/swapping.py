"""Mind and voice by turns, under the leases of `agent.vram`: beside each other, and with room for one of them only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.bus import Bus
from agent.clock import Clock
from agent.footprints import Footprints
from agent.memory import Memory
from agent.settings import Heavy, VramSettings
from agent.vram import Vram
from agent.workers.models import ModelWorker
from scripts.gpu_checks.loading import Measured
from scripts.gpu_checks.subjects import LOAD_SECONDS
from scripts.gpu_checks.work import FIRST_RESULT, ask


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A lease asked for by one model after the other."""

    to: str
    waited_seconds: float
    """From asking for the lease to having it."""
    load_seconds: float
    """How much of that its model was loading; 0 if it was resident."""
    first_seconds: float
    """From having it to the first result."""


def footprint_mib(measured: Measured) -> int:
    """What the scheduler will know of it: as is told of its process, else by difference; the most of all loads."""
    lives = (measured.cold, *measured.warm)
    return max(life.own_mib if life.own_mib is not None else life.difference_mib or 0 for life in lives)


def why_no_swap(found: Sequence[Measured]) -> str:
    """Why mind and voice are not swapped; empty if they can be."""
    by_organ = {measured.subject.organ: measured for measured in found}
    for organ in ("mind", "voice"):
        if organ not in by_organ:
            return f"no {organ} was measured"
        if footprint_mib(by_organ[organ]) <= 0:
            return f"the {organ} takes nothing of this memory, so the two always fit together"
    return ""


def room_for_one(mind_mib: int, voice_mib: int) -> int:
    """A budget that the larger fits into with some to spare, and not both."""
    return max(mind_mib, voice_mib) + min(mind_mib, voice_mib) // 2


async def swap(
    found: Sequence[Measured], memory: Memory, rounds: int, folder: Path, tell: Callable[[str], None]
) -> dict[str, list[HandOver]]:
    """The hand-overs with and without room for both. Raises ParleyError; no process is left."""
    pair = {measured.subject.organ: measured for measured in found if measured.subject.organ in ("mind", "voice")}
    sizes = [footprint_mib(measured) for measured in pair.values()]
    budgets = {"room for both": 0, "room for one": room_for_one(*sizes)}
    remembered = Footprints(folder / "footprints.json", memory.versions())
    workers = {name: measured.subject.worker(memory.environment) for name, measured in pair.items()}
    for name, measured in pair.items():
        key = workers[name].key("full")
        load_seconds = measured.cold.load_seconds
        remembered.remember(key, footprint_mib=footprint_mib(measured), load_seconds=load_seconds)
    made = dict[str, list[HandOver]]()
    for room, budget_mib in budgets.items():
        tell(f"mind and voice by turns, with {room}")
        made[room] = await _alternate(workers, memory, remembered, budget_mib, rounds, tell)
    return made


async def _alternate(
    workers: Mapping[str, ModelWorker],
    memory: Memory,
    remembered: Footprints,
    budget_mib: int,
    rounds: int,
    tell: Callable[[str], None],
) -> list[HandOver]:
    """By turns, as often as there are rounds; the first time of each, which loads it in any case, does not count."""
    settings = VramSettings(budget_mib=budget_mib, load_seconds=LOAD_SECONDS, lease_seconds=2 * LOAD_SECONDS)
    heavy: dict[str, Heavy] = dict.fromkeys(workers, "yes")
    found = list[HandOver]()
    async with Vram(Bus(), Clock(), settings, workers, memory=memory, remembered=remembered, heavy=heavy) as vram:
        for number in range(rounds + 1):
            for name in ("mind", "voice"):
                one = await _use(vram, name, workers[name])
                if number:
                    found.append(one)
                    tell(_told(one))
    return found


async def _use(vram: Vram, name: str, worker: ModelWorker) -> HandOver:
    async with vram.lease(name, owner="gpu_check", kind="replying") as lease:
        clock = Clock()
        await ask(worker)
        return HandOver(
            to=name,
            waited_seconds=lease.waited_seconds,
            load_seconds=lease.load_seconds,
            first_seconds=clock.now(),
        )


def _told(one: HandOver) -> str:
    first = f"{FIRST_RESULT[one.to]} {one.first_seconds:.3f} s later"
    return f"the {one.to} is granted after {one.waited_seconds:.3f} s, {first}"
