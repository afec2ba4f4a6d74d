"""The worlds themselves: that a scheduler with a fault is caught, and that only what is the same counts as the same."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from agent.events import Seconds
from agent.policy import lease_forms, lease_plans, lease_queue, lease_room, leasing
from agent.policy.lease_terms import Asked, Evicted, Grant, Left, Loaded, Measured, TimePassed
from agent.policy.swapping import Plan
from tests.agent.policy.lease_desk import heavy
from tests.agent.policy.lease_rules import Broken
from tests.agent.policy.lease_worlds import Explorer, advance, digest, essence, story, world

MIND = replace(heavy("mind"), footprints=(("full", 5),), load_seconds=0.0)
VOICE = replace(heavy("voice"), footprints=(("full", 4),), load_seconds=0.0)
REPLIES = [("mind", "replying", 3), ("voice", "replying", 3)]


def asked(number, model, *, patience=3, at=0.0):
    return Asked(
        Seconds(at), number, model, f"{model}, replying, {patience:g}", "replying",
        Seconds(at + patience), Seconds(at + patience),
    )  # fmt: skip


def after(start, *happenings):
    for happening in happenings:
        start = advance(start, happening)
    return start


# --- faults are caught ----------------------------------------------------------------------------------------------


def grants_whoever_is_next(state, now, effects):
    request = lease_queue.next_heavy(state, now)
    return state if request is None else leasing._grant(state, request, now, effects)


def forgets_the_lease(state, lease, _now, _effects):
    return replace(state, leases=tuple(other for other in state.leases if other is not lease))


def does_nothing(state, *_):
    return state


def tells_nobody(*args, **fields):
    return Grant(*args, **(fields | {"restarted": False}))


def never(_limits, _request):
    return Seconds(inf)


FAULTS = {
    "one at a time": (leasing, "_grant_heavy", grants_whoever_is_next, {}),
    "budget": (lease_plans, "plan_swap", lambda *_, **__: Plan("load", (), ""), {"total_mib": 6}),
    "yielding": (lease_forms, "step_aside", does_nothing, {"presses": 1}),
    "nobody is lost": (leasing, "end_lease", forgets_the_lease, {}),
    "no starving": (lease_queue, "_ages_at", never, {
        "asks": [("mind", "chore", inf), ("mind", "replying", 2), ("mind", "replying", 2)], "again": True,
    }),
    "rest": (lease_room, "start_loads", does_nothing, {}),
    "deadlines": (leasing, "_expire", does_nothing, {}),
    "told of loss": (leasing, "Grant", tells_nobody, {"total_mib": 6, "checks": 1, "rests": (9.0,)}),
}  # fmt: skip


@pytest.mark.parametrize("rule", FAULTS)
def test_a_scheduler_with_a_fault_breaks_a_rule(rule, monkeypatch):
    room, name, faulty, chances = FAULTS[rule]
    monkeypatch.setattr(room, name, faulty)
    with pytest.raises(Broken, match=f"^{rule}: "):
        Explorer(world(MIND, VOICE, **({"asks": REPLIES} | chances))).explore(3000)


def test_the_story_of_a_fault_is_the_shortest(monkeypatch):
    monkeypatch.setattr(leasing, "_grant_heavy", grants_whoever_is_next)
    with pytest.raises(Broken) as broken:
        Explorer(world(MIND, VOICE, asks=[*REPLIES, ("mind", "replying", 3)])).explore()
    _, *told = str(broken.value).splitlines()
    assert sorted(line.split()[2] for line in told) == ["Asked", "Asked", "Loaded", "Measured"]


# --- what is the same -----------------------------------------------------------------------------------------------


def test_neither_the_hour_nor_the_numbers_tell_worlds_apart():
    start = world(MIND, VOICE, asks=[*REPLIES, *REPLIES])
    early = after(start, asked(1, "mind"), asked(2, "voice"))
    late = after(start, TimePassed(Seconds(7.0)), asked(5, "mind", at=7.0), asked(9, "voice", at=7.0))
    assert essence(early) == essence(late)
    assert digest(essence(early)) == digest(essence(late))


@pytest.mark.parametrize(
    "other",
    [
        [asked(1, "voice"), asked(2, "mind")],
        [asked(1, "mind"), asked(2, "voice"), TimePassed(Seconds(1.0))],
        [asked(1, "mind"), asked(2, "mind")],
        [asked(1, "mind"), asked(2, "voice"), Measured(Seconds(0.0), "mind", 9)],
        [asked(1, "mind"), asked(2, "voice"), asked(3, "voice"), Left(Seconds(0.0), 3)],
    ],
)
def test_worlds_that_can_go_on_differently_differ(other):
    start = world(MIND, VOICE, asks=[*REPLIES, *REPLIES])
    one = after(start, asked(1, "mind"), asked(2, "voice"))
    assert digest(essence(one)) != digest(essence(after(start, *other)))


# --- exploring ------------------------------------------------------------------------------------------------------


def test_a_world_without_requests_has_only_itself():
    seen = Explorer(world(MIND, asks=[])).explore()
    assert (seen.worlds, seen.whole, seen.longest_way_to_rest) == (1, True, 0)


def test_the_way_to_rest_is_as_long_as_a_good_natured_world_needs():
    """Asked: measured, loaded and granted, left."""
    assert Explorer(world(MIND, asks=[("mind", "replying", 3)])).explore().longest_way_to_rest == 3


def test_an_exploration_that_is_cut_short_says_so():
    seen = Explorer(world(MIND, VOICE, asks=REPLIES)).explore(50)
    assert (seen.worlds, seen.whole) == (50, False)


def test_a_story_tells_who_did_what_and_what_was_ordered():
    told = story(world(MIND, asks=[("mind", "replying", 3)]), [0, 0])
    assert told.splitlines()[0].endswith("Asked [1] 'mind' 'mind, replying, 3' 'replying' 3.0 3.0 -> Measure 'mind'")
    assert told.splitlines()[1].startswith("  0 s: Measured 'mind' 9 -> Load 'mind' 'full'")


def test_a_book_is_kept_of_the_processes_there_are():
    loaded = after(
        world(MIND, asks=REPLIES), asked(1, "mind"), Measured(Seconds(0.0), "mind", 9),
        Loaded(Seconds(0.0), "mind", True, 5), Left(Seconds(0.0), 1),
    )  # fmt: skip
    assert (loaded.running, loaded.free_mib()) == ((("mind", "full"),), 4)
    idle = after(loaded, TimePassed(Seconds(2.0)), Evicted(Seconds(2.0), "mind"))
    assert (idle.running, idle.free_mib()) == ((), 9)
