"""Speaking turns sentences into sound, plays nothing before the commit, and tells what was really played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from agent.bus import Bus, Inbox
from agent.clock import Clock
from agent.engines.api import SAMPLE_RATE, Speak, Voice
from agent.errors import EngineError, ParleyError
from agent.events import (
    Event,
    HushIssued,
    LeaseGranted,
    PromptCommitted,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    Seconds,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
    SpeakingStarted,
    SpeechPaused,
    Turn,
    UtteranceHeard,
)
from agent.policy.measuring import Ledger, observe
from agent.policy.played import words_played
from agent.policy.prebuffering import Pace, lead_seconds, produced, replied
from agent.sound.api import Loudspeaker, PlaybackEnded, PlaybackStarted
from agent.vram import Vram

_SAMPLE_BYTES = 2
_PATIENCE_SECONDS: Final = 120.0
"""For a lease: where only one of two models fits, the voice waits for a whole reply and a load.

A turn without progress is ended sooner, by the Prompter.
"""


@dataclass
class _Speech:
    """A turn on its way to the loudspeaker."""

    turn: Turn
    manner: Speak
    """Voice and speed, the same for all its sentences."""
    committed: bool
    sentences: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    """Texts to be said; None ends them."""
    said: list[tuple[str, int]] = field(default_factory=list)
    """Texts that were synthesised, with their lengths in samples."""
    held: list[bytes] = field(default_factory=list)
    """Samples that wait for the commit, or for enough of them."""
    made_at: Seconds | None = None
    """When the last sentence was complete; None if the next one's time is not to be measured from there."""
    finished: bool = False
    """All samples are here."""
    sent: int = 0
    """Samples that have gone to the loudspeaker."""
    started_at: Seconds | None = None
    task: asyncio.Task[None] | None = None

    @property
    def held_seconds(self) -> float:
        """How much sound waits."""
        return sum(map(len, self.held)) / _SAMPLE_BYTES / SAMPLE_RATE

    @property
    def made_seconds(self) -> float:
        """How much sound was made in all."""
        return sum(samples for _, samples in self.said) / SAMPLE_RATE


