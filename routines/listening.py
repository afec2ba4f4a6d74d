"""Listening turns frames into utterances: the ear finds speech, the model makes out the words, the gate judges them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

from agent.bus import Bus, Inbox
from agent.clock import Clock
from agent.engines.api import (
    SAMPLE_RATE,
    Ear,
    SegmentEnded,
    SpeechToText,
    Transcript,
    VoiceBegan,
    VoiceContinued,
)
from agent.errors import EngineError, ParleyError
from agent.events import (
    DiscardReason,
    Event,
    MuteChanged,
    PartialHeard,
    Seconds,
    SpeechDiscarded,
    SpeechPaused,
    SpeechStarted,
    UtteranceHeard,
)
from agent.policy.gating import Drop, Gate, judge
from agent.sound.api import Microphone
from agent.vram import Vram

_SAMPLE_BYTES = 2
_REPLY_NEEDS = ("mind", "voice")
"""What is loaded while the user speaks, if there is room; the one that is needed first comes first."""
_HEAR_BYTES = SAMPLE_RATE // 10 * _SAMPLE_BYTES
"""Sound is passed on to the model in pieces of at least 0.1 s."""


@dataclass
class _Segment:
    """A stretch of speech whose words are being made out."""

    number: int
    samples: bytes
    """What the model has not been given yet."""
    end: SegmentEnded | None = None
    """None if it was broken off."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def grow(self, samples: bytes) -> None:
        """Append what the ear heard."""
        self.samples += samples
        if len(self.samples) >= _HEAR_BYTES:
            self.grown.set()

    def close(self, end: SegmentEnded | None) -> None:
        """No more comes."""
        self.end = end
        self.ended.set()
        self.grown.set()

    async def more(self) -> bytes:
        """The next piece; empty at the end."""
        await self.grown.wait()
        if self.ended.is_set():
            return b""
        self.grown.clear()
        samples, self.samples = self.samples, b""
        return samples


class Listening:
    """The only one who reads the microphone and the ear."""

    LISTENS_TO: tuple[type[Event], ...] = (MuteChanged,)

    def __init__(
        self,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        vram: Vram,
        microphone: Microphone,
        ear: Ear,
        stt: SpeechToText,
        *,
        gate: Gate,
        muted: bool = False,
    ) -> None:
        """`gate` holds the numbers below which sound makes no utterance."""
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._vram = vram
        self._microphone = microphone
        self._ear = ear
        self._stt = stt
        self._gate = gate
        self.muted = muted
        self._open: list[_Segment] = []
        self._segments: asyncio.Queue[_Segment] = asyncio.Queue()

    async def run(self) -> None:
        """Listen for as long as the companion lives; closes open speech on the way out."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_ear())
                tasks.create_task(self._make_out_segments())
                feeding = None if self.muted else tasks.create_task(self._feed())
                while True:
                    event = await self._inbox.get()
                    if isinstance(event, MuteChanged) and event.muted != self.muted:
                        self.muted = event.muted
                        if feeding:
                            feeding.cancel()
                        feeding = None if self.muted else tasks.create_task(self._feed())
                        self._discard_unfinished("muted", "the microphone was muted")
        finally:
            for segment in tuple(self._open):
                self._discard(segment, "stopped", "listening was stopped")

    async def _feed(self) -> None:
        await self._ear.ready()
        async with aclosing(self._microphone.frames()) as frames:
            async for frame in frames:
                self._ear.feed(frame)

    # --- the ear ----------------------------------------------------------------------------------------------------

    async def _follow_ear(self) -> None:
        async for note in self._ear.notes():
            match note:
                case VoiceBegan():
                    self._begin(note)
                case VoiceContinued():
                    if segment := self._find(note.segment):
                        segment.grow(note.samples)
                case SegmentEnded():
                    self._end(note)
                case _:
                    pass

    def _begin(self, note: VoiceBegan) -> None:
        if self.muted:
            return
        segment = _Segment(note.segment, b"")
        segment.grow(note.samples)
        self._open.append(segment)
        self._segments.put_nowait(segment)
        self._bus.publish(SpeechStarted(at=self._clock.now()))
        for model in _REPLY_NEEDS:
            self._vram.prefetch(model)

    def _end(self, note: SegmentEnded) -> None:
        if segment := self._find(note.segment):
            segment.close(note)
            self._bus.publish(SpeechPaused(at=self._clock.now(), silence_seconds=note.silence_seconds))

    def _find(self, number: int) -> _Segment | None:
        return next((segment for segment in self._open if segment.number == number), None)

    # --- the words --------------------------------------------------------------------------------------------------

    async def _make_out_segments(self) -> None:
        while True:
            segment = await self._segments.get()
            try:
                await self._make_out(segment)
            except ParleyError as error:
                self._discard(segment, "engine_failed", str(error))

    async def _make_out(self, segment: _Segment) -> None:
        """Decode while the user speaks if the model is light; a heavy one gets its lease at the soft end.

        If the engine fails meanwhile, a fresh one gets the whole segment once more, so that no word is lost.
        """
        if not self._vram.is_light("stt"):
            await segment.ended.wait()
        try:
            await self._transcribe(segment)
        except EngineError:
            await segment.ended.wait()
            await self._transcribe(segment)

    async def _transcribe(self, segment: _Segment) -> None:
        async with self._vram.lease("stt", owner="listening", kind="hearing"):
            while not segment.ended.is_set():
                if samples := await segment.more():
                    await self._hear(segment, samples)
            if segment.end is None:
                return
            transcript = await self._stt.transcribe(segment.number, segment.end.samples)
        self._judge(segment, segment.end, transcript)

    async def _hear(self, segment: _Segment, samples: bytes) -> None:
        text = await self._stt.hear(segment.number, samples)
        if text and segment in self._open:
            self._bus.publish(PartialHeard(at=self._clock.now(), text=text))

    def _judge(self, segment: _Segment, end: SegmentEnded, transcript: Transcript) -> None:
        if segment not in self._open:
            return
        verdict = judge(end.voiced_seconds, transcript, self._gate)
        if isinstance(verdict, Drop):
            self._discard(segment, verdict.reason, verdict.detail, transcript.confidence)
            return
        self._open.remove(segment)
        self._bus.publish(
            UtteranceHeard(
                at=self._clock.now(),
                text=transcript.text,
                audio_seconds=len(end.samples) / _SAMPLE_BYTES / SAMPLE_RATE,
                confidence=transcript.confidence,
                source="voice",
                speech_ended_at=Seconds(end.speech_ended_at),
            )
        )

    # --- no words ---------------------------------------------------------------------------------------------------

    def _discard_unfinished(self, reason: DiscardReason, detail: str) -> None:
        for segment in tuple(self._open):
            if segment.end is None:
                segment.close(None)
                self._discard(segment, reason, detail)

    def _discard(self, segment: _Segment, reason: DiscardReason, detail: str, confidence: float = 0.0) -> None:
        if segment not in self._open:
            return
        self._open.remove(segment)
        voiced = segment.end.voiced_seconds if segment.end else 0.0
        self._bus.publish(
            SpeechDiscarded(
                at=self._clock.now(), reason=reason, voiced_seconds=voiced, confidence=confidence, detail=detail
            )
        )


def type_in(bus: Bus, clock: Clock, text: str) -> None:
    """Take a typed line as if it had been said."""
    now = clock.now()
    bus.publish(
        UtteranceHeard(at=now, text=text, audio_seconds=0.0, confidence=1.0, source="typed", speech_ended_at=now)
    )
