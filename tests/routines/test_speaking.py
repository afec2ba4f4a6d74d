from __future__ import annotations

import asyncio

import numpy as np
import pytest

from agent import events as e
from agent.clock import run_virtual
from agent.engines.api import SegmentEnded, VoiceBegan
from agent.engines.scripted import Fault, Script
from agent.settings import Settings, VramSettings
from tests.virtual_house import RATE, VirtualHouse, living, unclosed


async def say(house: VirtualHouse, segment: int = 1) -> None:
    """The user says something that the ear ends at once."""
    house.ear.tell(VoiceBegan(segment=segment, samples=b"\0" * 100))
    house.ear.tell(
        SegmentEnded(
            segment=segment,
            samples=b"\0" * 32_000,
            voiced_seconds=0.8,
            silence_seconds=0.2,
            speech_ended_at=house.clock.now(),
        )
    )


def test_a_tentative_reply_is_synthesised_but_makes_no_sound_before_the_commit():
    async def main():
        async with living(stt=Script(answers=("i would like to",))) as house:
            await say(house)
            await asyncio.sleep(1)
            asked, silent = len(house.voice.asked), not house.room.loudspeaker.played.any()
            await asyncio.sleep(5)
            return house, asked, silent

    house, asked, silent = run_virtual(main())
    assert asked == 1
    assert silent
    committed, started = house.of(e.PromptCommitted)[0].at, house.of(e.SpeakingStarted)[0].at
    assert started >= committed


def test_a_tentative_reply_that_is_hushed_leaves_no_sound_and_no_event():
    async def main():
        async with living(stt=Script(answers=("i would like to",))) as house:
            await say(house)
            await asyncio.sleep(0.5)
            house.ear.tell(VoiceBegan(segment=2, samples=b"\0" * 100))
            await asyncio.sleep(5)
            return house, house.room.loudspeaker.played

    house, played = run_virtual(main())
    assert not played.any()
    assert not house.of(e.SpeakingStarted, e.SpeakingEnded)


