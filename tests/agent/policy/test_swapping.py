"""What leaves the memory so that a model can be loaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import Seconds
from agent.policy.swapping import Resident, plan_swap, weigh_swap


def resident(name, footprint_mib=1000, reload_seconds=1.0, used_at=0.0, pinned=""):
    return Resident(
        name=name, footprint_mib=footprint_mib, reload_seconds=reload_seconds, used_at=Seconds(used_at), pinned=pinned
    )


def test_what_fits_is_loaded_and_nobody_leaves():
    plan = plan_swap("mind", 3000, [resident("voice")], free_mib=3000)
    assert (plan.outcome, plan.evict) == ("load", ())


def test_the_reserve_is_left_to_others():
    assert plan_swap("mind", 3000, [], free_mib=3400, reserve_mib=500).outcome == "refuse"
    assert plan_swap("mind", 3000, [], free_mib=3500, reserve_mib=500).outcome == "load"


def test_no_more_is_used_than_is_allowed():
    assert plan_swap("mind", 3000, [], free_mib=9000, allowed_mib=2999).outcome == "refuse"
    assert plan_swap("mind", 3000, [], free_mib=9000, allowed_mib=3000).outcome == "load"
    assert plan_swap("mind", 3000, [], free_mib=2999, allowed_mib=9000).outcome == "refuse"
    assert plan_swap("mind", 3000, [resident("voice", 1000)], free_mib=9000, allowed_mib=2000).evict == ("voice",)
    assert plan_swap("mind", None, [], free_mib=9000, allowed_mib=0).outcome == "refuse"


def test_no_more_leaves_than_has_to():
    plan = plan_swap("mind", 3000, [resident("voice", 2000), resident("stt", 2000)], free_mib=1000)
    assert (plan.outcome, len(plan.evict)) == ("evict", 1)


def test_what_is_soonest_back_leaves_first():
    slow, quick = resident("voice", 4000, reload_seconds=9.0), resident("stt", 4000, reload_seconds=2.0, used_at=5.0)
    assert plan_swap("mind", 3000, [slow, quick], free_mib=0).evict == ("stt",)


def test_two_quick_ones_leave_rather_than_a_slow_one():
    residents = [resident("voice", 4000, 9.0), resident("stt", 2000, 2.0), resident("eyes", 2000, 2.0)]
    assert plan_swap("mind", 4000, residents, free_mib=0).evict == ("stt", "eyes")


def test_of_equals_the_one_longest_unused_leaves():
    assert plan_swap("mind", 1000, [resident("a", used_at=5.0), resident("b", used_at=3.0)], free_mib=0).evict == ("b",)


def test_what_is_pinned_stays_and_is_waited_for():
    plan = plan_swap("mind", 1000, [resident("voice", pinned="speaking holds the voice")], free_mib=0)
    assert (plan.outcome, plan.evict) == ("wait", ())
    assert "speaking holds the voice" in plan.reason


def test_what_can_never_fit_is_refused_and_nobody_leaves_for_it():
    plan = plan_swap("mind", 5000, [resident("voice"), resident("stt", pinned="in use")], free_mib=1000)
    assert (plan.outcome, plan.evict) == ("refuse", ())


def test_a_model_without_need_is_loaded_even_if_nothing_can_be_read():
    assert plan_swap("stt", 0, [], free_mib=None).outcome == "load"


def test_unreadable_means_no():
    for need_mib in (1000, None):
        assert plan_swap("mind", need_mib, [resident("voice")], free_mib=None).outcome == "refuse"


def test_a_model_never_measured_gets_what_is_guessed():
    assert plan_swap("mind", None, [resident("voice")], free_mib=6144).outcome == "load"
    assert plan_swap("mind", None, [resident("voice", 4000)], free_mib=4000).evict == ("voice",)


def test_where_the_guess_cannot_be_had_it_gets_all_there_is():
    residents = [resident("voice"), resident("stt")]
    assert plan_swap("mind", None, residents, free_mib=1000).evict == ("voice", "stt")
    assert plan_swap("mind", None, [], free_mib=3000).outcome == "load"
    assert plan_swap("mind", None, [resident("voice", pinned="in use")], free_mib=1000).outcome == "wait"
    assert plan_swap("mind", None, [], free_mib=0).outcome == "refuse"


def test_what_holds_no_memory_is_not_in_the_way():
    assert plan_swap("mind", None, [resident("voice", 0)], free_mib=3000).evict == ()


RESIDENTS = st.lists(
    st.builds(
        resident,
        name=st.uuids().map(str),
        footprint_mib=st.integers(0, 6),
        reload_seconds=st.integers(0, 5).map(float),
        pinned=st.sampled_from(["", "", "in use"]),
    ),
    max_size=5,
)


@given(RESIDENTS, st.integers(0, 12), st.integers(-2, 8))
def test_every_plan_keeps_its_word(residents, need_mib, free_mib):
    plan = plan_swap("mind", need_mib, residents, free_mib=free_mib)
    sizes = {one.name: one.footprint_mib for one in residents}
    movable = sum(one.footprint_mib for one in residents if not one.pinned)
    freed = sum(sizes[name] for name in plan.evict)
    assert not {one.name for one in residents if one.pinned} & set(plan.evict)
    match plan.outcome:
        case "load":
            assert need_mib <= max(free_mib, 0)
        case "evict":
            assert free_mib + freed >= need_mib
            assert all(free_mib + freed - sizes[name] < need_mib for name in plan.evict if sizes[name]), (
                "no more than has to"
            )
        case "wait":
            assert free_mib + movable < need_mib <= free_mib + sum(sizes.values())
        case "refuse":
            assert free_mib + sum(sizes.values()) < need_mib


# --- in the middle of work ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest_seconds", "reload_seconds", "load_seconds", "swap"),
    [
        (5.1, 3.0, 2.0, True),
        (5.0, 3.0, 2.0, False),
        (4.0, 3.0, 2.0, False),
        (0.1, 0.0, 0.0, True),
        (500.0, None, 2.0, False),
        (500.0, 3.0, None, False),
    ],
)
def test_a_swap_pays_when_it_brings_forward_more_than_its_loads_cost(rest_seconds, reload_seconds, load_seconds, swap):
    decision = weigh_swap(
        "mind", "voice", rest_seconds=rest_seconds, reload_seconds=reload_seconds, load_seconds=load_seconds
    )
    assert decision.swap == swap


def test_a_decision_has_its_numbers():
    text = weigh_swap("mind", "voice", rest_seconds=4.25, reload_seconds=3.0, load_seconds=2.5).reason
    assert text == (
        "The mind finishes first: the voice would begin 4.2 s sooner, "
        "but two more loads cost 5.5 s (the mind 3.0, the voice 2.5)."
    )
    assert (
        "the voice takes to load is not known"
        in weigh_swap("mind", "voice", rest_seconds=4.25, reload_seconds=3.0, load_seconds=None).reason
    )
