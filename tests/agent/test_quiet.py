from __future__ import annotations

import asyncio

import pytest

from agent.bus import Bus
from agent.clock import Clock, run_virtual
from agent.events import CompanionStarted, SpeechStarted
from agent.quiet import Quiet


def lasted(*, waits_for_file: bool, happens) -> float:
    """How long five seconds of quiet were in coming, in seconds, while `happens` goes on."""

    async def main() -> float:
        clock, bus = Clock(), Bus()
        quiet = Quiet(bus, clock, waits_for_file=waits_for_file)
        going_on = asyncio.create_task(happens(clock, bus, quiet))
        await quiet.lasts(5.0)
        await going_on
        return clock.now()

    return run_virtual(main())


async def starts(clock, bus) -> None:
    """As on a slow machine."""
    await asyncio.sleep(20.0)
    bus.publish(CompanionStarted(at=clock.now(), personality=""))


def test_a_slow_start_is_no_quiet():
    async def happens(clock, bus, _quiet):
        await starts(clock, bus)

    assert lasted(waits_for_file=False, happens=happens) == pytest.approx(25.0)


def test_speech_begins_it_anew():
    async def happens(clock, bus, _quiet):
        await starts(clock, bus)
        await asyncio.sleep(3.0)
        bus.publish(SpeechStarted(at=clock.now()))

    assert lasted(waits_for_file=False, happens=happens) == pytest.approx(28.0)


def test_a_silent_stretch_of_a_file_is_no_quiet_before_its_end():
    async def happens(clock, bus, quiet):
        await starts(clock, bus)
        await asyncio.sleep(30.0)
        quiet.exhausted()

    assert lasted(waits_for_file=True, happens=happens) == pytest.approx(55.0)
