"""Two pipelines of other shapes: the control flow of two projects, written anew from a reading of their files.

They are given everything that Parley is given: the same engines in the same workers, the same system prompt, the same
voice, silence counted by the same detector. What the originals spend beyond their control flow is not charged to them:
no HTTP, no partial transcripts, no memory module, no dashboard. Their slower ways to notice a pause are not either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.engines.api import Piece, SegmentEnded, VoiceBegan, VoiceContinued
from agent.policy import sentences
from agent.policy.history import Message
from agent.policy.sentences import Splitter
from agent.sound.api import PlaybackEnded
from scripts.bench_response.stage import Stage

SPEECHBOT_SILENCE_SECONDS = 0.7
"""vroger11/SpeechBot, frontend/app.py: a button (Streamlit's audio_input). This silence stands for the user's hand."""
NEURO_SILENCE_SECONDS = 0.4
"""kimjammer/Neuro, stt.py: post_speech_silence_duration (.4 at 5e4b424; .2 at 1f93c1e)."""
NEURO_POLL_SECONDS = 0.1
"""kimjammer/Neuro, prompter.py: the sleep at the end of each turn of its loop."""


class Recorder:
    """Records until so much silence has passed since the last voiced sample; gives the whole clip."""

    def __init__(self, stage: Stage, silence_seconds: float) -> None:
        """`silence_seconds` is the contestant's own."""
        self._stage = stage
        self._silence_seconds = silence_seconds
        self.recording = False

    async def clips(self) -> AsyncGenerator[bytes]:
        """The clips, one at a time. What is said while nobody asks for the next one is kept."""
        feeding = asyncio.create_task(self._feed())
        notes: asyncio.Queue[VoiceBegan | VoiceContinued | SegmentEnded] = asyncio.Queue()
        following = asyncio.create_task(self._follow(notes))
        try:
            while True:
                yield await self._clip(notes)
        finally:
            feeding.cancel()
            following.cancel()

    async def _feed(self) -> None:
        async with aclosing(self._stage.sound.frames()) as frames:
            async for frame in frames:
                self._stage.ear.feed(frame)

    async def _follow(self, notes: asyncio.Queue[VoiceBegan | VoiceContinued | SegmentEnded]) -> None:
        async for note in self._stage.ear.notes():
            if isinstance(note, VoiceBegan | VoiceContinued | SegmentEnded):
                self.recording = self.recording or isinstance(note, VoiceBegan)
                notes.put_nowait(note)

    async def _clip(self, notes: asyncio.Queue[VoiceBegan | VoiceContinued | SegmentEnded]) -> bytes:
        clip = bytearray()
        patience: float | None = None
        while True:
            try:
                async with asyncio.timeout(patience):
                    note = await notes.get()
            except TimeoutError:
                self.recording = False
                return bytes(clip)
            if isinstance(note, SegmentEnded):
                over_at = note.speech_ended_at + self._silence_seconds
                patience = max(over_at - self._stage.clock.now(), 0.0)
            else:
                clip += note.samples
                patience = None


async def speechbot(stage: Stage, silence_seconds: float) -> None:
    """Record, then three blocking steps (frontend/app.py): transcribe the clip, write the reply, make all its sound.

    The browser plays by itself: the next recording may begin at once.
    """
    messages = [Message("system", stage.system_prompt())]
    async with aclosing(Recorder(stage, silence_seconds).clips()) as clips:
        turn = 0
        async for clip in clips:
            turn += 1
            messages.append(Message("user", (await stage.stt.transcribe(turn, clip)).text))
            reply = await _whole_reply(stage, messages)
            chunks = [samples async for samples in stage.voice.speak(stage.manner(reply))]
            stage.sound.play(turn, b"".join(chunks))
            stage.sound.finish(turn)
            messages.append(Message("assistant", reply))


async def neuro(stage: Stage, silence_seconds: float) -> None:
    """Three loops over flags (prompter.py, stt.py, llmWrappers/abstractLLMWrapper.py, tts.py)."""
    await _Neuro(stage, silence_seconds).run()


class _Neuro:
    """Signals that every thread sets and reads."""

    def __init__(self, stage: Stage, silence_seconds: float) -> None:
        self._stage = stage
        self._recorder = Recorder(stage, silence_seconds)
        self._messages = [Message("system", stage.system_prompt())]
        self._new_message = False
        self._speaking = False
        self._turn = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as threads:
            threads.create_task(self._hear())
            threads.create_task(self._follow_playback())
            threads.create_task(self._prompt(threads))

    async def _hear(self) -> None:
        async with aclosing(self._recorder.clips()) as clips:
            segment = 0
            async for clip in clips:
                segment += 1
                self._messages.append(Message("user", (await self._stage.stt.transcribe(segment, clip)).text))
                self._new_message = True

    async def _prompt(self, threads: asyncio.TaskGroup) -> None:
        """The Prompter: it thinks in its own loop, so "AI thinking" needs no flag here."""
        while True:
            if self._new_message and not (self._recorder.recording or self._speaking):
                self._new_message = False
                reply = await _whole_reply(self._stage, self._messages)
                self._speaking = bool(reply.strip())
                self._messages.append(Message("assistant", reply))
                threads.create_task(self._play(reply))
            await asyncio.sleep(NEURO_POLL_SECONDS)

    async def _play(self, reply: str) -> None:
        """RealtimeTTS's stream: the first sentence sounds while the others are made."""
        self._turn += 1
        splitter, ready = sentences.feed(Splitter(), reply)
        for sentence in (*ready, *sentences.finish(splitter)):
            async for samples in self._stage.voice.speak(self._stage.manner(sentence)):
                self._stage.sound.play(self._turn, samples)
        self._stage.sound.finish(self._turn)

    async def _follow_playback(self) -> None:
        async for note in self._stage.sound.playback():
            if isinstance(note, PlaybackEnded):
                self._speaking = False


async def _whole_reply(stage: Stage, messages: list[Message]) -> str:
    return "".join([result.text async for result in stage.mind.reply(messages) if isinstance(result, Piece)])
