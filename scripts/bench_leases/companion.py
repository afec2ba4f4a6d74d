"""A companion that lives a day under a policy, and what came of it.

It is the same under every policy. A turn: the user speaks, a small recogniser on the CPU makes it out, the mind reads
the prompt and writes sentence by sentence, and the voice speaks each as soon as it has it, while the mind writes on.
The user goes on after the last sentence was heard. When the user begins to speak, a remark is broken off. A chore waits
for nobody but the policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from agent.errors import ParleyError
from agent.policy.lease_terms import Kind
from scripts.bench_leases.day import DAY_SECONDS, Conversation, Day, Game, Sentence
from scripts.bench_leases.hardware import Card
from scripts.bench_leases.policy import Policy

_RECOGNISER_SECONDS: Final = 0.2
_FIRST_CHUNK_SECONDS: Final = 0.25
"""Of the voice, alone on the card."""
_REAL_TIME_FACTOR: Final = 0.25
"""Of the voice: seconds of work for a second of sound, first chunk included."""
_REMARKS_AFTER: Final = (60.0, 180.0, 420.0)
"""Seconds of silence; the pause doubles, and the third that is not answered is the last."""
_PRESENT_SECONDS: Final = 900.0
"""Since the user's last word; after that nobody is there to look for."""
_SUMMARY_TURNS: Final = 8
"""A summary is due after so many turns, and when a conversation has been over for `_OVER_SECONDS`."""
_OVER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads before it writes."""

    text: str
    """What it is about: a prompt that was read before is read on from where it ended."""
    seconds: float
    """All of it."""
    again_seconds: float
    """Only what is new, because the rest is still in the cache."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that nobody waits for: a prompt, and sentences of so many seconds each."""

    model: str
    prompt: Prompt
    sentences: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """All of it, alone on the card."""
        return self.prompt.seconds + sum(self.sentences)


_TALK: Final = Prompt("talk", 0.8, 0.1)
"""1,500 tokens at 2,000 a second."""
_SUMMARY: Final = Chore("mind", Prompt("summary", 1.5, 0.05), (0.6,) * 15)
"""3,000 tokens, and 360 written."""
_GLANCE: Final = Chore("eyes", Prompt("screen", 1.0, 0.05), (0.6,) * 3)


@dataclass
class Outcome:
    """What a day was like."""

    waits: list[float] = field(default_factory=list)
    """For each turn: the silence before the first sound, beyond what the engines need with the card to themselves."""
    gaps: list[float] = field(default_factory=list)
    """For each turn: the silence between its sentences."""
    unanswered: int = 0
    """Turns that were refused a model."""
    chores: list[float] = field(default_factory=list)
    """For each chore: the seconds without a user, remark or game from its asking to its end, beyond its own work."""
    games: list[float] = field(default_factory=list)
    """For each game: how long it waited for its memory."""
    loads: int = 0

    def __iadd__(self, other: Outcome) -> Self:
        """Of several days."""
        self.waits += other.waits
        self.gaps += other.gaps
        self.unanswered += other.unanswered
        self.chores += other.chores
        self.games += other.games
        self.loads += other.loads
        return self


