"""A thousand random conversations on virtual time: nothing gets stuck, no word is lost, every opener is closed once."""

from __future__ import annotations

import asyncio
import random

import pytest

from agent import events as e
from agent.clock import run_virtual
from agent.engines.api import SegmentEnded, VoiceBegan
from agent.engines.scripted import Fault, Script
from agent.policy.situation import LONGEST_THOUGHT_SECONDS
from agent.settings import Settings
from tests.virtual_house import VirtualHouse, living, unclosed

DAYS = 1000
BATCHES = 10
FAULTS = ("raise", "hang", "exit", "kill", "garbage")
TEXTS = ("what is your name", "i would like to", "stop", "and", "tell me a joke")
REPLIES = ("I see.", "PASS", "One. Two and a bit more. Three, which is much longer than the others were.", "🙂", "")
SETTINGS = Settings.model_validate(
    {"stt": {"deadline_seconds": 5}, "mind": {"deadline_seconds": 5}, "voice": {"deadline_seconds": 5}}
)


def script(dice: random.Random, answers: tuple[str, ...]) -> Script:
    """An engine that is slow and fails now and then."""
    faults = tuple(
        Fault(how=dice.choice(FAULTS), call=dice.randint(0, 6), results=dice.randint(0, 2))
        for _ in range(dice.choice((0, 0, 1, 3)))
    )
    shuffled = tuple(dice.sample(answers, len(answers)))
    return Script(answers=shuffled, faults=faults, delay_seconds=dice.choice((0, 0.01, 0.3)), heavy=dice.random() < 0.3)


async def speak(house: VirtualHouse, dice: random.Random, segment: int) -> None:
    """The user says something, as the ear tells it."""
    note = VoiceBegan(segment=segment, samples=b"\0" * 12_800)
    house.ear.tell(note)
    await asyncio.sleep(dice.choice((0.1, 0.8, 3.0)))
    now = house.clock.now()
    house.ear.tell(
        SegmentEnded(
            segment=segment,
            samples=b"\0" * 32_000,
            voiced_seconds=dice.choice((0.05, 0.6)),
            silence_seconds=0.2,
            speech_ended_at=now - 0.2,
        )
    )


async def live(house: VirtualHouse, dice: random.Random) -> int:
    """Some minutes of whatever can happen; how many lines were typed."""
    typed = 0
    for segment in range(dice.randint(3, 12)):
        match dice.randint(0, 9):
            case 0 | 1:
                house.type(f"{dice.choice(TEXTS)} typed {segment}")
                typed += 1
            case 2:
                await house.companion.say("The kettle boils.")
            case 3:
                await house.companion.mute()
                await asyncio.sleep(dice.random())
                await house.companion.unmute()
            case 4:
                house.mind.die()
            case 5:
                house.voice.die()
            case _:
                await speak(house, dice, segment)
        await asyncio.sleep(dice.choice((0.0, 0.05, 0.3, 1.0, 5.0, 70.0)))
    return typed


def answered(events: list[e.Event]) -> str:
    """What was said in the turns that sounded, or that were visibly declined."""
    hushed = {event.turn for event in events if isinstance(event, e.HushIssued)}
    sounded = {event.turn for event in events if isinstance(event, e.SpeakingStarted)}
    declined = {
        event.turn
        for event in events
        if isinstance(event, e.ReplyDeclined | e.ReplyFailed | e.SpeakingFailed)
        or (isinstance(event, e.ReplyFinished) and not event.sentences)
    }
    settled = sounded | (declined - hushed)
    return "; ".join(event.heard for event in events if isinstance(event, e.PromptIssued) and event.turn in settled)


def stuck(events: list[e.Event]) -> list[int]:
    """Turns that went on for longer than their deadline allows."""
    begun = {event.turn: event.at for event in events if isinstance(event, e.PromptIssued)}
    ended = {
        event.turn: event.at
        for event in events
        if isinstance(event, e.SpeakingEnded | e.ReplyDeclined | e.HushIssued | e.SpeakingFailed)
    }
    return [turn for turn, at in ended.items() if at - begun[turn] > LONGEST_THOUGHT_SECONDS + 60]


async def day(seed: int) -> None:
    dice = random.Random(seed)
    said = (*(f"{dice.choice(TEXTS)} said {number}" for number in range(12)), "")
    scripts = {"stt": script(dice, said), "mind": script(dice, REPLIES), "voice": script(dice, ("",))}
    async with living(settings=SETTINGS, **scripts) as house:
        typed = await live(house, dice)
        await asyncio.sleep(300)
        events = list(house.events)
        situation = house.prompter.situation
    assert not unclosed(events)
    assert not stuck(events)
    assert not [event for event in events if isinstance(event, e.RoutineCrashed)]
    assert situation.turn is None
    assert not situation.pieces, "words were left unanswered"
    assert sum(event.source == "typed" for event in events if isinstance(event, e.UtteranceHeard)) == typed
    settled = answered(events)
    for utterance in events:
        if isinstance(utterance, e.UtteranceHeard):
            assert utterance.text in settled, "words were neither answered nor declined"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_random_day_leaves_nothing_open(batch: int):
    for seed in range(batch * DAYS // BATCHES, (batch + 1) * DAYS // BATCHES):
        try:
            run_virtual(day(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
