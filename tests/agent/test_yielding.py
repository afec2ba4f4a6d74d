from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from agent.bus import Bus
from agent.clock import Clock, run_virtual
from agent.errors import ParleyError
from agent.events import CameBack, ModelEvicted, ModelLoaded, SteppedAside
from agent.settings import VramSettings
from agent.yielding import Yielding

SETTINGS = VramSettings(reserve_mib=500, return_seconds=30.0)


@dataclass
class FakeVram:
    """Ends and loads nothing; notes what it is told."""

    told: list[str] = field(default_factory=list)
    evict_seconds: float = 0.0

    def press(self, reason):
        self.told.append(reason)

    def relieve(self):
        self.told.append("relieved")

    async def emptied(self):
        await asyncio.sleep(self.evict_seconds)


class FakeMemory:
    """A GPU of 8000 MiB."""

    name = "a fake GPU"

    def __init__(self):
        self.free = 6000
        self.foreign = 2000
        self.reads = 0
        self.asked_about = []

    def free_mib(self):
        self.reads += 1
        return self.free

    def total_mib(self):
        return 8000

    def foreign_mib(self, own_pids):
        self.asked_about = list(own_pids)
        return self.foreign


@dataclass
class Watched:
    clock: Clock
    bus: Bus
    vram: FakeVram
    memory: FakeMemory
    yielding: Yielding
    events: list = field(default_factory=list)

    def load(self, model="mind", footprint_mib=4000):
        self.memory.free -= footprint_mib
        at = self.clock.now()
        self.bus.publish(
            ModelLoaded(at=at, model=model, engine="", seconds=1.0, footprint_mib=footprint_mib, heavy=True)
        )

    def evict(self, model="mind", footprint_mib=4000):
        self.memory.free += footprint_mib
        self.bus.publish(ModelEvicted(at=self.clock.now(), model=model, reason=""))

    def others_take(self, mib):
        self.memory.free -= mib
        self.memory.foreign += mib

    def told(self):
        return [
            (type(event).__name__, round(event.at, 3), event.reason)
            for event in self.events
            if isinstance(event, SteppedAside | CameBack)
        ]


@asynccontextmanager
async def watching(settings=SETTINGS):
    clock, bus, vram, memory = Clock(), Bus(), FakeVram(), FakeMemory()
    yielding = Yielding(bus, clock, vram, memory, pid={"mind": 11, "voice": 12}.__getitem__, settings=settings)
    watched = Watched(clock, bus, vram, memory, yielding)
    bus.tap(watched.events.append)
    task = asyncio.create_task(yielding.run())
    try:
        yield watched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_others_who_grow_into_the_reserve_press_within_seconds_and_are_waited_out():
    async def main():
        async with watching() as it:
            it.load()
            await asyncio.sleep(9)
            it.others_take(1800)
            await asyncio.sleep(5)
            it.evict()
            await asyncio.sleep(99)
            it.others_take(-1800)
            await asyncio.sleep(40)
            return it.told(), it.vram.told

    events, vram = run_virtual(main())
    words = "other programs left 200 MiB free, where 500 MiB are reserved for them"
    # Readings at even seconds: 10 and 12; then from 114 to 144.
    assert events == [("SteppedAside", 12.0, words), ("CameBack", 144.0, "there is room again")]
    assert vram == [words, "relieved"]


def test_nothing_is_read_while_nothing_is_in_the_memory_and_nobody_presses():
    async def main():
        async with watching() as it:
            await asyncio.sleep(1000)
            before = it.memory.reads
            it.load()
            await asyncio.sleep(100)
            during = it.memory.reads
            it.evict()
            await asyncio.sleep(1000)
            await it.yielding.free(None)
            it.yielding.games_counted(1)
            await asyncio.sleep(1000)
            return before, during, it.memory.reads

    assert run_virtual(main()) == (0, 50, 50)


@pytest.mark.parametrize(("yield_to", "reads"), [("all", 50), ("pressure", 50), ("games", 0), ("nobody", 0)])
def test_nothing_is_read_where_pressure_is_not_heeded(yield_to, reads):
    async def main():
        async with watching(SETTINGS.model_copy(update={"yield_to": yield_to})) as it:
            it.load()
            await asyncio.sleep(100)
            return it.memory.reads

    assert run_virtual(main()) == reads


