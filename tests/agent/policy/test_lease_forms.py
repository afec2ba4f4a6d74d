"""As what models are loaded: less when the memory runs out, light while Parley yields, and at their best again."""

from __future__ import annotations

import pytest

from agent.events import Seconds
from agent.policy.lease_queue import wakes_at
from agent.policy.lease_terms import Closed, Died, Evict, Foreseen, Grant, Load, Loaded, LoadFailed, Release, Skip
from agent.policy.lease_words import why_waiting
from tests.agent.policy.lease_desk import PLENTY, Desk, heavy, light

# --- the memory runs out --------------------------------------------------------------------------------------------


def crowded(*forms, **limits) -> tuple[Desk, int]:
    """The voice is loaded and idle, and the mind, of these forms, is being loaded for someone."""
    desk = Desk(heavy("mind", *forms), heavy("voice"), **limits)
    desk.resident("voice", footprint_mib=4000)
    number = desk.ask("mind", within=500)
    desk.measured("mind", PLENTY)
    desk.effects.clear()
    return desk, number


def test_a_load_that_runs_out_of_memory_is_tried_again_smaller_with_the_others_gone():
    desk, number = crowded("full", "smaller")
    assert desk.out_of_memory("mind") == (
        Evict("mind", "ran out of memory: it is loaded again (smaller)"),
        Evict("voice", "made room for the mind, which ran out of memory"),
    )
    assert why_waiting(desk.state, desk.state.waiting[0]) == "the mind's process is being ended"
    desk.evicted("mind")
    desk.evicted("voice")
    assert desk.measured("mind", PLENTY) == (Load("mind", "smaller"),)
    desk.load("mind", footprint_mib=3000)
    assert desk.holds(number)
    assert desk.home("mind").footprint_mib == 3000


def test_where_less_is_too_much_too_it_is_refused_with_what_was_tried():
    desk, number = crowded("full", "smaller", "light")
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.evicted("voice")
    desk.measured("mind", PLENTY)
    desk.out_of_memory("mind")
    refused = desk.refusal(number)
    assert refused.cause == "no_room"
    assert refused.reason == (
        "The mind ran out of memory when it was loaded (full, then smaller), and nothing more can be ended for it."
    )
    assert desk.home("mind").health.in_a_row == 1


def test_the_settings_may_allow_a_light_form_in_the_end():
    desk, number = crowded("full", "smaller", "light", may_degrade=True)
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.evicted("voice")
    desk.measured("mind", PLENTY)
    desk.out_of_memory("mind")
    assert desk.refusal(number) is None
    desk.evicted("mind")
    assert desk.effects[-1] == Load("mind", "light")
    desk.load("mind", heavy=True, footprint_mib=70)
    assert desk.effects[-1] == Grant(number, 0.0, 0.0, light=True)
    assert (desk.home("mind").heavy, desk.home("mind").footprint_mib) == (False, 0)


@pytest.mark.parametrize("may_degrade", [False, True])
def test_what_has_no_smaller_form_is_tried_once_more_where_others_make_room(may_degrade):
    desk, number = crowded("full", "light", may_degrade=may_degrade)
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.evicted("voice")
    assert desk.measured("mind", PLENTY) == (Load("mind", "full"),)
    desk.out_of_memory("mind")
    desk.evicted("mind")
    if may_degrade:
        assert desk.effects[-1] == Load("mind", "light")
    else:
        assert desk.refusal(number).cause == "no_room"


def test_what_is_in_use_stays_when_a_load_runs_out_of_memory():
    desk, _ = crowded("full", "smaller")
    desk.ask("voice")
    assert [effect.model for effect in desk.out_of_memory("mind") if isinstance(effect, Evict)] == ["mind"]
    assert desk.phase("voice") == "resident"


