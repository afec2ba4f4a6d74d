from __future__ import annotations

import asyncio

import pytest

from agent import events as e
from agent.clock import run_virtual
from agent.engines.scripted import Fault, Script
from agent.settings import InitiativeSettings, Settings, VramSettings
from tests.virtual_house import VirtualHouse, living, unclosed


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


# --- two heavy models, of which the memory holds one ----------------------------------------------------------------


def sharing_the_memory(word_seconds: float, answers: tuple[str, ...], load_seconds: float = 1.0):
    """A companion whose mind and voice take turns in the memory."""
    settings = Settings(vram=VramSettings(reserve_mib=0, budget_mib=6000), initiative=InitiativeSettings(enabled=False))
    big = {"heavy": True, "load_seconds": load_seconds, "vram_mib": 4000}
    mind = Script(answers=answers, delay_seconds=word_seconds, **big)
    return living(settings=settings, mind=mind, voice=Script(delay_seconds=0.01, **big))


def test_a_reply_whose_model_made_room_is_begun_again_from_its_own_words():
    async def main():
        async with sharing_the_memory(0.5, ("One is here now. Two is there. Three is gone.",)) as house:
            await house.companion.say("Hello.")  # after which it is known how long the voice takes to load
            await asyncio.sleep(20)
            house.type("hello")
            await asyncio.sleep(40)
            return house

    house = run_virtual(main())
    assert [reason.partition(" room")[0] for reason in swaps(house)] == ["The mind makes"]
    assert house.mind.begun == ["", "One is here now. Two"]
    assert house.mind.asked[0] == house.mind.asked[1]
    assert [event.text for event in house.of(e.SentenceReady)][1:] == [
        "One is here now.",
        "Two is there.",
        "Three is gone.",
    ]
    assert house.of(e.SpeakingEnded)[-1].spoken == "One is here now. Two is there. Three is gone."


def test_how_long_a_reply_will_take_is_told_from_its_pace_and_the_usual_length():
    async def main():
        reply = " ".join(
            f"This is sentence number {number}." for number in ("one", "two", "three", "four", "five", "six")
        )
        async with sharing_the_memory(0.2, (reply,), load_seconds=8) as house:
            await house.companion.say("Hello.")
            await asyncio.sleep(100)
            for _ in range(2):
                house.type("hello")
                await asyncio.sleep(200)
            return house

    told = [float(reason.split("begin ")[1].split(" s")[0]) for reason in swaps(run_virtual(main()))]
    seconds = 0.2 * 5  # for a sentence
    assert told[:2] == pytest.approx([2 * seconds, 1 * seconds], abs=0.05)  # of three sentences, two and one are left
    assert told[2] == pytest.approx(2.9 * seconds, abs=0.05)  # one of six was counted meanwhile


def test_what_was_not_said_does_not_count_for_the_usual_length():
    async def main():
        reply = "This is sentence number one. This is sentence number two."
        async with sharing_the_memory(0.2, ("PASS", reply), load_seconds=8) as house:
            await house.companion.say("Hello.")
            await asyncio.sleep(100)
            for _ in range(2):
                house.type("hello")
                await asyncio.sleep(200)
            return house

    house = run_virtual(main())
    assert len(house.of(e.ReplyDeclined)) == 1
    assert "begin 2.0 s sooner" in swaps(house)[0]


def swaps(house: VirtualHouse) -> list[str]:
    """What was said of swapping in the middle."""
    return [event.reason for event in house.of(e.SwapWeighed)]
