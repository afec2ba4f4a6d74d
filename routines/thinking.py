"""Thinking answers a prompt with sentences, streamed from the language model while it still writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from agent.bus import Bus, Inbox
from agent.clock import Clock
from agent.engines.api import Mind, Piece, PromptRead
from agent.errors import ParleyError
from agent.events import (
    Event,
    HushIssued,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    Seconds,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
    Turn,
)
from agent.policy import history as record
from agent.policy.history import History
from agent.policy.reading import Reading, finish, read
from agent.vram import Lease, Vram

_USUAL_SENTENCES: Final = 3.0
"""Of a reply, until some were counted."""
_WEIGHT: Final = 0.3
"""Of the newest reply in a running mean."""


@dataclass
class _Draft:
    """A reply that is being written."""

    prompt: PromptIssued
    reading: Reading = field(default_factory=Reading)
    sentences: int = 0
    text: str = ""
    """All that the model wrote so far."""
    first_token_at: Seconds | None = None
    waited_seconds: float = 0.0
    """What its lease had waited for until the first token."""
    prompt_tokens: int = 0
    reused_tokens: int = 0


class Thinking:
    """One loop over one inbox; the only writer of the conversation's history."""

    LISTENS_TO: tuple[type[Event], ...] = (PromptIssued, HushIssued, SpeakingEnded, SpeakingFailed)

    def __init__(
        self,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        vram: Vram,
        mind: Mind,
        system_prompt: Callable[[], str],
        history: History | None = None,
    ) -> None:
        """`system_prompt` is read anew for each reply; `history` is that of an instance before that crashed."""
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._vram = vram
        self._mind = mind
        self._system_prompt = system_prompt
        self.history = history or History()
        self._drafts: dict[Turn, asyncio.Task[None]] = {}
        self._usual_sentences = _USUAL_SENTENCES

    async def run(self) -> None:
        """Answer prompts for as long as the companion lives."""
        async with asyncio.TaskGroup() as drafts:
            while True:
                await self._take(await self._inbox.get(), drafts)

    async def _take(self, event: Event, drafts: asyncio.TaskGroup) -> None:
        match event:
            case PromptIssued():
                self.history = record.prompted(self.history, event)
                task = drafts.create_task(self._answer(event))
                self._drafts[event.turn] = task
                task.add_done_callback(lambda _: self._drafts.pop(event.turn, None))
            case HushIssued():
                self._drop(event.turn)
                self.history = record.hushed(self.history, event.turn)
            case SpeakingFailed():
                self._drop(event.turn)
            case SpeakingEnded():
                self.history = record.played(self.history, event.turn, event.spoken, interrupted=event.interrupted)
            case _:
                pass

    def _drop(self, turn: Turn) -> None:
        if task := self._drafts.get(turn):
            task.cancel()

    async def _answer(self, prompt: PromptIssued) -> None:
        """Publish the sentences of a reply, and exactly one closer unless the turn is hushed."""
        draft = _Draft(prompt)
        closer: Event | None = None
        try:
            closer = await self._write(draft)
        except ParleyError as error:
            closer = ReplyFailed(at=self._clock.now(), turn=prompt.turn, error=str(error))
        except asyncio.CancelledError:
            closer = ReplyFailed(at=self._clock.now(), turn=prompt.turn, error="The reply was broken off.")
            raise
        finally:
            if closer and not self._hushed(prompt.turn):
                self._bus.publish(closer)

    async def _write(self, draft: _Draft) -> Event:
        prompt = draft.prompt
        if prompt.verbatim:
            self._pass_on(draft, read(draft.reading, prompt.verbatim))
        else:
            kind = "remark" if prompt.occasion else "replying"
            async with self._vram.lease("mind", owner="thinking", kind=kind) as lease:
                while not await self._stream(draft, lease):
                    pass
        self._pass_on(draft, finish(draft.reading))
        if draft.reading.declined:
            return ReplyDeclined(at=self._clock.now(), turn=prompt.turn)
        if not prompt.verbatim:
            self._usual_sentences += _WEIGHT * (draft.sentences - self._usual_sentences)
        return ReplyFinished(
            at=self._clock.now(),
            turn=prompt.turn,
            sentences=draft.sentences,
            prompt_tokens=draft.prompt_tokens,
            reused_tokens=draft.reused_tokens,
        )

    async def _stream(self, draft: _Draft, lease: Lease) -> bool:
        """Take the reply from where the draft stands; False if it must be begun again from there."""
        messages = record.messages(self.history, self._system_prompt(), draft.prompt)
        async with aclosing(self._mind.reply(messages, draft.text)) as results:
            async for result in results:
                match result:
                    case PromptRead():
                        draft.prompt_tokens, draft.reused_tokens = result.prompt_tokens, result.reused_tokens
                    case Piece():
                        self._note_first_token(draft, lease)
                        draft.text += result.text
                        sentences = self._pass_on(draft, read(draft.reading, result.text))
                        rest_seconds = self._rest_seconds(draft, lease)
                        if sentences and not await lease.checkpoint(rest_seconds=rest_seconds):
                            return False
                        if draft.reading.declined:
                            return True
        return True

    def _note_first_token(self, draft: _Draft, lease: Lease) -> None:
        if draft.first_token_at is None:
            draft.first_token_at, draft.waited_seconds = self._clock.now(), lease.waited_seconds

    def _rest_seconds(self, draft: _Draft, lease: Lease) -> float:
        """How long a reply of the usual length would still take at the pace so far."""
        if draft.first_token_at is None or not draft.sentences:
            return 0.0
        computing = self._clock.now() - draft.first_token_at - (lease.waited_seconds - draft.waited_seconds)
        return max(0.0, self._usual_sentences - draft.sentences) * computing / draft.sentences

    def _pass_on(self, draft: _Draft, step: tuple[Reading, tuple[str, ...]]) -> int:
        """Publish the sentences that have become certain; how many there were."""
        draft.reading, sentences = step
        for text in sentences:
            now = self._clock.now()
            if self._hushed(draft.prompt.turn):
                break
            self._bus.publish(
                SentenceReady(
                    at=now,
                    turn=draft.prompt.turn,
                    index=draft.sentences,
                    text=text,
                    first_token_at=draft.first_token_at or now,
                )
            )
            draft.sentences += 1
        return len(sentences)

    def _hushed(self, turn: Turn) -> bool:
        """An order to end the turn has been published, whether or not this routine has read it."""
        waiting = any(isinstance(event, HushIssued) and event.turn == turn for event in self._inbox.waiting())
        return waiting or turn in self.history.hushed
