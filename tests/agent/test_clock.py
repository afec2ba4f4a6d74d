from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from agent.clock import Clock, run_virtual


def test_a_day_passes_at_once_on_virtual_time():
    async def main() -> float:
        clock = Clock()
        await asyncio.sleep(86_400)
        return clock.now()

    assert run_virtual(main()) == 86_400


def test_the_wall_clock_moves_with_virtual_time():
    async def main() -> dt.datetime:
        await asyncio.sleep(3600)
        return Clock().wall()

    start = dt.datetime(2026, 3, 1, 22, 30, tzinfo=dt.UTC)
    assert run_virtual(main(), start=start) == dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)


def test_waiting_for_nothing_is_a_deadlock_and_fails():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(main())


def test_a_stamp_of_another_process_is_the_same_moment():
    async def main() -> None:
        await asyncio.sleep(5)
        clock = Clock()
        await asyncio.sleep(2)
        assert clock.from_monotonic(asyncio.get_running_loop().time()) == clock.now() == 2

    run_virtual(main())
