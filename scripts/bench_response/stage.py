"""Where the contestants are heard: worker processes of their own, a WAV file as microphone, another as loudspeaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from agent import personality as personalities
from agent.clock import Clock
from agent.engines import catalog
from agent.engines.api import Speak
from agent.personality import Personality, time_of_day
from agent.settings import Settings
from agent.sound.api import Exhausted, Found, Lost
from agent.workers.lasting import EarWorker, SoundWorker
from agent.workers.models import MindWorker, ModelWorker, SttWorker, VoiceWorker
from scripts.bench_response.stamped import Stamp, read, stamped
from tests.conversation import Recording, record
from tests.conversation import first_audible as _first_audible
from tests.conversation import read as _read_wav
from tests.speech import SAMPLE_RATE, Voice

T = TypeVar("T", bound=ModelWorker)

ROOT = Path(__file__).resolve().parents[2]
REQUESTS: tuple[tuple[Voice, str], ...] = (
    ("rms", "What is the best way to make tea?"),
    ("slt", "It is raining again today."),
    ("rms", "Can you help me fall asleep?"),
    ("slt", "What do you think about music?"),
    ("rms", "My garden is full of flowers."),
    ("slt", "Tell me something about yourself."),
)
"""What the user says; everyday sentences without a pause inside."""
_LEAD_SECONDS = 1.5
_LOAD_SECONDS = 120.0


def recording(requests: int, gap_seconds: float) -> Recording:
    """The first so many requests, each followed by so much silence."""
    lines: list[tuple[float, str, Voice]] = [(gap_seconds, text, voice) for voice, text in REQUESTS[:requests]]
    lines[0] = (_LEAD_SECONDS, lines[0][1], lines[0][2])
    return record(lines, tail_seconds=gap_seconds)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the recordings say of one request."""

    seconds: float | None
    """From the user's last sample to our first audible one; None if no answer came before the next request."""
    over_the_user: bool
    """We sounded while the user spoke: that is no answer."""


def heard(user: Recording, loudspeaker: Path) -> list[Answered]:
    """Compare the two recordings, which have one time line. Nothing else is asked: no event, no stamp."""
    ours = _read_wav(loudspeaker)
    untils = [*(line.begins for line in user.lines[1:]), len(user.samples) / SAMPLE_RATE]
    answers: list[Answered] = []
    for line, until in zip(user.lines, untils, strict=True):
        sounding = _first_audible(ours[: round(line.ends * SAMPLE_RATE)], line.begins)
        first = _first_audible(ours, line.ends)
        in_time = sounding is None and first is not None and first < until
        answers.append(Answered(first - line.ends if first and in_time else None, sounding is not None))
    return answers


@dataclass(kw_only=True)
class Stage:
    """What every contestant is given: the same engines, each in its real worker."""

    settings: Settings
    personality: Personality
    clock: Clock
    stamps: Path
    sound: SoundWorker
    ear: EarWorker
    stt: SttWorker
    mind: MindWorker
    voice: VoiceWorker
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The recording of the user is at its end."""

    @property
    def models(self) -> dict[str, SttWorker | MindWorker | VoiceWorker]:
        """What is loaded and evicted."""
        return {"stt": self.stt, "mind": self.mind, "voice": self.voice}

    def system_prompt(self) -> str:
        """The same for all."""
        return self.personality.system_prompt(time_of_day(self.clock.wall()), self.settings.user)

    def manner(self, text: str) -> Speak:
        """A text in the voice of the personality."""
        return Speak(text=text, voice=self.personality.voice, speed=self.personality.speed)

    def stamped(self, worker: str) -> list[Stamp]:
        """What a worker's engine noted."""
        return read(self.stamps / f"{worker}.jsonl")


@asynccontextmanager
async def stage(settings: Settings, user: Path, loudspeaker: Path, stamps: Path) -> AsyncGenerator[Stage]:
    """Fresh workers; ear and sound run, the models are still to be loaded. All processes are gone afterwards."""
    clock = Clock()
    settings = _on_files(settings, user, loudspeaker)
    built = _build(settings, clock, stamps)
    built.sound.on_device = lambda note: _watch(note, built.over)
    try:
        await asyncio.gather(built.sound.start(), built.ear.start())
        yield built
    finally:
        await asyncio.gather(
            *(model.evict() for model in built.models.values()), built.sound.close(), built.ear.close()
        )


def _watch(note: Lost | Found | Exhausted, over: asyncio.Event) -> None:
    if isinstance(note, Exhausted):
        over.set()


def _on_files(settings: Settings, user: Path, loudspeaker: Path) -> Settings:
    changes = {
        "sound": {"microphone": f"wav:{user}", "loudspeaker": f"wav:{loudspeaker}", "echo": "off"},
        "initiative": {"enabled": False},
    }
    return settings.model_copy(
        update={name: getattr(settings, name).model_copy(update=values) for name, values in changes.items()}
    )


def _build(settings: Settings, clock: Clock, stamps: Path) -> Stage:
    stamps.mkdir()

    def model(kind: type[T], name: str) -> T:
        chosen = getattr(settings, name)
        return kind(
            name,
            lambda form: stamped(getattr(catalog, name)(chosen, form=form), stamps / f"{name}.jsonl"),
            load_seconds=_LOAD_SECONDS,
            deadline_seconds=chosen.deadline_seconds,
            python=chosen.python,
        )

    return Stage(
        settings=settings,
        personality=personalities.load(settings.personality.name, [ROOT / "prompts"]),
        clock=clock,
        stamps=stamps,
        sound=SoundWorker(catalog.sound(settings.sound), clock, load_seconds=_LOAD_SECONDS),
        ear=EarWorker(stamped(catalog.ear(settings.ear), stamps / "ear.jsonl"), clock, load_seconds=_LOAD_SECONDS),
        stt=model(SttWorker, "stt"),
        mind=model(MindWorker, "mind"),
        voice=model(VoiceWorker, "voice"),
    )
