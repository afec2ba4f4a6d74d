from __future__ import annotations

import asyncio

from agent import events as e
from agent.clock import run_virtual
from agent.engines.scripted import Fault, Script
from tests.virtual_house import living, unclosed


def test_sentences_are_ready_before_the_reply_is_complete():
    async def main():
        async with living(mind=Script(answers=("One here. Two there. Three.",), delay_seconds=0.1)) as house:
            house.type("hello")
            await asyncio.sleep(20)
            return house

    house = run_virtual(main())
    sentences = house.of(e.SentenceReady)
    assert [event.text for event in sentences] == ["One here.", "Two there.", "Three."]
    assert sentences[0].at < house.of(e.ReplyFinished)[0].at


def test_the_share_of_the_prompt_that_was_reused_is_told():
    async def main():
        async with living() as house:
            house.type("hello there")
            await asyncio.sleep(5)
            return house

    (finished,) = run_virtual(main()).of(e.ReplyFinished)
    assert (finished.prompt_tokens, finished.reused_tokens) == (5, 3)


def test_after_a_hush_no_sentence_of_the_turn_comes():
    async def main():
        async with living(mind=Script(answers=("One here. Two there. Three.",), delay_seconds=0.3)) as house:
            house.type("hello")
            await asyncio.sleep(1.2)
            house.type("stop")
            await asyncio.sleep(20)
            return house

    house = run_virtual(main())
    (hushed_at,) = [event.at for event in house.of(e.HushIssued)]
    assert not [event for event in house.of(e.SentenceReady) if event.turn == 1 and event.at > hushed_at]
    assert not unclosed(house.events)


def test_a_missing_model_fails_the_turn_with_a_sentence_and_the_next_one_is_tried():
    async def main():
        async with living(mind=Script(faults=(Fault(how="missing", call=0),))) as house:
            for _ in range(2):
                house.type("hello")
                await asyncio.sleep(5)
            return house

    errors = [event.error for event in run_virtual(main()).of(e.ReplyFailed)]
    assert len(errors) == 2
    assert "no model" in errors[0]


def test_a_reply_that_cannot_be_spoken_is_finished_without_a_sentence():
    async def main():
        async with living(mind=Script(answers=("🙂 🙂",))) as house:
            house.type("hello")
            await asyncio.sleep(5)
            return house

    house = run_virtual(main())
    assert [event.sentences for event in house.of(e.ReplyFinished)] == [0]
    assert not house.of(e.SpeakingStarted)


def test_what_it_is_told_to_say_needs_no_model():
    async def main():
        async with living(mind=Script(faults=(Fault(how="raise", call=-1),))) as house:
            await house.companion.say("The tea is ready. It is 5 pm.")
            await asyncio.sleep(10)
            return house

    house = run_virtual(main())
    assert [event.text for event in house.of(e.SentenceReady)] == ["The tea is ready.", "It is five p.m."]
    assert not house.mind.asked


def test_the_model_is_told_what_was_really_played():
    async def main():
        async with living(mind=Script(answers=("I am fine.", "You too."))) as house:
            house.type("how are you")
            await asyncio.sleep(4)
            house.type("good")
            await asyncio.sleep(4)
            return house

    house = run_virtual(main())
    assert [(message.role, message.content) for message in house.mind.asked[1]] == [
        ("system", "You are Parley."),
        ("user", "how are you"),
        ("assistant", "I am fine."),
        ("user", "good"),
    ]
