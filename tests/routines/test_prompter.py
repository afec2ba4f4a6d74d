from __future__ import annotations

import asyncio
import itertools

import pytest

from agent import events as e
from agent.bus import Bus
from agent.clock import Clock, run_virtual
from agent.policy.prompting import PromptingPolicy
from routines.prompter import Prompter

POLICY = PromptingPolicy(patience_seconds=60)


def prompter(bus: Bus, inbox, clock: Clock, before: Prompter | None = None) -> Prompter:
    turns = map(e.Turn, itertools.count(7))
    return Prompter(
        bus, inbox, clock, lambda: (POLICY, "digest"), turns, situation=before.situation if before else None
    )


def heard(clock: Clock, text: str = "what is your name") -> e.UtteranceHeard:
    now = clock.now()
    return e.UtteranceHeard(at=now, text=text, audio_seconds=0, confidence=1, source="typed", speech_ended_at=now)


def test_it_sleeps_until_exactly_the_moment_that_its_verdict_names():
    async def main():
        bus, clock = Bus(), Clock()
        seen: list[e.Event] = []
        bus.tap(seen.append)
        task = asyncio.create_task(prompter(bus, bus.inbox(*Prompter.LISTENS_TO), clock).run())
        bus.publish(e.CompanionStarted(at=clock.now(), personality="d"))
        await asyncio.sleep(61)
        task.cancel()
        return [event for event in seen if isinstance(event, e.PromptIssued)]

    (issued,) = run_virtual(main())
    assert issued.at == pytest.approx(60)
    assert issued.turn == 7
    assert issued.personality == "digest"


def test_a_verdict_is_told_when_it_or_its_rule_changes_and_not_per_event():
    async def main():
        bus, clock = Bus(), Clock()
        told: list[str] = []
        bus.tap(lambda event: told.append(event.rule) if isinstance(event, e.Decided) else None)
        task = asyncio.create_task(prompter(bus, bus.inbox(*Prompter.LISTENS_TO), clock).run())
        bus.publish(e.CompanionStarted(at=clock.now(), personality="d"))
        for _ in range(5):
            await asyncio.sleep(1)
            bus.publish(e.SpeechStarted(at=clock.now()))
            bus.publish(e.SpeechDiscarded(at=clock.now(), reason="noise", voiced_seconds=0, confidence=0, detail=""))
        await asyncio.sleep(1)
        task.cancel()
        return told

    assert run_virtual(main()) == ["not_ready", "patience"]


def test_words_that_came_while_it_was_down_are_answered_by_the_fresh_one():
    async def main():
        bus, clock = Bus(), Clock()
        inbox = bus.inbox(*Prompter.LISTENS_TO)
        first = prompter(bus, inbox, clock)
        task = asyncio.create_task(first.run())
        bus.publish(e.CompanionStarted(at=clock.now(), personality="d"))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        bus.publish(heard(clock))
        issued: list[e.Event] = []
        bus.tap(lambda event: issued.append(event) if isinstance(event, e.PromptIssued) else None)
        task = asyncio.create_task(prompter(bus, inbox, clock, first).run())
        await asyncio.sleep(1)
        task.cancel()
        return issued

    assert [event.heard for event in run_virtual(main())] == ["what is your name"]


def test_on_its_way_out_it_ends_the_turn_in_progress():
    async def main():
        bus, clock = Bus(), Clock()
        seen: list[e.Event] = []
        bus.tap(seen.append)
        task = asyncio.create_task(prompter(bus, bus.inbox(*Prompter.LISTENS_TO), clock).run())
        bus.publish(e.CompanionStarted(at=clock.now(), personality="d"))
        bus.publish(heard(clock))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        return [type(event).__name__ for event in seen if isinstance(event, e.PromptIssued | e.HushIssued)]

    assert run_virtual(main()) == ["PromptIssued", "HushIssued"]
