"""Edges of the scheduler's rules that its mutants found untested (`scripts/prove_leasing mutate`)."""

from __future__ import annotations

from agent.events import Seconds
from agent.policy.lease_terms import Died
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


def test_the_smallest_model_can_make_room():
    tiny = Resident(name="ear", footprint_mib=1, reload_seconds=1.0, used_at=Seconds(0.0))
    assert plan_swap("mind", 1, [tiny], free_mib=0).evict == ("ear",)
