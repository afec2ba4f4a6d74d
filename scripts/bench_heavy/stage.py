"""What both contestants are given: mind, voice and loudspeaker in worker processes of their own, and a memory for them.

The language model recites (`reciter`), the voice is espeak through RealtimeTTS, the loudspeaker a WAV file in real
time. Fakes are the sizes: mind and voice are said to take so much of a memory of which there is so much.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.engines import catalog
from agent.engines.api import SAMPLE_RATE
from agent.personality import Personality, time_of_day
from agent.settings import InitiativeSettings, MindSettings, Settings, SoundSettings, VoiceSettings, VramSettings
from agent.workers.lasting import SoundWorker
from agent.workers.models import MindWorker, VoiceWorker
from tests.fake_memory import FakeMemory

TEXT: Final = (
    "This evening I will tell you a story about how tea began. Long ago somebody left green leaves lying in hot water "
    "near the door. Nobody knew why it smelled so good that even tired neighbours came round. Sailors soon carried "
    "dried bundles across every ocean they could find or name. Villages learned to pour, wait, and listen while steam "
    "rose above old tables. Now one warm cup can make our quiet house feel kind when rain falls."
)
"""Six sentences, in which no word comes twice."""
REQUEST: Final = "Tell me about tea."
_MIND_MIB, _VOICE_MIB, _ROOMY_MIB, _TIGHT_MIB = 5000, 2000, 12_288, 6144
_LOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked of the contestants."""

    title: str
    both_fit: bool
    loads: int
    """In a turn: two if the reply is finished first where only one fits, four if it is swapped out in the middle."""
    share: float = 1.0
    """Of the usual mind's size: a smaller one is as much quicker."""


CASES: Final = {
    "fit": Case("Mind and voice both fit", both_fit=True, loads=0),
    "slow": Case("Only one of them fits, and the mind is slow", both_fit=False, loads=4, share=3 / 2),
    "quick": Case("Only one of them fits, and the mind is quick", both_fit=False, loads=2, share=1 / 8),
}


PERSONALITY: Final = Personality(
    name="Parley",
    patience_seconds=60,
    chattiness=0.5,
    voice="en-gb",
    digest="0123456789ab",
    path=Path("parley.md"),
    body="You are {name}.",
)
"""A short one: what a prompt costs to read is not the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One session's."""

    case: Case
    settings: Settings
    clock: Clock
    sound: SoundWorker
    mind: MindWorker
    voice: VoiceWorker
    memory: FakeMemory
    personality: Personality = PERSONALITY

    def system_prompt(self) -> str:
        """The same for all."""
        return self.personality.system_prompt(time_of_day(self.clock.wall()), self.settings.user)


@asynccontextmanager
async def stage(case: Case, model: Path, folder: Path) -> AsyncGenerator[Stage]:
    """Fresh workers; the loudspeaker runs, the models are still to be loaded. All processes are gone afterwards."""
    settings = _settings(model, folder)
    clock = Clock()
    mind = MindWorker(
        "mind",
        lambda form: catalog.mind(settings.mind, form=form),
        load_seconds=_LOAD_SECONDS,
        deadline_seconds=settings.mind.deadline_seconds,
    )
    voice = VoiceWorker(
        "voice",
        lambda form: catalog.voice(settings.voice, form=form),
        load_seconds=_LOAD_SECONDS,
        deadline_seconds=settings.voice.deadline_seconds,
    )
    sizes = ((mind, _MIND_MIB), (voice, _VOICE_MIB))
    memory = FakeMemory(
        _ROOMY_MIB if case.both_fit else _TIGHT_MIB,
        lambda pid: sum(mib for worker, mib in sizes if worker.pid and pid in {0, worker.pid}),
    )
    sound = SoundWorker(catalog.sound(settings.sound), clock, load_seconds=_LOAD_SECONDS)
    try:
        await sound.start()
        yield Stage(case=case, settings=settings, clock=clock, sound=sound, mind=mind, voice=voice, memory=memory)
    finally:
        await asyncio.gather(mind.evict(), voice.evict(), sound.close())


def _settings(model: Path, folder: Path) -> Settings:
    """Mind and voice are heavy, nobody begins by themselves, and the microphone stays closed."""
    closed = folder / "microphone.wav"
    with wave.open(str(closed), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(bytes(2))
    return Settings(
        sound=SoundSettings(microphone=f"wav:{closed}", loudspeaker=f"wav:{folder / 'loudspeaker.wav'}", echo="off"),
        mind=MindSettings(model=str(model), heavy="yes", temperature=0),
        voice=VoiceSettings(engine="espeak", heavy="yes"),
        initiative=InitiativeSettings(enabled=False),
        vram=VramSettings(reserve_mib=0),
    )