def test_nobody_leaves_for_a_foreseen_load_that_runs_out_of_memory():
    desk = Desk(heavy("mind", "full", "smaller"), heavy("voice"))
    desk.resident("voice", footprint_mib=4000)
    desk.happen(Foreseen(Seconds(0.0), "mind"))
    desk.measured("mind", PLENTY)
    assert [effect.model for effect in desk.out_of_memory("mind")] == ["mind"]
    desk.evicted("mind")
    assert desk.measured("mind", PLENTY) == (Load("mind", "smaller"),)
    skipped = next(effect for effect in desk.out_of_memory("mind") if isinstance(effect, Skip))
    assert "full, then smaller" in skipped.reason
    desk.evicted("mind")
    assert desk.phase("mind") == "absent"


def test_a_load_that_fails_otherwise_is_not_tried_as_less():
    desk, number = crowded("full", "smaller")
    desk.happen(LoadFailed(Seconds(0.0), "mind", "no such file"))
    assert desk.refusal(number).cause == "load_failed"
    assert desk.phase("voice") == "resident"


def test_what_the_user_calls_light_is_that_in_any_form():
    desk = Desk(light("stt", "full", "smaller"))
    desk.ask("stt")
    desk.out_of_memory("stt")
    desk.evicted("stt")
    assert desk.effects[-1] == Load("stt", "smaller"), "without being measured"
    assert not desk.home("stt").heavy


def smaller_mind(**limits) -> Desk:
    """The mind ran out of memory and is loaded smaller, unused."""
    desk, number = crowded("full", "smaller", **limits)
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.evicted("voice")
    desk.measured("mind", PLENTY)
    desk.load("mind", footprint_mib=3000)
    desk.leave(number)
    desk.effects.clear()
    return desk


def test_it_stays_smaller_until_it_was_unloaded_for_idleness():
    desk = smaller_mind(idle_seconds=900)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    number = desk.ask("mind")
    assert desk.measured("mind", PLENTY) == (Load("mind", "smaller"),)
    desk.load("mind", footprint_mib=3000)
    desk.leave(number)
    desk.wait(900.0)
    desk.evicted("mind")
    desk.ask("mind")
    assert desk.measured("mind", PLENTY) == (Load("mind", "full"),)


def test_a_light_form_that_is_not_the_best_idles_too():
    desk, number = crowded("full", "light", may_degrade=True, idle_seconds=900)
    voice = desk.ask("voice")
    desk.out_of_memory("mind")
    desk.leave(voice)
    desk.evicted("mind")
    desk.load("mind")
    desk.leave(number)
    assert Evict("mind", "nobody used it for 900 s") in desk.wait(900.0)
    desk.evicted("mind")
    desk.evicted("voice")
    desk.happen(Foreseen(Seconds(900.0), "mind"))
    assert desk.home("mind").heavy
    assert desk.measured("mind", PLENTY) == (Load("mind", "full"),)


def test_what_is_to_be_in_full_again_counts_as_heavy_before_its_load_begins():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.press()
    mind = desk.ask("mind")
    desk.load("mind")
    desk.relieve()
    desk.happen(Foreseen(Seconds(0.0), "voice"))
    desk.leave(mind)
    desk.evicted("mind")
    assert desk.phase("voice") == "measuring"
    assert (desk.phase("mind"), desk.home("mind").heavy) == ("absent", True)


def test_after_a_last_refusal_it_begins_at_its_best_again():
    desk, _ = crowded("full", "smaller")
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.evicted("voice")
    desk.measured("mind", PLENTY)
    desk.out_of_memory("mind")
    desk.evicted("mind")
    desk.ask("mind")
    assert desk.measured("mind", PLENTY) == (Load("mind", "full"),)


# --- the budget -----------------------------------------------------------------------------------------------------


