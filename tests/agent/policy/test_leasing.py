"""The rules of the scheduler: told one by one, then explored, then walked at random."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from agent.events import Seconds
from agent.policy.lease_queue import queue, wakes_at
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Closed,
    Died,
    Evict,
    Evicted,
    Foreseen,
    Grant,
    Left,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Measured,
    Pressed,
    Release,
    Relieved,
    Skip,
    State,
    TimePassed,
)
from agent.policy.lease_words import why_waiting
from agent.policy.restarting import RestartRules
from tests.agent.policy.lease_desk import PLENTY, Desk, heavy, light
from tests.agent.policy.lease_worlds import SMALL, World, advance, answers, explore, settle, world

# --- loading and granting -------------------------------------------------------------------------------------------


def test_a_model_is_loaded_on_demand_and_then_granted():
    desk = Desk(heavy("mind"))
    desk.now = 1.0
    number = desk.ask("mind")
    assert desk.effects == [Measure("mind")]
    desk.measured("mind", PLENTY)
    assert desk.effects[1:] == [Load("mind", "full")]
    desk.now = 4.0
    desk.happen(Loaded(Seconds(4.0), "mind", True, 100))
    assert desk.effects[2:] == [Grant(number, 3.0, 3.0, light=False)]


def test_a_resident_model_is_granted_in_the_same_step():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    desk.now = 5.0
    number = desk.ask("mind")
    assert desk.effects == [Grant(number, 0.0, 0.0, light=False)]
    assert desk.leave(number) == (Release(number, 0.0),)


def test_loading_counts_only_from_when_it_was_asked_for():
    desk = Desk(heavy("mind"))
    desk.happen(Foreseen(Seconds(0.0), "mind"))
    desk.measured("mind", PLENTY)
    desk.now = 2.0
    number = desk.ask("mind")
    desk.now = 5.0
    desk.load("mind")
    assert Grant(number, 3.0, 3.0, light=False) in desk.effects


def test_two_heavy_leases_are_never_held_at_once():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    first, second = desk.ask("mind"), desk.ask("voice")
    assert desk.holds(first)
    assert not desk.holds(second)
    desk.leave(first)
    assert desk.holds(second)


def test_a_second_lease_of_the_same_heavy_model_waits_too():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    first, second = desk.ask("mind"), desk.ask("mind")
    assert (desk.holds(first), desk.holds(second)) == (True, False)


def test_light_models_pass_at_once_and_together():
    desk = Desk(heavy("mind"), light("stt"))
    desk.resident("mind")
    desk.ask("mind")
    one, two = desk.ask("stt", kind="hearing"), desk.ask("stt", kind="hearing")
    assert desk.phase("stt") == "loading"
    desk.load("stt", heavy=False)
    assert desk.holds(one)
    assert desk.holds(two)


def test_a_light_model_loads_while_a_heavy_one_loads():
    desk = Desk(heavy("mind"), light("stt"))
    desk.ask("mind")
    desk.measured("mind", PLENTY)
    desk.ask("stt")
    assert (desk.phase("mind"), desk.phase("stt")) == ("loading", "loading")


def test_a_light_model_that_loads_holds_up_no_heavy_one():
    desk = Desk(heavy("mind"), light("stt"))
    desk.resident("mind")
    desk.ask("stt", kind="hearing")
    assert desk.holds(desk.ask("mind"))


def test_the_setting_has_the_last_word_on_what_is_heavy():
    desk = Desk(light("stt"))
    desk.ask("stt")
    desk.load("stt", heavy=True)
    assert not desk.state.models[0].heavy


def test_an_unknown_model_counts_as_heavy_until_it_says_otherwise():
    desk = Desk(heavy("mind"), heavy("voice", setting=None))
    desk.resident("mind")
    held = desk.ask("mind")
    number = desk.ask("voice")
    desk.load("voice", heavy=False)
    assert desk.holds(held)
    assert desk.holds(number)


def test_heavy_models_are_loaded_one_after_the_other():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.ask("mind")
    desk.ask("voice")
    desk.load("mind")
    assert desk.effects.count(Measure("voice")) == 1
    assert desk.effects.index(Measure("voice")) > desk.effects.index(Load("mind", "full"))


def test_the_most_urgent_model_is_loaded_first():
    desk = Desk(heavy("stt"), heavy("mind"), heavy("voice"))
    desk.happen(Foreseen(Seconds(0.0), "stt"))
    desk.measured("stt", PLENTY)
    desk.ask("mind", within=20)
    desk.ask("voice", within=5)
    desk.load("stt")
    assert desk.phase("voice") == "measuring"


def test_the_next_model_loads_while_a_lease_is_held():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind")
    held = desk.ask("mind")
    desk.ask("voice")
    desk.measured("voice", PLENTY)
    assert desk.phase("voice") == "loading"
    assert desk.holds(held)


# --- the queue ------------------------------------------------------------------------------------------------------


def test_the_earliest_deadline_goes_first():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    held, later, sooner = desk.ask("mind"), desk.ask("mind", within=9), desk.ask("voice", within=3)
    desk.leave(held)
    assert (desk.holds(sooner), desk.holds(later)) == (True, False)


def test_what_is_due_sooner_goes_first_though_its_deadline_is_later():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    held, first, second = desk.ask("mind"), desk.ask("mind", within=9), desk.ask("voice", within=60, due=3)
    desk.leave(held)
    assert (desk.holds(second), desk.holds(first)) == (True, False)


def test_people_go_before_remarks_and_remarks_before_chores():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    held = desk.ask("mind")
    chore, remark = desk.ask("mind", kind="chore", within=1), desk.ask("mind", kind="remark", within=2)
    reply = desk.ask("mind", within=15)
    assert [request.number for request in queue(desk.state, Seconds(0.0))] == [reply, remark, chore]
    desk.leave(held)
    assert desk.holds(reply)


def test_a_chore_that_has_waited_long_enough_counts_as_urgent():
    desk = Desk(heavy("mind"), chore_ages_seconds=30)
    desk.resident("mind")
    held = desk.ask("mind")
    chore = desk.ask("mind", kind="chore", within=45)
    desk.now = 29.0
    reply = desk.ask("mind", within=20)
    assert [request.number for request in queue(desk.state, Seconds(29.0))] == [reply, chore]
    desk.now = 30.0
    desk.leave(held)
    assert desk.holds(chore)


def test_a_chore_does_not_starve_under_a_stream_of_replies():
    desk = Desk(heavy("mind"), chore_ages_seconds=30)
    desk.resident("mind")
    held = desk.ask("mind")
    chore = desk.ask("mind", kind="chore", within=600)
    while not desk.holds(chore):
        desk.now += 1.0
        following = desk.ask("mind")
        desk.leave(held)
        held = following
    assert desk.now == 30.0


def test_while_the_first_of_the_queue_loads_another_of_its_kind_may_run():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("voice")
    desk.ask("mind", within=1)
    desk.measured("mind", PLENTY)
    assert desk.holds(desk.ask("voice", within=20))


def test_a_chore_does_not_start_in_front_of_someone_whose_model_loads():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("voice")
    reply = desk.ask("mind")
    chore = desk.ask("voice", kind="chore")
    desk.load("mind")
    assert (desk.holds(reply), desk.holds(chore)) == (True, False)


# --- the end of a lease ---------------------------------------------------------------------------------------------


def test_a_request_is_refused_at_its_deadline_and_told_why():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    desk.ask("mind", owner="thinking")
    voice = desk.ask("voice", within=2)
    assert wakes_at(desk.state, Seconds(0.0)) == 2.0
    desk.wait(2.0)
    assert desk.refusal(voice).cause == "expired"
    assert "thinking holds the mind" in desk.refusal(voice).reason


def test_a_request_that_is_withdrawn_leaves_no_trace():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    held = desk.ask("mind")
    before = desk.state
    number = desk.ask("voice")
    assert desk.leave(number) == ()
    assert desk.state == before
    assert desk.holds(held)


def test_one_who_leaves_twice_disturbs_nobody():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    first, second = desk.ask("mind"), desk.ask("mind")
    desk.leave(first)
    desk.leave(first)
    assert desk.holds(second)


def test_a_load_that_nobody_wants_any_more_completes_and_stays():
    desk = Desk(heavy("mind"))
    number = desk.ask("mind")
    desk.measured("mind", PLENTY)
    desk.leave(number)
    desk.load("mind")
    assert desk.phase("mind") == "resident"


def test_a_model_that_nobody_wants_any_more_is_not_loaded():
    desk = Desk(heavy("mind"))
    number = desk.ask("mind")
    desk.leave(number)
    assert desk.measured("mind", PLENTY) == ()
    assert desk.phase("mind") == "absent"


def test_a_lease_held_too_long_ends_with_its_process_and_only_then():
    desk = Desk(heavy("mind"), heavy("voice"), hold_seconds=60)
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind"), desk.ask("voice", within=100)
    assert wakes_at(desk.state, Seconds(0.0)) == 60.0
    desk.wait(60.0)
    assert desk.effects[-1] == Evict("mind", "someone held it for 60 s without a word")
    assert not desk.holds(voice), "the process may still be running"
    desk.leave(mind)
    assert not desk.holds(voice)
    desk.now = 61.0
    desk.evicted("mind")
    assert desk.effects[-2:] == [Release(mind, 61.0), Grant(voice, 61.0, 0.0, light=False)]


def test_checkpoints_renew_the_bound_of_a_lease():
    desk = Desk(heavy("mind"), hold_seconds=60)
    desk.resident("mind")
    mind = desk.ask("mind")
    desk.now = 50.0
    desk.check(mind)
    desk.wait(59.0)
    assert desk.holds(mind)


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_while_leased_frees_the_lease_at_once():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.now = 1.0
    effects = desk.happen(Died(Seconds(1.0), "mind", "killed"))
    assert effects == (Release(mind, 1.0), Grant(voice, 1.0, 0.0, light=False))
    assert desk.leave(mind) == ()
    assert desk.holds(voice)


def test_the_next_lease_after_a_death_loads_a_fresh_one_at_once():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    number = desk.ask("mind")
    assert desk.phase("mind") == "measuring"
    desk.load("mind")
    assert desk.holds(number)


def test_repeated_deaths_are_backed_off():
    desk = Desk(heavy("mind"))
    for _ in range(3):
        desk.resident("mind")
        desk.happen(Died(Seconds(desk.now), "mind", "killed"))
        desk.now += 0.5
    desk.happen(Foreseen(Seconds(desk.now), "mind"))
    desk.load("mind")
    desk.happen(Died(Seconds(desk.now), "mind", "killed"))
    number = desk.ask("mind")
    assert desk.phase("mind") == "absent"
    assert wakes_at(desk.state, Seconds(desk.now)) == desk.now + 0.4
    assert "down after 4 failures" in why_waiting(desk.state, desk.state.waiting[0])
    desk.wait(0.4)
    desk.load("mind")
    assert desk.holds(number)


def test_while_a_model_is_backed_off_another_of_its_kind_may_run():
    desk = Desk(heavy("mind"), heavy("voice"), restarts=RestartRules(first_seconds=5, limit=None))
    desk.resident("mind", "voice")
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.ask("mind", within=1)
    assert desk.holds(desk.ask("voice"))


def test_a_load_that_fails_is_told_to_all_who_wait_for_it():
    desk = Desk(heavy("mind"))
    first, second = desk.ask("mind"), desk.ask("mind")
    desk.measured("mind", PLENTY)
    desk.happen(LoadFailed(Seconds(0.0), "mind", "no such file"))
    assert [desk.refusal(number).cause for number in (first, second)] == ["load_failed"] * 2
    assert desk.effects[2] == Evict("mind", "no such file")


def test_a_load_that_hangs_is_ended_at_its_bound():
    desk = Desk(heavy("mind"), load_seconds=10)
    number = desk.ask("mind", within=50)
    desk.measured("mind", PLENTY)
    assert wakes_at(desk.state, Seconds(0.0)) == 10.0
    desk.wait(10.0)
    assert desk.refusal(number).cause == "load_hung"
    assert desk.phase("mind") == "evicting"


def test_answers_that_come_too_late_are_ignored():
    desk = Desk(heavy("mind"), load_seconds=10)
    desk.ask("mind", within=50)
    desk.measured("mind", PLENTY)
    desk.wait(10.0)
    state = desk.state
    for late in (
        Loaded(Seconds(10.0), "mind", True, 0),
        LoadFailed(Seconds(10.0), "mind", ""),
        Died(Seconds(10.0), "mind", ""),
        Measured(Seconds(10.0), "mind", 5),
    ):
        assert desk.happen(late) == ()
        assert desk.state == state
    desk.evicted("mind")
    assert desk.happen(Evicted(Seconds(10.0), "mind")) == ()


# --- memory ---------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_beside_an_idle_model_takes_its_place():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("voice", "mind", footprint_mib=6000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    number = desk.ask("mind")
    assert desk.measured("mind", 5000) == (Evict("voice", "made room for the mind"),)
    desk.evicted("voice")
    assert desk.measured("mind", 11000) == (Load("mind", "full"),)
    desk.load("mind")
    assert desk.holds(number)


def test_what_does_not_fit_beside_a_leased_model_waits_for_the_lease():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("voice", "mind", footprint_mib=6000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    voice, mind = desk.ask("voice"), desk.ask("mind")
    assert desk.measured("mind", 5000) == ()
    assert "in use" in why_waiting(desk.state, desk.state.waiting[0])
    assert desk.check(voice) == (Measure("mind"),), "the holder goes on"
    desk.measured("mind", 5000)
    desk.leave(voice)
    assert Evict("voice", "made room for the mind") in desk.measured("mind", 5000)
    desk.evicted("voice")
    desk.load("mind")
    assert desk.holds(mind)


def test_a_model_that_someone_more_urgent_waits_for_is_not_evicted():
    desk = Desk(heavy("mind"), heavy("voice"), heavy("stt"))
    desk.resident("mind", "voice", footprint_mib=4000)
    desk.ask("mind")
    desk.ask("voice", within=1)
    desk.ask("stt", within=5)
    assert desk.measured("stt", 0) == ()
    assert desk.phase("stt") == "blocked"


def test_a_load_that_cannot_fit_is_refused_before_it_starts():
    desk = Desk(heavy("mind"), reserve_mib=500)
    desk.resident("mind", footprint_mib=6000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    number = desk.ask("mind")
    desk.measured("mind", 6499)
    assert desk.refusal(number).cause == "no_room"
    assert Load("mind", "full") not in desk.effects


def test_unreadable_memory_means_no():
    desk = Desk(heavy("mind"))
    number = desk.ask("mind")
    desk.measured("mind", None)
    assert "cannot be read" in desk.refusal(number).reason


def test_a_foreseen_model_is_loaded_only_into_free_room():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("voice", "mind", footprint_mib=6000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.happen(Foreseen(Seconds(0.0), "mind"))
    (skipped,) = desk.measured("mind", 5000)
    assert isinstance(skipped, Skip)
    assert desk.phase("voice") == "resident"
    desk.happen(Foreseen(Seconds(0.0), "mind"))
    assert desk.measured("mind", 6000) == (Load("mind", "full"),)


# --- idling and closing ---------------------------------------------------------------------------------------------


def test_an_idle_heavy_model_is_unloaded_exactly_when_its_time_is_over():
    desk = Desk(heavy("mind"), idle_seconds=900)
    desk.resident("mind")
    number = desk.ask("mind")
    desk.now = 5.0
    desk.leave(number)
    assert wakes_at(desk.state, Seconds(5.0)) == 905.0
    assert desk.wait(899.0) == ()
    assert desk.wait(1.0) == (Evict("mind", "nobody used it for 900 s"),)


def test_a_leased_a_light_and_an_immortal_model_do_not_idle():
    desk = Desk(heavy("mind"), light("stt"), idle_seconds=900)
    desk.resident("mind", "stt")
    desk.ask("mind")
    assert desk.wait(100.0) == ()
    assert wakes_at(desk.state, Seconds(100.0)) == 120.0, "only the lease has a bound"
    immortal = Desk(heavy("mind"), idle_seconds=0)
    immortal.resident("mind")
    assert wakes_at(immortal.state, Seconds(0.0)) is None


def test_a_sign_that_it_will_be_needed_keeps_a_model():
    desk = Desk(heavy("mind"), idle_seconds=900)
    desk.resident("mind")
    desk.now = 800.0
    assert desk.happen(Foreseen(Seconds(800.0), "mind")) == ()
    assert wakes_at(desk.state, Seconds(800.0)) == 1700.0


def test_closing_refuses_who_waits_and_ends_what_is_loaded():
    desk = Desk(heavy("mind"), heavy("voice"), light("stt"))
    desk.resident("mind", "stt")
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.happen(Closed(Seconds(0.0)))
    assert desk.refusal(voice).cause == "closed"
    assert {effect.model for effect in desk.effects if isinstance(effect, Evict)} == {"mind", "stt"}
    late = desk.ask("mind")
    assert desk.refusal(late).cause == "closed"
    desk.evicted("mind")
    assert Release(mind, 0.0) in desk.effects


def test_what_was_foreseen_while_its_process_ended_is_not_loaded_after_the_end():
    desk = Desk(heavy("mind"), idle_seconds=5)
    desk.resident("mind")
    desk.wait(5.0)
    desk.happen(Foreseen(Seconds(5.0), "mind"))
    desk.happen(Closed(Seconds(5.0)))
    desk.evicted("mind")
    assert desk.phase("mind") == "absent"


# --- every state of small worlds ------------------------------------------------------------------------------------


WORLDS = {
    "they fit together": world(
        heavy("mind"), heavy("voice"), asks=[("mind", "replying", 3), ("voice", "replying", 3)], checks=1, mishaps=1
    ),
    "only one fits": world(
        heavy("mind"), heavy("voice"), asks=[("mind", "replying", 4), ("voice", "chore", 4)], total_mib=6, checks=1
    ),
    "three requests, two models": world(
        heavy("mind"),
        heavy("voice"),
        asks=[("mind", "chore", 9), ("voice", "replying", 9), ("mind", "replying", 9)],
        total_mib=6,
        checks=2,
    ),
    "three models, two fit": world(
        heavy("mind"),
        heavy("voice"),
        heavy("stt", setting=None),
        asks=[("mind", "replying", 9), ("voice", "remark", 9), ("stt", "hearing", 9)],
        checks=1,
        foresights=1,
    ),
    "others need the memory": world(
        heavy("mind", "full", "light"),
        heavy("voice"),
        asks=[("mind", "replying", 4), ("voice", "replying", 4)],
        checks=1,
        presses=2,
    ),
    "the memory runs out": world(
        heavy("mind", "full", "smaller", "light"),
        heavy("voice", "full", "smaller"),
        asks=[("mind", "replying", 5), ("voice", "replying", 5)],
        mishaps=2,
        limits=replace(SMALL, may_degrade=True, budget_mib=8),
    ),
    "only one fits, and a swap may pay": world(
        heavy("mind"),
        heavy("voice"),
        asks=[("mind", "replying", 9), ("voice", "replying", 9)],
        total_mib=6,
        checks=2,
        rests=(0.0, 9.0),
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_within_reach_is_safe_and_comes_to_rest(name):
    visited, _ = explore(WORLDS[name], most=2500)
    assert visited > 500


# --- long walks -----------------------------------------------------------------------------------------------------


class Walk(RuleBasedStateMachine):
    """Anyone asks for anything at any time; the rules of `advance` must hold, and in the end all must come to rest."""

    def __init__(self):
        super().__init__()
        models = (
            heavy("mind", "full", "smaller", "light"),
            heavy("voice", "full", "light"),
            heavy("stt", setting=None),
            light("ear"),
        )
        sizes = (("mind", 5), ("voice", 4), ("stt", 3), ("ear", 0))
        self.world = World(State(models=models, limits=replace(SMALL, may_degrade=True)), (), sizes, total_mib=9)
        self.numbers = itertools.count(1)

    @property
    def now(self):
        return Seconds(self.world.now)

    def happen(self, happening):
        world, self.world = self.world, None  # so that a broken one is not walked to its rest
        self.world = advance(world, happening)

    @rule(
        model=st.sampled_from(["mind", "voice", "stt", "ear"]),
        kind=st.sampled_from(["hearing", "replying", "remark", "chore"]),
        patience=st.integers(1, 9),
    )
    def ask(self, model, kind, patience):
        deadline = Seconds(self.now + patience)
        self.happen(Asked(self.now, next(self.numbers), model, model, kind, deadline, deadline))

    @precondition(lambda self: self.world.state.waiting)
    @rule(data=st.data())
    def withdraw(self, data):
        request = data.draw(st.sampled_from(self.world.state.waiting))
        self.happen(Left(self.now, request.number))

    @precondition(lambda self: self.world.state.leases)
    @rule(data=st.data(), within=st.none() | st.integers(1, 5), rest_seconds=st.sampled_from([0.0, 1.0, 9.0]))
    def check(self, data, within, rest_seconds):
        lease = data.draw(st.sampled_from(self.world.state.leases))
        deadline = None if within is None else Seconds(self.now + within)
        self.happen(Checked(self.now, lease.request.number, next(self.numbers), deadline, rest_seconds))

    @precondition(lambda self: answers(self.world))
    @rule(data=st.data())
    def answer(self, data):
        self.happen(data.draw(st.sampled_from(answers(self.world))))

    @precondition(lambda self: any(home.phase == "loading" for home in self.world.state.models))
    @rule(out_of_memory=st.booleans())
    def fail_a_load(self, out_of_memory):
        name = next(home.name for home in self.world.state.models if home.phase == "loading")
        self.happen(LoadFailed(self.now, name, "broken", out_of_memory=out_of_memory))

    @precondition(lambda self: any(home.phase == "resident" for home in self.world.state.models))
    @rule(data=st.data())
    def die(self, data):
        there = [home.name for home in self.world.state.models if home.phase == "resident"]
        self.happen(Died(self.now, data.draw(st.sampled_from(there)), "killed"))

    @rule(name=st.sampled_from(["mind", "voice", "stt", "ear"]))
    def foresee(self, name):
        self.happen(Foreseen(self.now, name))

    @rule(there_is_room=st.booleans())
    def press_or_relieve(self, there_is_room):
        self.happen(Relieved(self.now) if there_is_room else Pressed(self.now, "a game runs"))

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds):
        for _ in range(seconds):
            self.happen(TimePassed(Seconds(self.now + 1)))

    def teardown(self):
        here, steps = self.world, 0
        while here is not None:
            here, steps = settle(here), steps + 1
            assert steps < 300, "it does not come to rest"


Walk.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestWalk = Walk.TestCase