class _Idle:
    """A clock that stands still while the house is busy."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stood = 0.0
        self._busy_since = 0.0
        self._busy = False

    def seconds(self) -> float:
        now = self._busy_since if self._busy else self._loop.time()
        return now - self._stood

    def __enter__(self) -> None:
        self._busy, self._busy_since = True, self._loop.time()

    def __exit__(self, *_: object) -> None:
        self._busy = False
        self._stood += self._loop.time() - self._busy_since


class Companion:
    """One day of one companion."""

    def __init__(self, card: Card, policy: Policy, day: Day) -> None:
        """Needs a running loop at time 0."""
        self._loop = asyncio.get_running_loop()
        self._card = card
        self._policy = policy
        self._day = day
        self._idle = _Idle()
        self._room = asyncio.Event()
        self._room.set()
        self._heard_at = float("-inf")
        self._turns = 0
        self._chores: set[asyncio.Task[None]] = set()
        self.outcome: Final = Outcome()

    async def live(self) -> Outcome:
        """To the evening, and until every chore is done."""
        glances = asyncio.create_task(self._glance())
        remarks: asyncio.Task[None] | None = None
        for doing in self._day.doings:
            await self._sleep_until(doing.at)
            if remarks:
                await _break_off(remarks)
            if isinstance(doing, Game):
                await self._play(doing)
            else:
                await self._converse(doing)
                remarks = asyncio.create_task(self._remark())
        await self._sleep_until(DAY_SECONDS)
        await glances
        await asyncio.gather(*self._chores)
        await self._policy.close()
        self.outcome.loads = self._card.loads
        return self.outcome

    async def _sleep_until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self._loop.time()))

    # --- the user's doings ------------------------------------------------------------------------------------------

    async def _converse(self, conversation: Conversation) -> None:
        for turn in conversation.turns:
            await asyncio.sleep(turn.pause_seconds)
            with self._idle:
                self._policy.foresee("mind")
                self._policy.foresee("voice")
                await asyncio.sleep(turn.speech_seconds)
                self._heard_at = self._loop.time()
                await asyncio.sleep(_RECOGNISER_SECONDS)
                await self._answer(turn.reply)
            self._turns += 1
            if self._turns % _SUMMARY_TURNS == 0:
                self._ask(_SUMMARY)
        self._loop.call_later(_OVER_SECONDS, self._ask, _SUMMARY)

    async def _answer(self, sentences: Sequence[Sentence]) -> None:
        asked = self._loop.time()
        reply = Reply(self._card, self._policy, "replying")
        try:
            await reply.speak(sentences)
        except ParleyError:
            self.outcome.unanswered += 1
            self.outcome.waits.append(float("inf"))
            return
        alone = _TALK.again_seconds + sentences[0].write_seconds + _FIRST_CHUNK_SECONDS
        self.outcome.waits.append(reply.began - asked - alone)
        self.outcome.gaps.append(reply.gaps)

    async def _play(self, game: Game) -> None:
        with self._idle:
            self._room.clear()
            wanted = self._loop.time()
            await self._policy.step_aside()
            self.outcome.games.append(self._loop.time() - wanted)
            self._card.game_mib = self._card.room_mib
            await self._sleep_until(game.at + game.seconds)
            self._card.game_mib = 0
            self._policy.come_back()
            self._room.set()

    # --- what the companion does by itself --------------------------------------------------------------------------

    async def _remark(self) -> None:
        silent_since = self._loop.time()
        for pause in _REMARKS_AFTER:
            await self._sleep_until(silent_since + pause)
            with self._idle:
                await Reply(self._card, self._policy, "remark").speak(self._day.remark)

    async def _glance(self) -> None:
        for moment in self._day.glances:
            await self._sleep_until(moment)
            if self._room.is_set() and self._loop.time() - self._heard_at < _PRESENT_SECONDS:
                self._ask(_GLANCE)

    def _ask(self, chore: Chore) -> None:
        task = asyncio.create_task(self._do(chore))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _do(self, chore: Chore) -> None:
        await self._room.wait()
        asked = self._idle.seconds()
        left = list(chore.sentences)
        while left:
            try:
                await self._go_on(chore, left)
            except ParleyError:
                await self._room.wait()
        self.outcome.chores.append(max(0.0, self._idle.seconds() - asked - chore.seconds))

    async def _go_on(self, chore: Chore, left: list[float]) -> None:
        """Read the prompt again if something else was read meanwhile, and write on from there."""
        async with self._policy.use(chore.model, "chore"):
            await _read(self._card, self._policy, chore.model, chore.prompt)
            while left:
                await self._card.processor.work(left[0])
                del left[0]
                if self._policy.in_pieces:
                    return


class Reply:
    """Sentences on their way from the mind to the voice to the loudspeaker."""

    def __init__(self, card: Card, policy: Policy, kind: Kind) -> None:
        """Needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._card = card
        self._policy = policy
        self._kind: Kind = kind
        self._written: asyncio.Queue[Sentence | None] = asyncio.Queue()
        self._heard_until = 0.0
        self.began = 0.0
        """When the first sound was heard; 0 before."""
        self.gaps = 0.0
        """Seconds of silence between sentences."""

    async def speak(self, sentences: Sequence[Sentence]) -> None:
        """Until the last of it was heard. Raises a ParleyError where a model is refused."""
        await _both(self._write(sentences), self._voice())
        await asyncio.sleep(max(0.0, self._heard_until - self._loop.time()))

    async def _write(self, sentences: Sequence[Sentence]) -> None:
        async with self._policy.use("mind", self._kind) as right:
            await _read(self._card, self._policy, "mind", _TALK)
            for number, sentence in enumerate(sentences, 1):
                await self._card.processor.work(sentence.write_seconds)
                self._written.put_nowait(sentence)
                if left := sentences[number:]:
                    await right.checkpoint(rest_seconds=sum(sentence.write_seconds for sentence in left))
                    if right.restarted:
                        await _read(self._card, self._policy, "mind", _TALK)
        self._written.put_nowait(None)

    async def _voice(self) -> None:
        while sentence := await self._written.get():
            within = max(0.0, self._heard_until - self._loop.time())
            async with self._policy.use("voice", self._kind, within=within):
                await self._card.processor.work(_FIRST_CHUNK_SECONDS)
                self._sound(sentence)
                whole = _REAL_TIME_FACTOR * sentence.audio_seconds
                await self._card.processor.work(max(0.0, whole - _FIRST_CHUNK_SECONDS))

    def _sound(self, sentence: Sentence) -> None:
        now = self._loop.time()
        if not self.began:
            self.began = self._heard_until = now
        self.gaps += max(0.0, now - self._heard_until)
        self._heard_until = max(now, self._heard_until) + sentence.audio_seconds


async def _read(card: Card, policy: Policy, model: str, prompt: Prompt) -> None:
    known = card.models[model].remembers(prompt.text, policy.slots)
    await card.processor.work(prompt.again_seconds if known else prompt.seconds)


async def _both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    """Two halves of one thing: if either fails, both end. Raises what failed."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            await _break_off(task)


async def _break_off(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
