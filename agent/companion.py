"""What the control socket can ask of the running companion."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from agent import answers
from agent.bus import Bus
from agent.clock import Clock
from agent.errors import EngineError
from agent.events import (
    Decided,
    Event,
    HushIssued,
    MuteChanged,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    SayRequested,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
)
from agent.yielding import Yielding

_VERDICTS_KEPT = 500
_ENDS = (ReplyFinished, ReplyDeclined, ReplyFailed, HushIssued, SpeakingEnded, SpeakingFailed)


class Companion:
    """Answers for the house; implements `agent.control.Companion`."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        stopped: asyncio.Event,
        *,
        type_in: Callable[[str], None],
        describe: Callable[[], dict[str, Any]],
        describe_models: Callable[[], dict[str, Any]],
        yielding: Yielding,
    ) -> None:
        """`stopped` is set to end; `type_in` takes a typed line; the others tell of routines and of models."""
        self._bus = bus
        self._clock = clock
        self._stopped = stopped
        self._type_in = type_in
        self._describe = describe
        self._describe_models = describe_models
        self._yielding = yielding
        self._verdicts: deque[dict[str, Any]] = deque(maxlen=_VERDICTS_KEPT)
        self._muted = False
        bus.tap(self._take)

    async def status(self) -> dict[str, Any]:
        """What it is doing, in words and numbers."""
        latest = self._verdicts[-1] if self._verdicts else {}
        return {
            "pid": os.getpid(),
            "running for": round(self._clock.now()),
            "microphone": "muted" if self._muted else "open",
            "now": latest.get("reason", "I am still starting."),
            "models": self._describe_models(),
            **self._describe(),
        }

    async def vram(self) -> dict[str, Any]:
        """Every model, who holds and who waits, the memory, and whether Parley has stepped aside."""
        return {**self._describe_models(), **self._yielding.describe()}

    async def vram_free(self, seconds: float | None) -> None:
        """Step aside for so long, or until `vram_back`. Raises ParleyError if a process does not end."""
        await self._yielding.free(seconds)

    async def vram_back(self) -> str:
        """The memory is needed no more; why Parley stays aside all the same, empty if it does not."""
        return self._yielding.back()

    async def why(self, count: int) -> list[dict[str, Any]]:
        """The last `count` verdicts, oldest first; the last one is in force."""
        return list(self._verdicts)[-count:] if count > 0 else []

    async def say(self, text: str) -> None:
        """Speak a text as it is."""
        self._bus.publish(SayRequested(at=self._clock.now(), text=text, rule="said_from_outside"))

    def greet(self, text: str) -> None:
        """Say the personality's greeting, if it has one."""
        if text:
            self._bus.publish(SayRequested(at=self._clock.now(), text=text, rule="greeting"))

    async def ask(self, text: str) -> AsyncGenerator[str, None]:
        """Take a typed turn; the reply's sentences as they come, ending with the turn. Raises EngineError."""
        inbox = self._bus.inbox(
            PromptIssued,
            SentenceReady,
            ReplyFinished,
            ReplyDeclined,
            ReplyFailed,
            HushIssued,
            SpeakingEnded,
            SpeakingFailed,
        )
        try:
            self._type_in(text)
            turn = None
            async for event in inbox:
                if turn is None:
                    turn = event.turn if isinstance(event, PromptIssued) and event.heard.endswith(text) else None
                elif getattr(event, "turn", None) == turn:
                    if isinstance(event, SentenceReady):
                        yield event.text
                    elif _over(event):
                        return
        finally:
            self._bus.close(inbox)

    async def mute(self) -> None:
        """Close the microphone."""
        self._set_muted(muted=True)

    async def unmute(self) -> None:
        """Open the microphone."""
        self._set_muted(muted=False)

    async def stop(self) -> None:
        """Begin to end; does not wait for the end."""
        self._stopped.set()

    async def devices(self) -> list[dict[str, Any]]:
        """The sound devices, listed by a process of its own."""
        return await asyncio.to_thread(answers.installed_devices)

    def _set_muted(self, *, muted: bool) -> None:
        if muted != self._muted:
            self._muted = muted
            self._bus.publish(MuteChanged(at=self._clock.now(), muted=muted))

    def _take(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._verdicts.append(
                {
                    "at": event.at,
                    "wall": self._clock.wall().isoformat(timespec="seconds"),
                    "verdict": event.verdict,
                    "rule": event.rule,
                    "reason": event.reason,
                    "until": event.until,
                }
            )


def _over(event: Event) -> bool:
    """Whether this ends the turn. Raises EngineError if it ends in a failure."""
    if isinstance(event, ReplyFailed | SpeakingFailed):
        raise EngineError(f"The turn failed: {event.error}")
    if isinstance(event, ReplyFinished):
        return event.sentences == 0
    return isinstance(event, ReplyDeclined | HushIssued | SpeakingEnded)