def test_others_are_told_from_the_processes_of_our_models():
    async def main():
        async with watching() as it:
            it.load("mind", 1000)
            it.load("voice", 1000)
            await asyncio.sleep(3)
            both = it.memory.asked_about
            it.evict("voice", 1000)
            await asyncio.sleep(3)
            return both, it.memory.asked_about

    assert run_virtual(main()) == ([11, 12], [11])


def test_what_others_took_while_nothing_of_ours_was_there_does_not_press():
    async def main():
        async with watching() as it:
            it.load()
            await asyncio.sleep(3)
            it.evict()
            await asyncio.sleep(3)
            it.others_take(1000)
            it.load("mind", 4800)
            await asyncio.sleep(30)
            return it.memory.free, it.told()

    assert run_virtual(main()) == (200, [])


def test_a_model_without_a_footprint_is_nothing_to_watch():
    async def main():
        async with watching() as it:
            it.load("stt", 0)
            await asyncio.sleep(100)
            return it.memory.reads

    assert run_virtual(main()) == 0


def test_who_asks_has_the_memory_for_the_time_they_said():
    async def main():
        async with watching() as it:
            await asyncio.sleep(1)
            await it.yielding.free(90.0)
            await asyncio.sleep(200)
            return it.told(), it.vram.told

    events, vram = run_virtual(main())
    over = "the time that you asked for is over"
    assert events == [("SteppedAside", 1.0, "you asked for the memory"), ("CameBack", 91.0, over)]
    assert vram == ["you asked for the memory", "relieved"]


def test_freeing_returns_when_the_models_have_ended_and_gives_up_on_one_that_does_not():
    async def main():
        async with watching() as it:
            it.vram.evict_seconds = 0.7
            await it.yielding.free(None)
            freed_at = it.clock.now()
            it.vram.evict_seconds = 60
            with pytest.raises(ParleyError, match="has not ended within 4 s"):
                await it.yielding.free(None)
            return freed_at

    assert run_virtual(main()) == pytest.approx(0.7)


def test_called_back_it_comes_back_unless_something_else_keeps_it_and_tells_what():
    async def main():
        async with watching() as it:
            await it.yielding.free(None)
            it.yielding.games_counted(1)
            kept = it.yielding.back()
            it.yielding.games_counted(0)
            await asyncio.sleep(60)
            return kept, it.yielding.back(), it.told(), it.vram.told

    kept, after, events, vram = run_virtual(main())
    assert (kept, after) == ("a game is running", "")
    assert events == [("SteppedAside", 0.0, "you asked for the memory"), ("CameBack", 10.0, "the game is over")]
    assert vram == ["you asked for the memory", "a game is running", "relieved"]


def test_an_order_holds_while_the_loop_does_not_run():
    async def main():
        clock, bus, vram = Clock(), Bus(), FakeVram()
        yielding = Yielding(bus, clock, vram, FakeMemory(), pid=lambda _: 1, settings=SETTINGS)
        await yielding.free(None)
        assert yielding.back() == ""
        return vram.told

    assert run_virtual(main()) == ["you asked for the memory", "relieved"]


def test_it_describes_the_memory_and_until_when_it_is_aside():
    async def main():
        async with watching() as it:
            here = it.yielding.describe()
            await asyncio.sleep(60)
            await it.yielding.free(600.0)
            aside = it.yielding.describe()["yielding"]
            await it.yielding.free(None)
            return here, aside, it.yielding.describe()["yielding"]["until"]

    here, aside, open_end = run_virtual(main())
    assert here == {
        "memory": {"name": "a fake GPU", "free_mib": 6000, "total_mib": 8000, "reserve_mib": 500},
        "yielding": None,
    }
    assert aside == {
        "reason": "you asked for the memory",
        "ends": "the time is over or you call it back",
        "until": "2026-01-05T09:11:00+00:00",
    }
    assert open_end is None