class Speaking:
    """One loop over one inbox; the only one who sends samples to the loudspeaker."""

    LISTENS_TO: tuple[type[Event], ...] = (
        PromptIssued,
        PromptCommitted,
        HushIssued,
        SentenceReady,
        ReplyFinished,
        ReplyDeclined,
        ReplyFailed,
        SpeechPaused,
        UtteranceHeard,
        LeaseGranted,
    )

    def __init__(
        self,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        vram: Vram,
        voice: Voice,
        loudspeaker: Loudspeaker,
        manner: Callable[[], Speak],
    ) -> None:
        """`manner` gives the voice and the speed, asked anew for each turn; its text is not used."""
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._vram = vram
        self._voice = voice
        self._loudspeaker = loudspeaker
        self._manner = manner
        self._speeches: dict[Turn, _Speech] = {}
        self._ledger = Ledger()
        self._pace = Pace()

    async def run(self) -> None:
        """Speak for as long as the companion lives; whatever sounds is ended on the way out."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_playback())
                while True:
                    self._take(await self._inbox.get(), tasks)
        finally:
            for speech in tuple(self._speeches.values()):
                self._loudspeaker.stop(speech.turn)
                self._abandon(speech)

    def _take(self, event: Event, tasks: asyncio.TaskGroup) -> None:
        self._measure(event)
        match event:
            case PromptIssued():
                self._begin(event, tasks)
            case PromptCommitted():
                if speech := self._speeches.get(event.turn):
                    speech.committed = True
                    self._send(speech, ())
            case SentenceReady():
                if speech := self._speeches.get(event.turn):
                    speech.sentences.put_nowait(event.text)
            case ReplyFinished() | ReplyFailed() | ReplyDeclined():
                if speech := self._speeches.get(event.turn):
                    speech.sentences.put_nowait(None)
            case HushIssued():
                self._hush(event.turn)
            case LeaseGranted() if event.load_seconds:
                self._forget_pace()
            case _:
                pass

    # --- from text to samples ---------------------------------------------------------------------------------------

    def _begin(self, prompt: PromptIssued, tasks: asyncio.TaskGroup) -> None:
        before = next(reversed(self._speeches.values()), None)
        speech = _Speech(prompt.turn, self._manner(), committed=not prompt.tentative)
        self._speeches[prompt.turn] = speech
        speech.task = tasks.create_task(self._synthesise(speech, before.task if before else None))

    async def _synthesise(self, speech: _Speech, before: asyncio.Task[None] | None) -> None:
        """Say the sentences of a turn one by one, once the turn before has all its samples."""
        if before:
            await asyncio.wait([before])
        try:
            while (text := await speech.sentences.get()) is not None:
                await self._say(speech, text)
        except ParleyError as error:
            self._fail(speech, str(error))
        speech.finished = True
        self._pace = replied(self._pace, sound_seconds=speech.made_seconds)
        self._send(speech, ())

    async def _say(self, speech: _Speech, text: str) -> None:
        """Synthesise one sentence under a lease."""
        request = Speak(text=text, voice=speech.manner.voice, speed=speech.manner.speed)
        deadline = Seconds(self._clock.now() + _PATIENCE_SECONDS)
        due = self._runs_dry_at()
        async with (
            self._vram.lease("voice", owner="speaking", kind="replying", deadline=deadline, due=due),
            aclosing(self._voice.speak(request)) as chunks,
        ):
            speech.said.append((text, 0))
            async for samples in chunks:
                speech.said[-1] = (text, speech.said[-1][1] + len(samples) // _SAMPLE_BYTES)
                self._send(speech, (samples,))
        if not speech.said[-1][1]:
            raise EngineError("The voice gave no sound for a sentence; see the log of the voice worker.")
        self._keep_pace(speech)

    def _keep_pace(self, speech: _Speech) -> None:
        """Measure how long this sentence took since the one before, if there is one to measure from."""
        now = self._clock.now()
        if speech.made_at is not None:
            sound_seconds = speech.said[-1][1] / SAMPLE_RATE
            self._pace = produced(self._pace, work_seconds=now - speech.made_at, sound_seconds=sound_seconds)
        speech.made_at = now

    def _forget_pace(self) -> None:
        """A model was loaded between two sentences: the second says nothing of how long others will take."""
        for speech in self._speeches.values():
            speech.made_at = None

    def _runs_dry_at(self) -> Seconds:
        """When the loudspeaker will have played all that it was given; now, if nothing sounds."""
        ends = [
            Seconds(speech.started_at + speech.sent / SAMPLE_RATE)
            for speech in self._speeches.values()
            if speech.started_at is not None
        ]
        return max([self._clock.now(), *ends])

    def _send(self, speech: _Speech, chunks: Sequence[bytes]) -> None:
        """Pass samples on once the turn is committed and has its lead, and end it when they are all passed on."""
        speech.held.extend(chunks)
        has_lead = speech.sent or speech.finished or speech.held_seconds >= lead_seconds(self._pace)
        if speech.committed and has_lead:
            for samples in speech.held:
                self._loudspeaker.play(speech.turn, samples)
                speech.sent += len(samples) // _SAMPLE_BYTES
            speech.held.clear()
        if speech.finished and not speech.held:
            if speech.sent:
                self._loudspeaker.finish(speech.turn)
            else:
                self._speeches.pop(speech.turn, None)

    def _hush(self, turn: Turn) -> None:
        speech = self._speeches.get(turn)
        if speech is None:
            return
        if speech.task:
            speech.task.cancel()
        if speech.sent:
            self._loudspeaker.stop(turn)
        else:
            del self._speeches[turn]

    # --- what was really played -------------------------------------------------------------------------------------

    async def _follow_playback(self) -> None:
        async for note in self._loudspeaker.playback():
            speech = self._speeches.get(Turn(note.turn))
            match note:
                case PlaybackStarted() if speech:
                    speech.started_at = Seconds(note.started_at)
                    started = SpeakingStarted(at=speech.started_at, turn=speech.turn)
                    self._bus.publish(started)
                    self._measure(started)
                case PlaybackEnded() if speech:
                    self._end(speech, note.samples_played, interrupted=note.stopped, underruns=note.underruns)
                case _:
                    pass

    def _end(self, speech: _Speech, samples_played: int, *, interrupted: bool, underruns: int) -> None:
        del self._speeches[speech.turn]
        if speech.task:
            speech.task.cancel()
        if speech.started_at is None:
            return
        self._bus.publish(
            SpeakingEnded(
                at=self._clock.now(),
                turn=speech.turn,
                spoken=words_played(speech.said, samples_played),
                interrupted=interrupted,
                underruns=underruns,
            )
        )

    def _fail(self, speech: _Speech, error: str) -> None:
        self._bus.publish(SpeakingFailed(at=self._clock.now(), turn=speech.turn, error=error))

    def _abandon(self, speech: _Speech) -> None:
        """Close a turn that this instance will not bring to its end."""
        if speech.started_at is None:
            self._fail(speech, "Speaking was stopped before the first sound.")
        self._end(speech, self._played_by_now(speech), interrupted=True, underruns=0)

    def _played_by_now(self, speech: _Speech) -> int:
        if speech.started_at is None:
            return 0
        return round((self._clock.now() - speech.started_at) * SAMPLE_RATE)

    def _measure(self, event: Event) -> None:
        self._ledger, measured = observe(self._ledger, event)
        if measured:
            self._bus.publish(measured)