def test_all_models_together_keep_within_the_budget():
    desk = Desk(heavy("mind"), heavy("voice"), budget_mib=9000)
    desk.resident("mind", footprint_mib=5000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.resident("voice", footprint_mib=4001)
    desk.ask("mind")
    assert desk.measured("mind", PLENTY) == (Evict("voice", "made room for the mind"),)


def test_what_light_models_take_counts_too():
    desk = Desk(heavy("mind"), light("stt"), budget_mib=5000)
    desk.resident("mind", footprint_mib=5000)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.ask("stt")
    desk.load("stt", heavy=False, footprint_mib=1)
    number = desk.ask("mind")
    desk.measured("mind", PLENTY)
    assert "no more than 4999 MiB can be had" in desk.refusal(number).reason


def test_a_light_model_is_had_even_beyond_the_budget():
    desk = Desk(heavy("mind"), light("stt"), budget_mib=5000)
    desk.resident("mind", footprint_mib=5000)
    number = desk.ask("stt")
    desk.load("stt", heavy=False, footprint_mib=1)
    assert desk.holds(number)


def test_what_turns_out_to_break_the_budget_is_planned_anew():
    desk, number = crowded(budget_mib=9000, guess_mib=1)
    desk.happen(Loaded(Seconds(0.0), "mind", True, 5001))
    assert [effect.model for effect in desk.effects if isinstance(effect, Evict)] == ["mind", "voice"]
    desk.evicted("mind")
    desk.evicted("voice")
    desk.load("mind", footprint_mib=5001)
    assert desk.holds(number)


def test_what_breaks_the_budget_alone_is_refused():
    desk = Desk(heavy("mind"), budget_mib=5000)
    number = desk.ask("mind")
    desk.measured("mind", PLENTY)
    desk.happen(Loaded(Seconds(0.0), "mind", True, 5001))
    assert "took more memory than the budget leaves" in desk.refusal(number).reason
    desk.evicted("mind")
    again = desk.ask("mind")
    desk.measured("mind", PLENTY)
    assert desk.effects[-1].number == again, "this time before it is loaded"


# --- yielding -------------------------------------------------------------------------------------------------------


def test_whatever_it_does_what_takes_memory_is_ended_at_once():
    desk = Desk(heavy("mind"), heavy("voice"), heavy("stt"), heavy("eyes"), light("ear"))
    desk.resident("mind", "voice", footprint_mib=3000)
    desk.resident("eyes", footprint_mib=0)
    desk.ask("ear")
    desk.load("ear", heavy=False)
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.check(mind)
    assert desk.holds(voice)
    hearing = desk.ask("stt", kind="hearing")
    desk.measured("stt", PLENTY)
    desk.effects.clear()
    desk.press("a game runs")
    assert [effect for effect in desk.effects if isinstance(effect, Evict)] == [
        Evict(name, "stepped aside: a game runs") for name in ("mind", "voice", "stt")
    ], "held, suspended and loading; not what takes none"
    for number in (mind, hearing):
        assert (desk.refusal(number).cause, desk.refusal(number).reason) == (
            "yielded",
            "Parley has stepped aside: a game runs.",
        )
    assert Release(voice, 0.0) not in desk.effects, "active until the process is gone"
    desk.evicted("voice")
    assert Release(voice, 0.0) in desk.effects


def test_what_is_being_measured_or_waits_for_room_is_not_loaded_while_yielding():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.resident("voice", footprint_mib=3000)
    desk.ask("voice")
    mind = desk.ask("mind")
    desk.press()
    assert desk.effects[-1] == Load("mind", "light")
    assert desk.measured("mind", PLENTY) == ()
    desk.load("mind")
    assert desk.holds(mind)


def test_while_yielding_requests_get_the_light_form_or_no():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.press()
    mind, voice = desk.ask("mind"), desk.ask("voice")
    assert desk.effects[0] == Load("mind", "light")
    assert desk.refusal(voice).cause == "yielded"
    desk.load("mind")
    assert desk.holds(mind)
    desk.ask("mind")
    assert len(desk.state.leases) == 2, "a light form is not heavy"


def test_half_done_work_goes_on_with_the_light_form():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.resident("mind", "voice", footprint_mib=3000)
    mind = desk.ask("mind")
    desk.ask("voice")
    desk.check(mind)
    desk.press()
    desk.evicted("mind")
    desk.load("mind")
    assert desk.effects[-1] == Grant(mind, 0.0, 0.0, light=True, restarted=True)


def test_heavy_models_that_take_no_memory_are_used_while_yielding():
    desk = Desk(heavy("mind"))
    desk.resident("mind", footprint_mib=0)
    desk.press()
    assert desk.holds(desk.ask("mind"))
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    number = desk.ask("mind")
    desk.load("mind", footprint_mib=0)
    assert desk.holds(number)


def test_what_takes_no_memory_is_loaded_at_its_best_while_yielding():
    desk = Desk(heavy("mind", "full", "light"), light("stt", "full", "light"))
    desk.resident("mind", footprint_mib=0)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.press()
    desk.ask("stt")
    assert desk.effects[-1] == Load("stt", "full")
    desk.ask("mind")
    assert desk.measured("mind", None) == (Load("mind", "full"),)


def test_what_turns_out_to_take_memory_while_yielding_is_ended():
    desk = Desk(heavy("mind"))
    desk.resident("mind", footprint_mib=0)
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    desk.press()
    number = desk.ask("mind")
    desk.load("mind", footprint_mib=100)
    assert desk.phase("mind") == "evicting"
    assert desk.refusal(number).cause == "yielded"


def test_what_is_foreseen_while_yielding_is_light_or_skipped():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.press()
    assert desk.happen(Foreseen(Seconds(0.0), "mind")) == (Load("mind", "light"),)
    assert desk.happen(Foreseen(Seconds(0.0), "voice")) == (Skip("voice", "Parley has stepped aside: a game runs."),)
    assert wakes_at(desk.state, Seconds(0.0)) == 120.0, "only the load has a bound"


def test_after_relief_models_are_loaded_in_full_again():
    desk = Desk(heavy("mind", "full", "light"), heavy("voice"))
    desk.resident("mind", "voice", footprint_mib=3000)
    desk.press()
    desk.evicted("mind")
    desk.evicted("voice")
    mind = desk.ask("mind")
    desk.load("mind")
    desk.relieve()
    assert desk.holds(mind), "nobody is disturbed"
    assert desk.leave(mind)[-1] == Evict("mind", "there is room for more of it again")
    desk.evicted("mind")
    assert desk.measured("mind", PLENTY) == (Load("mind", "full"),)
    desk.load("mind", footprint_mib=3000)
    assert (desk.home("mind").heavy, desk.home("mind").renew) == (True, False)
    assert desk.phase("voice") == "absent", "it comes back when it is asked for"


def test_pressed_again_before_it_could_come_back_it_stays_light():
    desk = Desk(heavy("mind", "full", "light"))
    desk.press()
    mind = desk.ask("mind")
    desk.load("mind")
    desk.relieve()
    desk.press("they are back")
    desk.leave(mind)
    assert (desk.phase("mind"), desk.home("mind").form) == ("resident", "light")


def test_relief_without_pressure_changes_nothing():
    desk = smaller_mind()
    before = desk.state
    assert desk.relieve() == ()
    assert desk.state == before


def test_what_is_light_at_its_best_is_not_loaded_anew():
    desk = Desk(light("stt"))
    desk.ask("stt")
    desk.load("stt", heavy=False)
    desk.press()
    desk.relieve()
    desk.leave(1)
    assert desk.phase("stt") == "resident"


def test_nothing_is_loaded_after_the_end():
    desk = Desk(heavy("mind", "full", "light"))
    desk.press()
    desk.happen(Foreseen(Seconds(0.0), "mind"))
    desk.load("mind")
    desk.relieve()
    assert desk.home("mind").foreseen
    desk.happen(Closed(Seconds(0.0)))
    desk.evicted("mind")
    assert desk.phase("mind") == "absent"
