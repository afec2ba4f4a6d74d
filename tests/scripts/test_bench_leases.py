"""The bench of the leases: that its hardware is shared fairly, that the other shapes do what their sources say, that it counts right."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.clock import run_virtual
from scripts.bench_leases import figures, overhead
from scripts.bench_leases.__main__ import POLICIES
from scripts.bench_leases.companion import Companion, Outcome, Reply
from scripts.bench_leases.day import DAY_SECONDS, SENTENCES, Conversation, Day, Game, Sentence, Turn, draw
from scripts.bench_leases.hardware import CARDS, EVICT_SECONDS, MODELS, Card, FakeModel, Processor
from scripts.bench_leases.llama_swap import LlamaSwap, matrix
from scripts.bench_leases.ollama import KEEP_ALIVE_SECONDS, Ollama
from scripts.bench_response.figures import Round

MIND, VOICE, EYES = (MODELS[name].load_seconds for name in ("mind", "voice", "eyes"))
SENTENCE = Sentence(write_seconds=0.5, audio_seconds=4.0)
REPLY = (SENTENCE,) * SENTENCES


def now():
    return asyncio.get_running_loop().time()


# --- the hardware ---------------------------------------------------------------------------------------------------


def test_two_at_once_take_twice_as_long_and_whoever_is_left_alone_gets_all():
    async def scenario():
        processor, ended = Processor(), {}

        async def work(name, seconds):
            await processor.work(seconds)
            ended[name] = now()

        await asyncio.gather(work("short", 1.0), work("long", 2.0))
        assert ended == pytest.approx({"short": 2.0, "long": 3.0})

    run_virtual(scenario())


def test_work_that_is_broken_off_gives_its_share_back():
    async def scenario():
        processor = Processor()
        broken = asyncio.create_task(processor.work(100.0))
        whole = asyncio.create_task(processor.work(2.0))
        await asyncio.sleep(2.0)
        broken.cancel()
        await whole
        assert now() == pytest.approx(3.0)

    run_virtual(scenario())


def test_a_slot_remembers_the_last_prompt_it_read():
    model = FakeModel("mind", MODELS["mind"])
    read = [
        model.remembers(text, slots) for text, slots in (("a", 1), ("a", 1), ("b", 1), ("a", 1), ("b", 2), ("a", 2))
    ]
    assert read == [False, True, False, False, False, True]


@pytest.mark.parametrize("gigabytes", CARDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_puts_more_into_the_card_than_it_holds(policy, gigabytes):
    async def scenario():
        card = Card(CARDS[gigabytes])
        load = FakeModel.load

        async def watched(model, form="full"):
            loading = asyncio.ensure_future(load(model, form))
            await asyncio.sleep(0)
            assert card.free_mib() >= 0
            return await loading

        for model in card.models.values():
            model.load = watched.__get__(model)
        day = draw(3)
        morning = replace(day, doings=day.doings[:5], glances=day.glances[:10])
        outcome = await Companion(card, POLICIES[policy](card), morning).live()
        assert outcome.loads > 10

    run_virtual(scenario())


# --- the other shapes -----------------------------------------------------------------------------------------------


class Uses:
    """What asks a policy for models, and when each was served."""

    def __init__(self, policy):
        self.policy, self.served = policy, []

    async def use(self, model, seconds, *, after=0.0):
        await asyncio.sleep(after)
        async with self.policy.use(model, "chore"):
            self.served.append((model, pytest.approx(now())))
            await asyncio.sleep(seconds)


def served(make, *uses, gigabytes="12 GB"):
    async def scenario():
        card = Card(CARDS[gigabytes])
        asked = Uses(make(card))
        await asyncio.gather(*(asked.use(model, seconds, after=after) for model, seconds, after in uses))
        await asked.policy.close()
        return asked.served, card

    return run_virtual(scenario())


def test_ollama_lets_everybody_wait_behind_one_that_does_not_fit():
    busy = [("mind", 60.0, 0.0), ("voice", 60.0, 0.0)]
    log, _ = served(Ollama, *busy, ("eyes", 1.0, 20.0), ("voice", 1.0, 21.0))
    free = MIND + 60.0 + EVICT_SECONDS + EYES
    assert log[2:] == [("eyes", free), ("voice", MIND + VOICE + 60.0)]


def test_ollama_unloads_the_least_recently_used_of_the_idle():
    _, card = served(Ollama, ("mind", 1.0, 0.0), ("voice", 1.0, 20.0), ("mind", 1.0, 40.0), ("eyes", 1.0, 60.0))
    assert {name for name, model in card.models.items() if model.in_memory} == {"mind", "eyes"}


@pytest.mark.parametrize(
    ("keep_alive", "idle", "loads"),
    [(KEEP_ALIVE_SECONDS, 290.0, 1), (KEEP_ALIVE_SECONDS, 310.0, 2), (None, 4000.0, 1)],
)
def test_ollama_keeps_a_model_for_its_keep_alive(keep_alive, idle, loads):
    def make(card):
        return Ollama(card, keep_alive_seconds=keep_alive)

    _, card = served(make, ("mind", 1.0, 0.0), ("mind", 1.0, MIND + 1.0 + idle))
    assert card.loads == loads


@pytest.mark.parametrize(("parallel", "second"), [(1, MIND + 10.0), (4, MIND)])
def test_a_process_works_on_as_many_requests_as_it_has_slots(parallel, second):
    log, _ = served(lambda card: Ollama(card, parallel=parallel), ("mind", 10.0, 0.0), ("mind", 10.0, 1.0))
    assert log == [("mind", MIND), ("mind", second)]


def test_llama_swap_collates_what_is_ready():
    uses = [("mind", 10.0, 0.0), ("voice", 10.0, 6.0), ("mind", 10.0, 7.0), ("voice", 10.0, 8.0)]
    log, card = served(LlamaSwap, *uses)
    second = 7.0 + 10.0 + EVICT_SECONDS + VOICE
    assert log == [("mind", MIND), ("mind", 7.0), ("voice", second), ("voice", second + 10.0)]
    assert card.loads == 2


def test_llama_swap_starts_nothing_for_a_caller_who_hung_up():
    async def scenario():
        card = Card()
        asked = Uses(LlamaSwap(card))
        holder = asyncio.create_task(asked.use("mind", 10.0))
        waiter = asyncio.create_task(asked.use("voice", 1.0, after=6.0))
        await asyncio.sleep(7.0)
        waiter.cancel()
        await holder
        await asyncio.sleep(10.0)
        assert card.loads == 1

    run_virtual(scenario())


def test_the_matrix_stops_what_is_soonest_back():
    uses = [("mind", 1.0, 0.0), ("voice", 1.0, 20.0), ("eyes", 1.0, 40.0)]
    _, card = served(lambda card: LlamaSwap(card, matrix(card)), *uses)
    assert {name for name, model in card.models.items() if model.in_memory} == {"voice", "eyes"}


def test_the_matrix_holds_what_fits():
    async def scenario():
        return [{frozenset(some) for some in matrix(Card(CARDS[card])) if len(some) > 1} for card in ("12 GB", "8 GB")]

    large, small = run_virtual(scenario())
    assert large == {frozenset(pair) for pair in (("mind", "voice"), ("mind", "eyes"), ("voice", "eyes"))}
    assert small == {frozenset(("voice", "eyes"))}


# --- the day and its companion --------------------------------------------------------------------------------------


def test_a_seed_gives_a_day_and_another_another():
    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize("seed", range(20))
def test_days_are_in_order_and_replies_have_six_sentences(seed):
    day = draw(seed)
    moments = [doing.at for doing in day.doings]
    assert moments == sorted(moments)
    assert 0 < moments[0] <= moments[-1] < DAY_SECONDS
    assert {len(turn.reply) for doing in day.doings if isinstance(doing, Conversation) for turn in doing.turns} == {6}


def lived(make, *doings, glances=(), gigabytes="12 GB"):
    async def scenario():
        card = Card(CARDS[gigabytes])
        return await Companion(card, make(card), Day(tuple(doings), tuple(glances), (SENTENCE,))).live()

    return run_virtual(scenario())


def turns(number, *, at, pause=2.0):
    return Conversation(at, (Turn(0.0, 2.0, REPLY), *[Turn(pause, 2.0, REPLY)] * (number - 1)))


def test_a_wait_is_what_loading_and_sharing_add():
    """The first turn loads both and reads all of the prompt; in the second the mind writes on while the voice begins."""
    outcome = lived(Ollama, turns(2, at=100.0))
    assert outcome.waits == pytest.approx([MIND + 0.7 + VOICE, 0.25])


def test_a_lease_keeps_the_card_for_the_first_sound_alone():
    outcome = lived(POLICIES["parley"], turns(4, at=100.0))
    assert outcome.waits[2:] == pytest.approx([0.0, 0.0])


def test_a_sentence_that_is_late_leaves_a_gap():
    async def scenario():
        card = Card()
        warm, reply = (Reply(card, policy, "replying") for policy in [Ollama(card)] * 2)
        await warm.speak((SENTENCE,))
        await reply.speak((SENTENCE, replace(SENTENCE, write_seconds=10.0)))
        return reply.gaps

    # when the first sound is heard, the mind has done 0.25 s of 10; while the voice ends it does 0.75 s in 1.5; 4 s sound meanwhile
    assert run_virtual(scenario()) == pytest.approx(1.5 + 9.0 + 0.25 - 4.0)


def test_the_time_of_a_chore_stands_still_while_the_user_is_there():
    """The screen is looked at while the first reply waits for its models, and again when nobody is there."""
    outcome = lived(Ollama, turns(1, at=100.0), glances=[103.0, 250.0])
    assert len(outcome.chores) == 3  # with the summary
    assert outcome.chores[0] == 0.0
    assert outcome.chores[-1] == pytest.approx(EVICT_SECONDS + EYES)


def test_a_game_waits_until_every_process_is_gone():
    for policy in POLICIES.values():
        outcome = lived(policy, turns(1, at=100.0), Game(700.0, 600.0))
        assert 0.0 < outcome.games[0] <= 2.0


def test_a_turn_after_a_game_finds_the_models_loaded_only_where_somebody_thought_of_it():
    doings = [turns(1, at=100.0), Game(700.0, 600.0), turns(1, at=1400.0)]
    ours, theirs = (lived(POLICIES[name], *doings).waits[1] for name in ("parley", "ollama, tuned"))
    assert ours < theirs == pytest.approx(MIND + 0.7 + VOICE)


# --- the figures ----------------------------------------------------------------------------------------------------


def outcome(wait=1.0, loads=10, chore=1.0, unanswered=0):
    waits = [wait] * 100 + [float("inf")] * unanswered
    return Outcome(waits=waits, gaps=[0.0], unanswered=unanswered, chores=[chore], games=[], loads=loads)


COSTS = {"lock": [Round((1e-6,))] * 3, "light": [Round((3e-6,))] * 3, "heavy": [Round((5e-6,))] * 3}


@pytest.mark.parametrize(
    ("ours", "failed"),
    [
        (outcome(), []),
        (
            outcome(wait=1.1),
            ["12 GB: interactive wait p95, Parley / ollama:", "12 GB: interactive wait p95, Parley / ollama, tuned:"],
        ),
        (outcome(loads=12), ["12 GB: swaps, Parley / llama-swap:"]),
        (outcome(chore=61.0), ["12 GB: 0 of 1 chores served within 60 s of idleness,"]),
        (outcome(unanswered=1), ["12 GB: Parley answered 100 of 101"]),
    ],
)
def test_each_bound_is_told_and_fails_by_itself(ours, failed):
    others = dict.fromkeys(("ollama", "ollama, tuned", "llama-swap", "llama-swap, tuned"), outcome(wait=4.0, loads=10))
    _, verdicts = figures.report({"12 GB": {"parley": ours, **others}}, COSTS)
    wrong = [verdict.text for verdict in verdicts if not verdict.holds]
    assert len(wrong) == len(failed) + 1
    assert all(text.startswith(start) for text, start in zip(wrong, failed, strict=False))
    assert wrong[-1].startswith("lease of a heavy model: 5.0 times a lock")


def test_a_turn_that_was_refused_waits_for_ever():
    assert figures.wait(outcome(unanswered=50), 95) == float("inf")


def test_lock_and_leases_are_timed_by_turns():
    found = overhead.measure(rounds=2)
    assert {name: len(rounds) for name, rounds in found.items()} == {"lock": 2, "light": 2, "heavy": 2}
    assert found["lock"][0].given[0] < found["light"][0].given[0]


def test_the_script_finds_this_bench():
    script = Path(__file__).parents[2] / "scripts" / "bench"
    asked = subprocess.run(
        [script, "leases", "--help"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "scripts/bench leases" in asked.stdout
