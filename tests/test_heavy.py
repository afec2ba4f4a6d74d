"""Mind and voice both heavy, on virtual time: a long reply, where both fit into the memory and where only one does.

The engines are fakes that keep a pace: so many seconds for a word, so many for a tenth of a second of sound.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent import events as e
from agent.clock import run_virtual
from agent.engines.api import Piece, Speak
from agent.engines.scripted import Script
from agent.journal import Journal
from agent.policy.history import Message
from agent.settings import Settings, VramSettings
from scripts.bench_heavy.answers import Answer, answered, cut, overlaps
from tests.conversation import read_journal
from tests.virtual_house import VirtualHouse, living, unclosed

REPLY = (
    "One morning the kettle sang to the garden gate. Nobody there could say which song it was. "
    "A neighbour thought of rain on tin roofs. Another heard trains that left before the war. "
    "The cat asked for milk and slept at once. So the tea was poured and the day began."
)
SENTENCES = cut(REPLY)
MIND_MIB, VOICE_MIB = 5000, 3000
UNBOUNDED, ROOM_FOR_ONE = 0, 6000


@dataclass(frozen=True)
class Engines:
    """The paces and the loads of a mind and a voice, in seconds."""

    word: float
    tenth_of_sound: float = 0.03
    mind_load: float = 4.0
    voice_load: float = 2.0

    @property
    def scripts(self) -> dict[str, Script]:
        sizes = {"heavy": True, "load_seconds": self.mind_load, "vram_mib": MIND_MIB}
        mind = Script(answers=(REPLY,), delay_seconds=self.word, **sizes)
        sizes |= {"load_seconds": self.voice_load, "vram_mib": VOICE_MIB}
        return {"mind": mind, "voice": Script(delay_seconds=self.tenth_of_sound, **sizes)}


ON_A_CPU = Engines(word=0.1)
"""Ten words a second; two more loads take six seconds, which is more than a reply does."""
SLOW = Engines(word=0.3, mind_load=0.5, voice_load=0.5)
"""Two more loads take a second, and the rest of a reply ten."""


@dataclass
class Told:
    house: VirtualHouse
    journal: list[dict[str, object]]
    answers: list[Answer]
    whole_reply_first: float
    """Seconds until the first sample if the whole reply is taken first, on the same engines."""


def lived(folder: Path, engines: Engines, budget_mib: int, turns: int = 3) -> Told:
    """Ask so often, each time when the last answer has been heard."""

    async def main():
        settings = Settings(vram=VramSettings(reserve_mib=0, budget_mib=budget_mib))
        async with living(settings=settings, **engines.scripts) as house:
            path = folder / "journal.jsonl"
            with closing(Journal(path, started=house.clock.wall(), digest="", content="everywhere")) as journal:
                house.bus.tap(journal.take)
                for _ in range(turns):
                    house.type("tell me a story")
                    await asyncio.sleep(50)
            seconds = await whole_reply_first(house)
            lines = read_journal(path)
            return Told(house, lines, answered(lines), seconds)

    return run_virtual(main())


async def whole_reply_first(house: VirtualHouse) -> float:
    """The other shape, on models that are loaded: the reply to its end, then the voice."""
    await asyncio.gather(*(model.load() for model in (house.mind, house.voice)))
    began = house.clock.now()
    results = [result async for result in house.mind.reply([Message("user", "tell me a story")])]
    reply = "".join(result.text for result in results if isinstance(result, Piece))
    await anext(house.voice.speak(Speak(text=cut(reply)[0])))
    return house.clock.now() - began


@pytest.fixture(scope="module")
def alternating(tmp_path_factory):
    return lived(tmp_path_factory.mktemp("both"), ON_A_CPU, UNBOUNDED)


@pytest.fixture(scope="module")
def finishing(tmp_path_factory):
    return lived(tmp_path_factory.mktemp("one"), ON_A_CPU, ROOM_FOR_ONE)


@pytest.fixture(scope="module")
def swapping(tmp_path_factory):
    return lived(tmp_path_factory.mktemp("one-slow"), SLOW, ROOM_FOR_ONE)


@pytest.mark.parametrize("way", ["alternating", "finishing", "swapping"])
def test_every_word_is_written_and_spoken_once_and_in_order(way, request):
    told = request.getfixturevalue(way)
    assert [event.text for event in told.house.of(e.SentenceReady)] == SENTENCES * 3
    assert [answer.spoken for answer in told.answers] == [REPLY] * 3
    assert not unclosed(told.house.events)


@pytest.mark.parametrize("way", ["alternating", "finishing", "swapping"])
def test_no_heavy_lease_begins_before_another_has_ended(way, request):
    intervals, early = overlaps(request.getfixturevalue(way).journal)
    assert intervals >= 3 * 7
    assert not early


@pytest.mark.parametrize("way", ["alternating", "finishing", "swapping"])
def test_the_stages_of_a_turn_add_up_to_the_time_until_it_sounds(way, request):
    for answer in request.getfixturevalue(way).answers:
        stages = dict(answer.stages)
        assert stages.pop("total_ms") == pytest.approx(1000 * answer.first_sound)
        assert sum(stages.values()) == pytest.approx(1000 * answer.first_sound)


# --- both fit -------------------------------------------------------------------------------------------------------


def test_where_both_fit_it_sounds_after_the_first_sentence_and_never_runs_dry(alternating):
    assert all(answer.first_sound < answer.second_sentence for answer in alternating.answers)
    assert [answer.underruns for answer in alternating.answers] == [0, 0, 0]
    assert [answer.loads for answer in alternating.answers] == [0, 0, 0]


def test_where_both_fit_it_sounds_in_half_the_time_of_the_whole_reply_or_less(alternating):
    assert max(answer.first_sound for answer in alternating.answers) <= 0.5 * alternating.whole_reply_first


# --- one fits -------------------------------------------------------------------------------------------------------


def test_a_reply_that_is_short_beside_two_loads_is_finished_first(finishing):
    _, *later = finishing.answers
    assert [answer.loads for answer in later] == [2, 2]
    assert all("finishes first" in reason for answer in later for reason in answer.weighed)
    loads = ON_A_CPU.mind_load + ON_A_CPU.voice_load
    assert [answer.first_sound for answer in later] == pytest.approx([loads + finishing.whole_reply_first] * 2)


def test_a_reply_that_is_long_beside_two_loads_is_swapped_out_once(swapping):
    first, *later = swapping.answers
    assert [answer.loads for answer in swapping.answers] == [1, 4, 4]  # the first time nothing is known of the voice
    assert [len(answer.weighed) for answer in later] == [1, 1]
    assert all("makes room" in answer.weighed[0] for answer in later)
    loads = SLOW.mind_load + SLOW.voice_load
    assert all(answer.first_sound < first.first_sound < loads + swapping.whole_reply_first for answer in later)


def test_after_a_swap_the_reply_goes_on_from_its_own_words(swapping):
    begun = [text for text in swapping.house.mind.begun if text]
    assert len(begun) == 2
    assert all(REPLY.startswith(text) and text.startswith(SENTENCES[0]) for text in begun)


def test_loading_is_told_apart_from_waiting_and_from_computing(finishing, swapping):
    for engines, answer in ((ON_A_CPU, finishing.answers[-1]), (SLOW, swapping.answers[-1])):
        stages = answer.stages
        words = len(SENTENCES[0].split())
        assert stages["model_load_ms"] == pytest.approx(1000 * (engines.mind_load + engines.voice_load))
        assert stages["first_token_ms"] == pytest.approx(2000 * engines.word)  # the prompt's result, and the first word
        assert stages["first_sentence_ms"] == pytest.approx(1000 * engines.word * words)  # and the word behind it
        assert stages["first_audio_ms"] == pytest.approx(1000 * engines.tenth_of_sound)
    assert swapping.answers[-1].stages["lease_wait_ms"] == pytest.approx(0, abs=1e-6)
    rest_seconds = ON_A_CPU.word * (len(REPLY.split()) - len(SENTENCES[0].split()) - 1)
    assert finishing.answers[-1].stages["lease_wait_ms"] == pytest.approx(1000 * rest_seconds)
