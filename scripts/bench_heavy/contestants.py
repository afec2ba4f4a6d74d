"""Parley itself, and the other shape: the whole reply first, then all its sound. Both answer typed requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress
from pathlib import Path

import numpy as np

from agent.bus import Bus, Inbox
from agent.engines.api import Piece, Speak
from agent.engines.in_process import ScriptedEar, ScriptedStt
from agent.errors import ParleyError
from agent.events import CompanionStarted, ReplyFailed, SpeakingEnded, SpeakingFailed
from agent.house import House, Organs
from agent.journal import Journal
from agent.memory import Memory
from agent.policy.history import Message
from agent.policy.played import words_played
from agent.sound.api import PlaybackEnded, PlaybackNote, PlaybackStarted
from agent.sound.virtual import VirtualMicrophone
from agent.supervisor import Supervisor
from agent.vram import Vram
from agent.workers.models import MindWorker, VoiceWorker
from routines.listening import type_in
from scripts.bench_heavy.answers import Answer, answered, cut
from scripts.bench_heavy.stage import REQUEST, Stage
from tests.conversation import read_journal

_SAMPLE_BYTES = 2


# --- Parley ---------------------------------------------------------------------------------------------------------


async def parley(stage: Stage, requests: int, journal: Path) -> list[Answer]:
    """The house of `agent.house` with scheduler and journal. Ear and recogniser are fakes, and have nothing to do."""
    bus, clock, stt = Bus(), stage.clock, ScriptedStt()
    organs = Organs(
        microphone=VirtualMicrophone(clock, np.zeros(0, np.int16), silence_after=False),
        loudspeaker=stage.sound,
        ear=ScriptedEar(),
        stt=stt,
        mind=stage.mind,
        voice=stage.voice,
    )
    models = {"stt": stt, "mind": stage.mind, "voice": stage.voice}
    heavy = {name: getattr(stage.settings, name).heavy for name in models}
    over = bus.inbox(SpeakingEnded, SpeakingFailed, ReplyFailed)
    with closing(Journal(journal, started=clock.wall(), digest="", content="everywhere")) as written:
        bus.tap(written.take)
        memory: Memory = stage.memory  # pyright: ignore[reportAssignmentType]  # a parameter there has another name
        async with Vram(bus, clock, stage.settings.vram, models, memory=memory, heavy=heavy) as vram:
            for name in models:
                with suppress(ParleyError):  # what does not fit is loaded when it is needed
                    await vram.prepare(name)
            supervisor = Supervisor(bus, clock)
            House(stage.settings, stage.personality, organs, bus, clock, vram).furnish(supervisor)
            async with supervisor:
                bus.publish(CompanionStarted(at=clock.now(), personality=stage.personality.digest))
                for _ in range(requests):
                    type_in(bus, clock, REQUEST)
                    await _spoken(over)
    return answered(read_journal(journal))


async def _spoken(over: Inbox) -> None:
    """Wait for the end of an answer. Raises RuntimeError if it has none."""
    match await over.get():
        case SpeakingFailed(error=error) | ReplyFailed(error=error):
            raise RuntimeError(f"Parley gave no answer: {error}")
        case _:
            pass


# --- the whole reply first ------------------------------------------------------------------------------------------


async def whole(stage: Stage, requests: int) -> list[Answer]:
    """Load the mind, take its whole reply, load the voice if it is not there, and make all the sound.

    The sound is played from its first chunk on; what others would spend on top is not charged.
    """
    messages = [Message("system", stage.system_prompt())]
    loader = _Loader(stage)
    await loader.need(stage.mind)
    if stage.case.both_fit:
        await loader.need(stage.voice)
    async with aclosing(stage.sound.playback()) as notes:
        return [await _answer(stage, turn, messages, loader, notes) for turn in range(1, requests + 1)]


class _Loader:
    """Keeps one model loaded, or both where they fit."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.loads = 0

    async def need(self, model: MindWorker | VoiceWorker) -> None:
        """Have it loaded, the other one ended if there is not room for both."""
        if model.loaded:
            return
        if not self._stage.case.both_fit:
            await (self._stage.voice if model is self._stage.mind else self._stage.mind).evict()
        await model.load()
        self.loads += 1


async def _answer(
    stage: Stage, turn: int, messages: list[Message], loader: _Loader, notes: AsyncGenerator[PlaybackNote]
) -> Answer:
    asked_at, loads = stage.clock.now(), loader.loads
    messages.append(Message("user", REQUEST))
    await loader.need(stage.mind)
    reply = "".join([result.text async for result in stage.mind.reply(messages) if isinstance(result, Piece)])
    messages.append(Message("assistant", reply))
    await loader.need(stage.voice)
    said = [(sentence, await _play(stage, turn, sentence)) for sentence in cut(reply)]
    stage.sound.finish(turn)
    started, ended = await _played(notes)
    return Answer(
        first_sound=started.started_at - asked_at,
        last_sound=stage.clock.now() - asked_at,
        loads=loader.loads - loads,
        underruns=ended.underruns,
        spoken=words_played(said, ended.samples_played),
    )


async def _play(stage: Stage, turn: int, sentence: str) -> int:
    """Make a sentence's sound and pass it on as it comes; how many samples there were."""
    samples = 0
    async for chunk in stage.voice.speak(Speak(text=sentence, voice=stage.personality.voice)):
        stage.sound.play(turn, chunk)
        samples += len(chunk) // _SAMPLE_BYTES
    return samples


async def _played(notes: AsyncGenerator[PlaybackNote]) -> tuple[PlaybackStarted, PlaybackEnded]:
    """Wait until a turn has been played; its two notes."""
    started: PlaybackStarted | None = None
    async for note in notes:
        if isinstance(note, PlaybackStarted):
            started = note
        elif started:
            return started, note
    raise RuntimeError("the loudspeaker ended before the answer did")
