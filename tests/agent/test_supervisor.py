"""What the supervisor promises, on virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from agent.bus import Bus
from agent.clock import Clock, run_virtual
from agent.errors import WorkerDied
from agent.events import Event, RoutineCrashed, RoutineGaveUp, RoutineRestarted
from agent.supervisor import Supervisor, in_words


class House:
    """A supervisor, its events, and what its routines did, in order."""

    def __init__(self) -> None:
        self.bus, self.clock = Bus(), Clock()
        self.events: list[Event] = []
        self.bus.tap(self.events.append)
        self.supervisor = Supervisor(self.bus, self.clock)
        self.done: list[str] = []

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


class Steady:
    """Runs for ever, and says when it began and ended."""

    def __init__(self, house: House, name: str = "steady", cleanup_seconds: float = 0.0) -> None:
        self.house, self.name, self.cleanup_seconds = house, name, cleanup_seconds

    async def run(self) -> None:
        self.house.done.append(f"{self.name} began")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self.cleanup_seconds)
            self.house.done.append(f"{self.name} ended")


class Shaky:
    """Runs for a while, then raises."""

    def __init__(self, seconds: float = 0.0, error: BaseException | None = None) -> None:
        self.seconds, self.error = seconds, error

    async def run(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error


def live(scenario) -> House:
    async def main() -> House:
        house = House()
        await scenario(house)
        return house

    return run_virtual(main())


def test_routines_start_in_order_and_stop_in_reverse():
    async def scenario(house):
        for name in ("sound", "ear", "prompter"):
            house.supervisor.add(name, lambda name=name: Steady(house, name))
        async with house.supervisor:
            await asyncio.sleep(1)
            house.supervisor.add("late", lambda: Steady(house, "late"))
            await asyncio.sleep(1)

    names = ["sound", "ear", "prompter", "late"]
    assert live(scenario).done == [f"{name} began" for name in names] + [f"{name} ended" for name in reversed(names)]


def test_a_crash_starts_a_fresh_instance_after_a_pause():
    instances = []

    async def scenario(house):
        def make():
            instances.append(Steady(house) if instances else Shaky(1.0, WorkerDied("The ear ended.")))
            return instances[-1]

        house.supervisor.add("ear", make)
        async with house.supervisor:
            await asyncio.sleep(5)
            assert house.supervisor.describe() == {"routines": {"ear": "running, started again once"}}

    house = live(scenario)
    assert [(e.at, e.error, e.retry_seconds) for e in house.of(RoutineCrashed)] == [(1.0, "The ear ended.", 0.1)]
    assert [(e.at, e.attempt) for e in house.of(RoutineRestarted)] == [(1.1, 1)]
    assert len(instances) == 2


def test_pauses_double_and_the_sixth_crash_in_a_minute_is_the_last():
    async def scenario(house):
        house.supervisor.add("ear", lambda: Shaky(0.0, ValueError()))
        house.supervisor.add("prompter", lambda: Steady(house))
        async with house.supervisor:
            await asyncio.sleep(100)
            assert house.done == ["steady began"], "the others live on"
            assert house.supervisor.describe()["routines"]["ear"].startswith("given up")

    house = live(scenario)
    assert [round(e.retry_seconds, 3) for e in house.of(RoutineCrashed)] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert [round(e.at, 3) for e in house.of(RoutineGaveUp)] == [3.1]


def test_pauses_never_grow_beyond_ten_seconds():
    async def scenario(house):
        house.supervisor.add("ear", lambda: Shaky(13.0, ValueError()))
        async with house.supervisor:
            await asyncio.sleep(300)

    house = live(scenario)
    pauses = [round(e.retry_seconds, 3) for e in house.of(RoutineCrashed)]
    assert pauses[:9] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert not house.of(RoutineGaveUp)


def test_a_minute_of_health_forgives():
    async def scenario(house):
        lives = iter([0.0, 0.0, 60.0, 0.0])
        house.supervisor.add("ear", lambda: Shaky(next(lives, 1000.0), ValueError()))
        async with house.supervisor:
            await asyncio.sleep(100)

    assert [round(e.retry_seconds, 3) for e in live(scenario).of(RoutineCrashed)] == [0.1, 0.2, 0.1, 0.2]


@pytest.mark.parametrize(
    ("routine", "words"),
    [
        (Shaky(1.0), "ended without being asked"),
        (Shaky(1.0, asyncio.CancelledError()), "was cancelled by nobody"),
    ],
)
def test_an_end_that_nobody_asked_for_is_a_crash(routine, words):
    async def scenario(house):
        routines = iter([routine])
        house.supervisor.add("ear", lambda: next(routines, Steady(house)))
        async with house.supervisor:
            await asyncio.sleep(5)

    house = live(scenario)
    assert [event.error for event in house.of(RoutineCrashed)] == [words]
    assert house.done == ["steady began", "steady ended"]


def test_a_factory_that_raises_is_a_crash_too():
    async def scenario(house):
        def make():
            raise WorkerDied("There is no ear.")

        house.supervisor.add("ear", make)
        async with house.supervisor:
            await asyncio.sleep(0.05)

    house = live(scenario)
    assert [event.error for event in house.of(RoutineCrashed)] == ["There is no ear."]
    assert not house.of(RoutineRestarted)


def test_a_routine_that_does_not_stop_is_left_behind_after_a_second(caplog):
    async def scenario(house):
        house.supervisor.add("first", lambda: Steady(house, "first"))
        house.supervisor.add("slow", lambda: Steady(house, "slow", cleanup_seconds=30))
        async with house.supervisor:
            await asyncio.sleep(1)
        assert house.clock.now() == 2.0
        assert house.done[-1] == "first ended"

    live(scenario)
    assert "slow did not stop within 1 s" in caplog.text


def test_stopping_during_a_pause_takes_no_time():
    async def scenario(house):
        house.supervisor.add("ear", lambda: Shaky(0.0, ValueError()))
        async with house.supervisor:
            await asyncio.sleep(0.05)
        assert house.clock.now() == 0.05

    live(scenario)


def test_one_who_answers_a_stop_with_an_error_is_not_started_again(caplog):
    class Sulky:
        async def run(self):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError from None

    async def scenario(house):
        house.supervisor.add("sulky", Sulky)
        async with house.supervisor:
            await asyncio.sleep(1)

    assert not live(scenario).of(RoutineCrashed)
    assert "sulky crashed: ValueError" in caplog.text


def test_what_was_said_stays_out_of_events_and_log(caplog):
    said = "hunter" * 2  # whole nowhere in this file, whose lines are in tracebacks

    class Grouped:
        async def run(self):
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(Shaky(0.0, KeyError(said)).run())
            except ExceptionGroup as group:
                raise RuntimeError(said) from group

    async def scenario(house):
        house.supervisor.add("thinking", Grouped)
        async with house.supervisor:
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.DEBUG):
        house = live(scenario)
    (crash,) = house.of(RoutineCrashed)
    assert crash.error.startswith("RuntimeError at ")
    assert "test_supervisor.py" in crash.error
    assert "KeyError" in caplog.text, "the cause is in the traceback"
    assert said not in crash.error + caplog.text


def test_a_group_of_errors_is_told_one_by_one():
    group = ExceptionGroup("several", [WorkerDied("The ear ended."), ValueError("private")])
    assert in_words(group) == "The ear ended.; ValueError"
