"""The Prompter decides when to prompt the language model, also unasked.

The decision is `agent.policy.prompting`; here is only the loop: decide, then act, or wait for what comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from agent.bus import Bus, Inbox
from agent.clock import Clock
from agent.events import (
    CompanionStarted,
    Decided,
    Event,
    HushIssued,
    MuteChanged,
    PromptCommitted,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    SayRequested,
    Seconds,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
    SpeakingStarted,
    SpeechDiscarded,
    SpeechPaused,
    SpeechStarted,
    Turn,
    UtteranceHeard,
    Verdict,
)
from agent.policy.prompting import (
    Commit,
    Decision,
    Hush,
    Prompt,
    PromptingPolicy,
    Silent,
    decide,
)
from agent.policy.situation import Situation, advance, after_crash


class Prompter:
    """One loop over one inbox; the only writer of the situation and the only one who mints turns."""

    LISTENS_TO: tuple[type[Event], ...] = (
        CompanionStarted,
        MuteChanged,
        SayRequested,
        SpeechStarted,
        SpeechPaused,
        SpeechDiscarded,
        UtteranceHeard,
        SentenceReady,
        ReplyFinished,
        ReplyDeclined,
        ReplyFailed,
        SpeakingStarted,
        SpeakingEnded,
        SpeakingFailed,
    )

    def __init__(
        self,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        policy: Callable[[], tuple[PromptingPolicy, str]],
        turns: Iterator[Turn],
        situation: Situation | None = None,
    ) -> None:
        """`policy` gives the numbers in force and the personality's digest, read anew before each decision.

        `situation` is that of the instance before, if that one crashed.
        """
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._policy = policy
        self._turns = turns
        self.situation = after_crash(situation) if situation else Situation()
        self._told: tuple[Verdict, str] | None = None

    async def run(self) -> None:
        """Decide for as long as the companion lives; ends a turn in progress on the way out."""
        try:
            while True:
                policy, digest = self._policy()
                decision = decide(self.situation, self._clock.now(), self._minute(), policy)
                if not self._act(decision, digest):
                    self._tell(decision, None)
                    await self._listen(decision.until)
        finally:
            if self.situation.turn:
                self._hush(self.situation.turn.turn, "prompter_stopped")

    async def _listen(self, until: Seconds | None) -> None:
        """Take in the next event, and all that came with it; or return at `until`."""
        try:
            async with asyncio.timeout(None if until is None else max(until - self._clock.now(), 0.0)):
                event = await self._inbox.get()
        except TimeoutError:
            return
        self.situation = advance(self.situation, event)
        while self._inbox.waiting():
            self.situation = advance(self.situation, await self._inbox.get())

    def _act(self, decision: Decision, digest: str) -> bool:
        """Carry out what is to be done now; False if nothing is."""
        match decision:
            case Prompt():
                turn = next(self._turns)
                self._tell(decision, turn)
                self._issue(turn, decision, digest)
            case Commit():
                self._tell(decision, decision.turn)
                self._publish(PromptCommitted(at=self._clock.now(), turn=decision.turn))
            case Hush():
                self._tell(decision, decision.turn)
                self._hush(decision.turn, decision.rule)
            case _:
                return False
        return True

    def _issue(self, turn: Turn, prompt: Prompt, digest: str) -> None:
        self._publish(
            PromptIssued(
                at=self._clock.now(),
                turn=turn,
                rule=prompt.rule,
                tentative=prompt.tentative,
                heard=prompt.heard,
                occasion=prompt.occasion,
                verbatim=prompt.verbatim,
                personality=digest,
            )
        )

    def _hush(self, turn: Turn, rule: str) -> None:
        self._publish(HushIssued(at=self._clock.now(), turn=turn, rule=rule))

    def _publish(self, order: Event) -> None:
        self.situation = advance(self.situation, order)
        self._bus.publish(order)

    def _tell(self, decision: Decision, turn: Turn | None) -> None:
        """Publish the verdict if it, or its rule, is another than the last."""
        verdict = _verdict(decision)
        if turn is None and (verdict, decision.rule) == self._told:
            return
        self._told = (verdict, decision.rule)
        self._bus.publish(
            Decided(
                at=self._clock.now(),
                verdict=verdict,
                rule=decision.rule,
                reason=decision.reason,
                until=decision.until,
                turn=turn,
            )
        )

    def _minute(self) -> float:
        wall = self._clock.wall()
        return wall.hour * 60 + wall.minute + wall.second / 60


def _verdict(decision: Decision) -> Verdict:
    match decision:
        case Prompt() | Commit():
            return "prompt"
        case Hush():
            return "hush"
        case Silent():
            return "silent"
        case _:
            return "wait"
