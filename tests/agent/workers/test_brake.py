"""The engine's thread is this one; where it would wait, another thread lets it go."""

from __future__ import annotations

import threading

import pytest
from msgspec import Raw

from agent.workers import wire
from agent.workers.brake import Brake, Task


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def brake(told: list[int]) -> Brake:
    return Brake(told.append)


def task() -> Task:
    return Task(wire.Request(1, 0, Raw(b"")))


def let_go(brake: Brake, told: list[int], pause: int) -> threading.Thread:
    """Resume the engine as soon as it has stood still for the pause."""

    def wait() -> None:
        while pause not in told:
            threading.Event().wait(0.001)
        brake.resume()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_an_idle_engine_stands_still_already(brake: Brake, told: list[int]):
    brake.pause(1)
    assert told == [1]


def test_an_engine_at_work_stands_still_at_its_next_look(brake: Brake, told: list[int]):
    work = task()
    assert brake.start(work)
    brake.pause(1)
    assert told == []
    thread = let_go(brake, told, 1)
    assert not brake.give_up(work)
    thread.join()
    assert told == [1]
    brake.pause(2)
    assert told == [1], "it is at work again"


def test_an_engine_that_ends_its_task_stands_still_then(brake: Brake, told: list[int]):
    brake.start(task())
    brake.pause(1)
    brake.end()
    assert told == [1]


def test_a_pause_that_was_taken_back_is_not_told_of(brake: Brake, told: list[int]):
    work = task()
    brake.start(work)
    brake.pause(1)
    brake.resume()
    assert not brake.give_up(work)
    brake.pause(2)
    brake.end()
    assert told == [2]


def test_a_cancelled_task_is_not_held(brake: Brake, told: list[int]):
    work = task()
    brake.start(work)
    brake.pause(1)
    assert brake.cancel(work)
    assert brake.give_up(work)
    assert brake.give_up(work)
    assert told == [1]


def test_a_task_cancelled_before_it_began_is_the_canceller_s_to_answer(brake: Brake):
    work = task()
    assert not brake.cancel(work)
    assert not brake.start(work)


def test_a_task_cancelled_while_it_is_held_never_begins(brake: Brake):
    work = task()
    brake.pause(1)
    canceller = threading.Timer(0.01, brake.cancel, [work])
    canceller.start()
    assert not brake.start(work)
    canceller.join()
