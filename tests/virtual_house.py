"""A whole companion on virtual time: the real routines, bus, scheduler and supervisor over scripted engines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent import events as e
from agent.bus import Bus
from agent.clock import Clock
from agent.companion import Companion
from agent.engines.in_process import ScriptedEar, ScriptedMind, ScriptedModel, ScriptedStt, ScriptedVoice
from agent.engines.scripted import Script
from agent.errors import ParleyError
from agent.house import House, Organs
from agent.personality import Personality
from agent.settings import Settings
from agent.sound.virtual import VirtualRoom
from agent.supervisor import Supervisor
from agent.vram import Vram
from agent.yielding import Yielding
from routines.listening import type_in
from routines.prompter import Prompter
from tests.fake_memory import FakeMemory

RATE = 16_000
PERSONALITY = Personality(
    name="Parley",
    patience_seconds=60,
    chattiness=0.5,
    digest="0123456789ab",
    path=Path("parley.md"),
    body="You are {name}.",
)


def tone(seconds: float, height: int = 3000) -> np.ndarray:
    """What the scripted ear takes for speech."""
    return (height * np.sin(np.arange(round(seconds * RATE)) * 0.2)).astype(np.int16)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


@dataclass
class VirtualHouse:
    """One that lives, and everything it has told."""

    clock: Clock
    bus: Bus
    room: VirtualRoom
    ear: ScriptedEar
    stt: ScriptedStt
    mind: ScriptedMind
    voice: ScriptedVoice
    companion: Companion
    house: House
    vram: Vram
    memory: FakeMemory
    events: list[e.Event] = field(default_factory=list)

    @property
    def prompter(self) -> Prompter:
        """The one that lives now."""
        assert self.house._prompter
        return self.house._prompter

    def type(self, text: str) -> None:
        type_in(self.bus, self.clock, text)

    def of(self, *kinds: type[e.Event]) -> list[e.Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    def names(self) -> list[str]:
        """The conversation as a list of events, without verdicts, leases and measurements."""
        skipped = (
            e.Decided,
            e.LeaseGranted,
            e.LeaseReleased,
            e.ModelLoaded,
            e.ModelEvicted,
            e.TurnMeasured,
            e.PartialHeard,
        )
        return [type(event).__name__ for event in self.events if not isinstance(event, skipped)]


@asynccontextmanager
async def living(
    *,
    microphone: np.ndarray | None = None,
    settings: Settings | None = None,
    personality: Personality = PERSONALITY,
    stt: Script | None = None,
    mind: Script | None = None,
    voice: Script | None = None,
) -> AsyncGenerator[VirtualHouse, None]:
    """A companion that has started. Without a recording the microphone delivers nothing at all, which costs nothing."""
    settings = settings or Settings()
    clock, bus = Clock(), Bus()
    samples = np.zeros(0, np.int16) if microphone is None else microphone
    room = VirtualRoom(samples, clock=clock, silence_after=microphone is not None)
    ear = ScriptedEar()
    organs = Organs(
        microphone=room.microphone,
        loudspeaker=room.loudspeaker,
        ear=ear,
        stt=ScriptedStt(stt, deadline_seconds=settings.stt.deadline_seconds),
        mind=ScriptedMind(mind, deadline_seconds=settings.mind.deadline_seconds),
        voice=ScriptedVoice(voice, deadline_seconds=settings.voice.deadline_seconds),
    )
    models = {"stt": organs.stt, "mind": organs.mind, "voice": organs.voice}
    memory = FakeMemory(used_by=lambda pid: sum(_taken_mib(model, pid) for model in models.values()))
    vram = Vram(bus, clock, settings.vram, models, memory=memory)
    yielding = Yielding(bus, clock, vram, memory, settings.vram, pid=lambda name: models[name].pid)
    supervisor = Supervisor(bus, clock)
    companion = Companion(
        bus,
        clock,
        asyncio.Event(),
        type_in=lambda text: type_in(bus, clock, text),
        describe=supervisor.describe,
        describe_models=vram.describe,
        yielding=yielding,
    )
    made = House(settings, personality, organs, bus, clock, vram)
    house = VirtualHouse(clock, bus, room, ear, organs.stt, organs.mind, organs.voice, companion, made, vram, memory)
    bus.tap(house.events.append)
    made.furnish(supervisor)
    supervisor.add("yielding", lambda: yielding)
    async with vram, supervisor:
        for model in models:
            with suppress(ParleyError):
                await vram.prepare(model)
        bus.publish(e.CompanionStarted(at=clock.now(), personality=personality.digest))
        yield house


def _taken_mib(model: ScriptedModel, pid: int) -> int:
    return model.footprint_mib if model.loaded and pid in {0, model.pid} else 0


def unclosed(events: list[e.Event]) -> Counter[str]:
    """Openers without a closer, and closers too many; empty when every contract holds."""
    faults: Counter[str] = Counter()
    speeches = 0
    prompts: dict[int, bool] = {}
    speaking: set[int] = set()
    for event in events:
        match event:
            case e.SpeechStarted():
                speeches += 1
            case e.UtteranceHeard(source="voice") | e.SpeechDiscarded():
                speeches -= 1
                faults["speech closed twice"] += speeches < 0
            case e.PromptIssued():
                faults["turn minted twice"] += event.turn in prompts
                prompts[event.turn] = False
            case e.ReplyFinished() | e.ReplyDeclined() | e.ReplyFailed():
                faults["prompt closed twice"] += prompts[event.turn]
                prompts[event.turn] = True
            case e.HushIssued():
                prompts[event.turn] = True
            case e.SpeakingStarted():
                faults["two speak at once"] += bool(speaking)
                speaking.add(event.turn)
            case e.SpeakingEnded():
                faults["speaking ended unopened"] += event.turn not in speaking
                speaking.discard(event.turn)
            case _:
                pass
    faults["speech open"] = speeches
    faults["prompt open"] = sum(not closed for closed in prompts.values())
    faults["speaking open"] = len(speaking)
    return +faults
