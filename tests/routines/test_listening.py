from __future__ import annotations

import asyncio

import numpy as np

from agent import events as e
from agent.clock import run_virtual
from agent.engines.api import SegmentEnded, VoiceBegan, VoiceContinued
from agent.engines.scripted import Fault, Script
from tests.virtual_house import VirtualHouse, living, quiet, tone, unclosed


def ended(house: VirtualHouse, segment: int, seconds: float = 1.0, voiced: float = 0.8) -> SegmentEnded:
    return SegmentEnded(
        segment=segment,
        samples=b"\0" * round(seconds * 32_000),
        voiced_seconds=voiced,
        silence_seconds=0.2,
        speech_ended_at=house.clock.now() - 0.2,
    )


def test_a_segment_whose_engine_dies_while_the_user_speaks_is_given_whole_to_a_fresh_one():
    async def main():
        script = Script(answers=("hello there",), faults=(Fault(how="kill", call=1),))
        async with living(stt=script) as house:
            house.ear.tell(VoiceBegan(segment=1, samples=b"\0" * 12_800))
            await asyncio.sleep(1)
            house.ear.tell(ended(house, 1))
            await asyncio.sleep(3)
            return house

    house = run_virtual(main())
    (heard,) = house.of(e.UtteranceHeard)
    assert heard.text == "hello there"
    assert house.stt.loads == 2
    assert [len(request.samples) for request in house.stt.asked] == [32_000]


def test_speech_that_is_muted_in_the_middle_is_closed_and_not_heard():
    async def main():
        async with living(microphone=np.concatenate([quiet(1), tone(3), quiet(1)])) as house:
            await asyncio.sleep(2)
            await house.companion.mute()
            await asyncio.sleep(3)
            return house

    house = run_virtual(main())
    assert [event.reason for event in house.of(e.SpeechDiscarded)] == ["muted"]
    assert not house.of(e.UtteranceHeard)
    assert not unclosed(house.events)


def test_words_that_were_complete_before_the_mute_are_still_heard():
    async def main():
        async with living(stt=Script(answers=("good night",), delay_seconds=0.5)) as house:
            house.ear.tell(VoiceBegan(segment=1, samples=b"\0" * 100))
            house.ear.tell(ended(house, 1))
            await asyncio.sleep(0.1)
            await house.companion.mute()
            await asyncio.sleep(3)
            return house

    assert [event.text for event in run_virtual(main()).of(e.UtteranceHeard)] == ["good night"]


def test_a_click_makes_no_utterance_and_says_why():
    async def main():
        async with living() as house:
            house.ear.tell(VoiceBegan(segment=1, samples=b"\0" * 100))
            house.ear.tell(ended(house, 1, seconds=0.3, voiced=0.03))
            await asyncio.sleep(1)
            return house

    (discarded,) = run_virtual(main()).of(e.SpeechDiscarded)
    assert discarded.reason == "too_short"
    assert "0.03" in discarded.detail


def test_a_heavy_model_gets_its_lease_at_the_soft_end_only():
    async def main():
        async with living(stt=Script(answers=("hello",), heavy=True)) as house:
            house.ear.tell(VoiceBegan(segment=1, samples=b"\0" * 12_800))
            await asyncio.sleep(2)
            house.ear.tell(VoiceContinued(segment=1, samples=b"\0" * 12_800))
            before = len(house.of(e.LeaseGranted))
            house.ear.tell(ended(house, 1))
            await asyncio.sleep(1)
            return before, house.of(e.LeaseGranted)[0]

    before, granted = run_virtual(main())
    assert before == 0
    assert (granted.model, granted.owner, granted.light) == ("stt", "listening", False)


def test_segments_that_end_closely_become_utterances_in_their_order():
    async def main():
        async with living(stt=Script(answers=("one", "two"))) as house:
            for segment in (1, 2):
                house.ear.tell(VoiceBegan(segment=segment, samples=b"\0" * 100))
                house.ear.tell(ended(house, segment))
            await asyncio.sleep(5)
            return house

    house = run_virtual(main())
    assert [event.text for event in house.of(e.UtteranceHeard)] == ["one", "two"]
    assert [event.heard for event in house.of(e.PromptIssued)][-1] == "one two"
