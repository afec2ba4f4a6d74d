"""Edges of the scheduler's rules that its mutants found untested (`scripts/prove_leasing mutate`)."""

from __future__ import annotations

from agent.events import Seconds
from agent.policy.lease_terms import Died, Suspend
from agent.policy.restarting import RestartRules
from agent.policy.swapping import Resident, plan_swap
from tests.agent.policy.lease_desk import Desk, heavy, light


def test_a_light_model_that_loads_does_not_even_hold_up_a_chore():
    desk = Desk(heavy("mind"), light("stt"))
    desk.resident("mind")
    desk.ask("stt", kind="hearing")
    assert desk.holds(desk.ask("mind", kind="chore"))


def test_a_model_that_was_refused_for_want_of_room_may_be_asked_for_again():
    desk = Desk(heavy("mind"))
    desk.ask("mind")
    desk.measured("mind", 0)
    assert desk.phase("mind") == "absent"
    second = desk.ask("mind")
    desk.load("mind")
    assert desk.holds(second)


def test_a_model_that_ran_long_enough_is_well_again():
    rules = RestartRules(first_seconds=5.0, healthy_seconds=60.0, limit=None)
    desk = Desk(heavy("mind"), restarts=rules)
    for ran_seconds, pause_seconds in ((0.0, 5.0), (59.0, 10.0), (60.0, 5.0)):
        desk.now += 20.0  # any pause is over
        desk.resident("mind")
        desk.now += ran_seconds
        desk.happen(Died(Seconds(desk.now), "mind", "killed"))
        assert desk.state.models[0].retry_at == desk.now + pause_seconds


def test_while_someone_waits_for_half_done_work_nobody_begins_before_that_is_finished():
    desk = Desk(heavy("mind"), heavy("voice"), heavy("stt"), guess_mib=8000)
    desk.resident("mind", "voice", footprint_mib=4000)
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.check(mind)
    desk.ask("stt", kind="hearing", within=5)
    fresh = desk.ask("voice", within=10)
    desk.measured("stt", 0)
    desk.leave(voice)
    desk.measured("stt", 0)
    assert desk.phase("stt") == "blocked"
    assert (desk.holds(mind), desk.holds(fresh)) == (True, False)


def test_what_was_held_before_a_checkpoint_counts_from_the_grant():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    desk.now = 2.0
    mind = desk.ask("mind")
    desk.ask("voice", within=2)
    desk.now = 3.0
    assert desk.check(mind, within=3)[0] == Suspend(mind, 1.0)


def test_the_smallest_model_can_make_room():
    tiny = Resident(name="ear", footprint_mib=1, reload_seconds=1.0, used_at=Seconds(0.0))
    assert plan_swap("mind", 1, [tiny], free_mib=0).evict == ("ear",)
