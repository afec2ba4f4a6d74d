"""Parley itself as a contestant: the house of `agent.house`, with terminal log and journal, on the stage's workers."""

from __future__ import annotations

import asyncio
import io
from contextlib import closing

from rich.console import Console

from agent.bus import Bus
from agent.events import CompanionStarted, Event
from agent.house import House, Organs
from agent.journal import Journal
from agent.memory import Ram
from agent.narration import Narrator
from agent.supervisor import Supervisor
from agent.terminal import Terminal
from agent.vram import Vram
from scripts.bench_response.stage import Stage


async def parley(stage: Stage, events: list[Event]) -> None:
    """Live until the user's recording is over; everything that happened is put into `events`."""
    bus, clock = Bus(), stage.clock
    bus.tap(events.append)
    organs = Organs(
        microphone=stage.sound,
        loudspeaker=stage.sound,
        ear=stage.ear,
        stt=stage.stt,
        mind=stage.mind,
        voice=stage.voice,
    )
    journal = Journal(stage.stamps / "journal.jsonl", started=clock.wall(), digest="", content="everywhere")
    terminal = Terminal(Console(file=io.StringIO(), highlight=False), Narrator("terminal", verbose=False), clock.wall)
    with closing(journal), closing(terminal):  # they are told everything in the middle of a turn, so they belong here
        bus.tap(journal.take)
        bus.tap(terminal.take)
        heavy = {model: getattr(stage.settings, model).heavy for model in stage.models}
        async with Vram(bus, clock, stage.settings.vram, stage.models, memory=Ram(), heavy=heavy) as vram:
            await asyncio.gather(*(vram.prepare(model) for model in stage.models))
            supervisor = Supervisor(bus, clock)
            House(stage.settings, stage.personality, organs, bus, clock, vram).furnish(supervisor)
            async with supervisor:
                bus.publish(CompanionStarted(at=clock.now(), personality=stage.personality.digest))
                await stage.over.wait()