def test_interrupted_speech_is_silent_within_20_ms():
    async def main():
        async with living(mind=Script(answers=("A long sentence that goes on and on for quite a while.",))) as house:
            house.type("hello")
            await asyncio.sleep(1)
            house.type("stop it")
            hushed = house.clock.now()
            await asyncio.sleep(0.3)
            begun = house.of(e.SpeakingStarted)[0].at
            return house, house.room.loudspeaker.played, round((hushed - begun) * RATE)

    house, played, hushed = run_virtual(main())
    second = round((house.of(e.SpeakingStarted)[-1].at - house.of(e.SpeakingStarted)[0].at) * RATE)
    assert played[hushed - 200 : hushed].any()
    assert not played[hushed + RATE // 50 : second - 1].any()
    assert np.count_nonzero(played[:hushed]) > 0


def test_a_voice_that_fails_is_told_and_the_next_turn_sounds():
    async def main():
        async with living(voice=Script(faults=(Fault(how="raise", call=1, results=2),))) as house:
            house.type("hello")
            await asyncio.sleep(5)
            house.type("hello again")
            await asyncio.sleep(5)
            return house

    house = run_virtual(main())
    assert len(house.of(e.SpeakingFailed)) == 1
    assert house.of(e.SpeakingEnded)[-1].spoken == "I see."
    assert not unclosed(house.events)


def test_a_turn_without_a_sound_does_not_keep_the_next_one_waiting():
    async def main():
        async with living(mind=Script(answers=("PASS", "I see."))) as house:
            house.type("hello")
            await asyncio.sleep(1)
            house.type("hello again")
            await asyncio.sleep(5)
            return house

    house = run_virtual(main())
    assert [event.turn for event in house.of(e.SpeakingEnded)] == [2]


def test_where_the_time_went_is_told_once_for_each_turn_that_sounds():
    async def main():
        async with living(mind=Script(delay_seconds=0.1), voice=Script(delay_seconds=0.2)) as house:
            house.type("hello")
            await asyncio.sleep(5)
            return house

    (measured,) = run_virtual(main()).of(e.TurnMeasured)
    assert round(measured.first_token_ms) == 200
    assert round(measured.first_audio_ms) == 200
    assert round(measured.total_ms) == 500


def test_a_crash_before_the_first_sound_fails_the_turn_at_once_and_the_next_one_sounds():
    async def main():
        async with living(voice=Script(delay_seconds=1)) as house:
            house.type("hello")
            await asyncio.sleep(0.5)
            house.room.loudspeaker._notes.put_nowait(None)  # no note at all: Speaking must crash on it
            await asyncio.sleep(1)
            failed = house.of(e.SpeakingFailed)
            house.type("hello again")
            await asyncio.sleep(10)
            return house, failed

    house, failed = run_virtual(main())
    assert [event.turn for event in failed] == [1]
    assert [event.routine for event in house.of(e.RoutineCrashed)] == ["speaking"]
    assert house.of(e.SpeakingEnded)[-1].spoken == "I see."
    assert not unclosed(house.events)


# --- an even flow ---------------------------------------------------------------------------------------------------

FOUR = "One is here now today. Two is there right now. Three is gone for good. Four is yet to come."
"""Four sentences of about 1.3 s of sound."""


def test_where_sound_is_made_slower_than_it_is_played_the_next_reply_gathers_a_lead_and_does_not_run_dry():
    async def main():
        mind = Script(answers=(FOUR,), delay_seconds=0.3, heavy=True)
        async with living(mind=mind, voice=Script(delay_seconds=0.01, heavy=True)) as house:
            for _ in range(2):
                house.type("hello")
                await asyncio.sleep(30)
            return house

    house = run_virtual(main())
    first, second = [event.underruns for event in house.of(e.SpeakingEnded)]
    assert first > 0
    assert second == 0
    sooner, later = [event.first_audio_ms for event in house.of(e.TurnMeasured)]
    assert sooner < 50 < later


def test_a_load_between_two_sentences_is_no_part_of_the_pace():
    """Each reply is swapped out after its first sentence, and the next one must not gather a lead for that."""

    async def main():
        settings = Settings(vram=VramSettings(reserve_mib=0, budget_mib=6000))
        big = {"heavy": True, "load_seconds": 1.0, "vram_mib": 4000}
        mind = Script(answers=("One is here now. Two is there.",), delay_seconds=1.0, **big)
        async with living(settings=settings, mind=mind, voice=Script(delay_seconds=0.01, **big)) as house:
            await house.companion.say("Hello.")  # after which it is known how long the voice takes to load
            await asyncio.sleep(20)
            for _ in range(2):
                house.type("hello")
                await asyncio.sleep(40)
            return house

    house = run_virtual(main())
    assert sum("makes room" in event.reason for event in house.of(e.SwapWeighed)) == 2
    assert [round(event.first_audio_ms) for event in house.of(e.TurnMeasured)[1:]] == [10, 10]


def test_the_voice_waits_for_a_reply_that_takes_longer_than_others_have_patience():
    async def main():
        settings = Settings(vram=VramSettings(reserve_mib=0, budget_mib=6000, lease_seconds=5))
        big = {"heavy": True, "load_seconds": 3.0, "vram_mib": 4000}
        mind = Script(answers=(FOUR,), delay_seconds=0.5, **big)
        async with living(settings=settings, mind=mind, voice=Script(delay_seconds=0.01, **big)) as house:
            house.type("hello")
            await asyncio.sleep(40)
            return house

    house = run_virtual(main())
    assert [event.spoken for event in house.of(e.SpeakingEnded)] == [FOUR]
    assert house.of(e.TurnMeasured)[0].lease_wait_ms > 5000


@pytest.mark.parametrize(("due_seconds", "first"), [(0.1, "test"), (10.0, "speaking")])
def test_a_sentence_is_due_when_the_loudspeaker_runs_dry(due_seconds: float, first: str):
    """Who is due before that goes first, who is due later does not."""

    async def main():
        mind = Script(answers=("One is here now today. Two is there. Three is gone.",), delay_seconds=0.1, heavy=True)
        async with living(mind=mind, voice=Script(delay_seconds=0.01, heavy=True)) as house:
            house.type("hello")
            await asyncio.sleep(1.0)  # the first sentence sounds until 2.0, and the mind writes the second
            due = e.Seconds(house.clock.now() + due_seconds)
            async with house.vram.lease("voice", owner="test", kind="replying", due=due):
                pass
            await asyncio.sleep(20)
            return house

    house = run_virtual(main())
    granted = [event.owner for event in house.of(e.LeaseGranted) if event.model == "voice"]
    assert granted[:2] == ["speaking", first]
