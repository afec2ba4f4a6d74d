"""The whole companion on virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from dataclasses import replace

import numpy as np
import pytest

from agent import events as e
from agent.clock import run_virtual
from agent.engines.scripted import Fault, Script
from agent.settings import Settings, TurnSettings
from tests.virtual_house import PERSONALITY, living, quiet, tone, unclosed

EVENING = dt.datetime(2026, 1, 5, 19, 0, tzinfo=dt.UTC)


def test_a_spoken_question_is_answered():
    async def main():
        room = np.concatenate([quiet(1), tone(1.5), quiet(1)])
        async with living(
            microphone=room,
            settings=Settings(turns=TurnSettings(finished_seconds=0.3)),
            stt=Script(answers=("what is your name",)),
            mind=Script(answers=("I am Parley.",)),
        ) as house:
            await asyncio.sleep(6)
            return house

    house = run_virtual(main())
    assert house.names() == [
        "CompanionStarted", "SpeechStarted", "SpeechPaused", "UtteranceHeard", "PromptIssued", "SentenceReady", "ReplyFinished",
        "PromptCommitted", "SpeakingStarted", "SpeakingEnded",
    ]  # fmt: skip
    (measured,) = house.of(e.TurnMeasured)
    assert measured.total_ms < 700
    assert house.of(e.SpeakingEnded)[0].spoken == "I am Parley."
    assert [message.content for message in house.mind.asked[0]] == ["You are Parley.", "what is your name"]
    assert not unclosed(house.events)


def test_nothing_sounds_before_the_commit_and_going_on_merges_the_turn():
    async def main():
        room = np.concatenate([quiet(1), tone(1), quiet(0.6), tone(1), quiet(4)])
        script = Script(answers=("i would like to", "tell you a story"))
        async with living(microphone=room, stt=script) as house:
            await asyncio.sleep(8)
            return house

    house = run_virtual(main())
    assert [event.heard for event in house.of(e.PromptIssued)] == [
        "i would like to",
        "i would like to tell you a story",
    ]
    assert [event.rule for event in house.of(e.HushIssued)] == ["user_went_on"]
    assert [event.turn for event in house.of(e.SpeakingStarted)] == [2]
    assert house.mind.asked[-1][-1].content == "i would like to tell you a story"
    assert not unclosed(house.events)


def test_speaking_over_it_stops_it_and_history_keeps_what_was_played():
    async def main():
        room = np.concatenate([quiet(1), tone(1), quiet(3), tone(1), quiet(5)])
        long = Script(
            answers=("This is a long story about a very old house by the sea. It goes on and on.", "All right.")
        )
        async with living(microphone=room, stt=Script(answers=("tell me a story", "stop")), mind=long) as house:
            await asyncio.sleep(12)
            return house

    house = run_virtual(main())
    first = house.of(e.SpeakingEnded)[0]
    assert first.interrupted
    assert "This is a long story about a very old house by the sea.".startswith(first.spoken)
    roles = [(message.role, message.content) for message in house.mind.asked[-1]]
    assert roles[2] == ("assistant", first.spoken + " —")
    assert roles[3] == ("user", "[You were interrupted.]\nstop")
    assert not unclosed(house.events)


def test_a_word_that_ends_while_it_speaks_is_answered():
    """What Neuro loses: words that end while it talks."""

    async def main():
        async with living(
            mind=Script(answers=("One moment of a rather long reply.", "And this is the second."))
        ) as house:
            house.type("hello")
            await asyncio.sleep(0.5)
            house.type("are you there")
            await asyncio.sleep(10)
            return house

    house = run_virtual(main())
    assert house.of(e.SpeakingEnded)[-1].spoken == "And this is the second."
    assert not unclosed(house.events)


def test_eight_hours_of_silence_are_quiet_and_every_silence_has_a_reason():
    async def main():
        async with living(mind=Script(answers=("Are you still there?",))) as house:
            await asyncio.sleep(8 * 3600)
            return house, await house.companion.why(100)

    house, verdicts = run_virtual(main(), start=EVENING)
    remarks = [event.at for event in house.of(e.SpeakingStarted)]
    assert len(remarks) == 3
    pauses = np.diff([0, *remarks])
    assert all(later > 1.9 * sooner for sooner, later in itertools.pairwise(pauses))
    quiet_from = 3.5 * 3600
    assert not [at for at in remarks if quiet_from <= at < quiet_from + 9 * 3600]
    assert verdicts[-1]["rule"] in {"unanswered", "quiet_hours", "nobody_there"}
    assert all(verdict["reason"] for verdict in verdicts)
    assert {"patience", "long_silence", "unanswered"} <= {verdict["rule"] for verdict in verdicts}


def test_in_quiet_hours_it_keeps_quiet_and_says_so():
    async def main():
        async with living(mind=Script(answers=("Are you still there?",))) as house:
            await asyncio.sleep(8 * 3600)
            return house, await house.companion.why(1)

    house, (verdict,) = run_virtual(main(), start=EVENING.replace(hour=22, minute=27))
    assert len(house.of(e.SpeakingStarted)) == 1
    assert verdict["rule"] == "quiet_hours"
    assert verdict["until"] == pytest.approx(9 * 3600 + 3 * 60, abs=1)


def test_a_declined_remark_is_not_spoken():
    async def main():
        async with living(mind=Script(answers=("PASS",))) as house:
            await asyncio.sleep(200)
            return house

    house = run_virtual(main())
    assert len(house.of(e.ReplyDeclined)) == 2
    assert not house.of(e.SentenceReady, e.SpeakingStarted)
    assert not unclosed(house.events)


def test_muted_it_hears_nothing_and_still_answers_what_is_typed():
    async def main():
        room = np.concatenate([quiet(1), tone(1), quiet(1)])
        async with living(microphone=room) as house:
            await house.companion.mute()
            await asyncio.sleep(4)
            told = [sentence async for sentence in house.companion.ask("hello")]
            await house.companion.unmute()
            await asyncio.sleep(1)
            return house, told

    house, told = run_virtual(main())
    assert told == ["I see."]
    assert not house.of(e.SpeechStarted)


@pytest.mark.parametrize("organ", ["stt", "mind", "voice"])
@pytest.mark.parametrize("how", ["raise", "hang", "exit", "kill"])
def test_an_engine_that_fails_costs_one_turn_at_most(organ: str, how: str):
    async def main():
        room = np.concatenate([quiet(1), tone(1), quiet(70), tone(1), quiet(5)])
        scripts = {"stt": Script(answers=("what is your name",)), "mind": Script(), "voice": Script()}
        scripts[organ] = Script(answers=scripts[organ].answers, faults=(Fault(how=how, call=1),))
        async with living(microphone=room, **scripts) as house:
            await asyncio.sleep(100)
            return house

    house = run_virtual(main())
    assert not unclosed(house.events)
    assert house.of(e.SpeakingEnded)[-1].spoken == "I see."
    if organ != "stt":
        assert house.of(e.ReplyFailed, e.SpeakingFailed)
    assert not house.of(e.RoutineCrashed)


def test_each_remark_carries_the_digest_of_the_personality_in_force():
    async def main():
        async with living(personality=replace(PERSONALITY, digest="abc")) as house:
            house.type("hello")
            await asyncio.sleep(3)
            return house

    assert [event.personality for event in run_virtual(main()).of(e.PromptIssued)] == ["abc"]
