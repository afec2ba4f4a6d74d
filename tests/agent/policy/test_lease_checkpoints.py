"""Who goes first at a checkpoint, and what a swap in the middle of work is worth."""

from __future__ import annotations

import pytest

from agent.events import Seconds
from agent.policy.lease_checkpoints import would_hand_over
from agent.policy.lease_terms import Decide, Died, Evict, Grant, Measure, Release, Suspend
from tests.agent.policy.lease_desk import PLENTY, Desk, heavy, light

# --- giving way -----------------------------------------------------------------------------------------------------


def test_nobody_waits_so_a_checkpoint_changes_nothing():
    desk = Desk(heavy("mind"))
    desk.resident("mind")
    number = desk.ask("mind")
    assert desk.check(number) == ()
    assert desk.holds(number)


def test_a_nearer_deadline_gets_the_lease_at_a_checkpoint():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind"), desk.ask("voice", within=2)
    desk.now = 1.0
    assert desk.check(mind, within=3) == (Suspend(mind, 1.0), Grant(voice, 1.0, 0.0, light=False))
    desk.leave(voice)
    assert desk.holds(mind)


def test_a_later_deadline_waits_at_a_checkpoint():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind"), desk.ask("voice", within=9)
    assert desk.check(mind, within=3) == ()
    assert not desk.holds(voice)


def test_without_a_deadline_the_holder_goes_behind_those_who_wait():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind", within=20), desk.ask("voice", within=500)
    desk.check(mind)
    assert desk.holds(voice)


def test_mind_and_voice_alternate_sentence_by_sentence():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind = desk.ask("mind")
    for _ in range(3):
        desk.now += 1.0
        voice = desk.ask("voice")
        desk.check(mind)
        assert desk.holds(voice)
        desk.now += 1.0
        desk.leave(voice)
        assert desk.holds(mind)


def test_nobody_gives_way_to_a_chore():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind = desk.ask("mind", within=20)
    desk.ask("voice", kind="chore", within=1)
    assert desk.check(mind, within=20) == ()


def test_a_chore_gives_way_to_anyone():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    chore = desk.ask("mind", kind="chore", within=1)
    reply = desk.ask("voice", within=500)
    desk.check(chore, within=1)
    assert desk.holds(reply)


def test_the_holder_goes_on_while_the_other_model_loads():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind")
    mind = desk.ask("mind")
    voice = desk.ask("voice")
    desk.measured("voice", PLENTY)
    assert desk.check(mind) == ()
    desk.load("voice")
    desk.check(mind)
    assert desk.holds(voice)


def test_the_model_of_one_who_gave_way_stays_in_memory():
    desk = Desk(heavy("mind"), heavy("voice"), heavy("stt"), guess_mib=4000)
    desk.resident("mind", "voice", footprint_mib=4000)
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.check(mind)
    hearing = desk.ask("stt", kind="hearing", within=5)
    desk.measured("stt", 0)
    assert desk.phase("stt") == "blocked"
    desk.leave(voice)
    assert desk.effects[-2:] == [Release(voice, 0.0), Measure("stt")]
    desk.measured("stt", 0)
    assert desk.phase("voice") == "evicting"
    assert desk.phase("mind") == "resident"
    desk.evicted("voice")
    desk.measured("stt", 3000)
    assert desk.phase("stt") == "blocked"
    assert desk.holds(mind), "only the one who gave way can make room"
    desk.leave(mind)
    desk.measured("stt", 3000)
    desk.evicted("mind")
    desk.load("stt")
    assert desk.holds(hearing)


def test_no_one_else_gets_a_model_in_the_middle_of_whose_work_someone_is():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, voice = desk.ask("mind"), desk.ask("voice")
    desk.check(mind)
    other = desk.ask("mind", within=1)
    desk.leave(voice)
    assert (desk.holds(mind), desk.holds(other)) == (True, False)


def test_one_who_gave_way_loses_its_work_with_its_process():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind, fresh = desk.ask("mind"), None
    desk.ask("voice")
    desk.check(mind)
    fresh = desk.ask("mind")
    desk.happen(Died(Seconds(0.0), "mind", "killed"))
    assert desk.refusal(mind).cause == "died"
    assert desk.refusal(fresh) is None


def test_a_checkpoint_of_a_light_lease_is_nothing():
    desk = Desk(light("stt"))
    desk.ask("stt")
    desk.load("stt")
    assert desk.check(1) == ()
    assert desk.holds(1)


@pytest.mark.parametrize(("within", "hands_over"), [(None, True), (1.0, False), (9.0, True)])
def test_it_can_be_told_beforehand_whether_a_checkpoint_would_hand_over(within, hands_over):
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", "voice")
    mind = desk.ask("mind", within=3)
    assert not would_hand_over(desk.state, mind, Seconds(0.0)), "nobody waits"
    voice = desk.ask("voice", within=3)
    deadline = None if within is None else Seconds(within)
    assert would_hand_over(desk.state, mind, Seconds(0.0), deadline=deadline) == hands_over
    desk.check(mind, within)
    assert desk.holds(voice) == hands_over


def test_who_holds_nothing_hands_nothing_over():
    desk = Desk(heavy("mind"), light("stt"))
    desk.ask("stt")
    desk.load("stt", heavy=False)
    assert not would_hand_over(desk.state, 1, Seconds(0.0))
    assert not would_hand_over(desk.state, 99, Seconds(0.0))


# --- a swap in the middle of work -----------------------------------------------------------------------------------


def cramped(*, mind_load_seconds: float = 3.0, voice_load_seconds: float = 2.0) -> Desk:
    """There is room for the mind or the voice, both measured; the mind is loaded."""
    desk = Desk(heavy("mind"), heavy("voice"))
    for model, seconds in (("voice", voice_load_seconds), ("mind", mind_load_seconds)):
        number = desk.ask(model)
        if desk.phase(model) == "measuring" and model == "mind":
            desk.measured("mind", 2000)
            desk.evicted("voice")
        desk.measured(model, 8000)
        desk.now += seconds
        desk.load(model, footprint_mib=6000)
        desk.leave(number)
    desk.effects.clear()
    return desk


def blocked_voice(desk: Desk, **asked) -> tuple[int, int]:
    mind = desk.ask("mind")
    voice = desk.ask("voice", **asked)
    desk.measured("voice", 2000)
    assert desk.phase("voice") == "blocked"
    return mind, voice


def test_a_long_rest_is_worth_a_swap():
    desk = cramped()
    mind, voice = blocked_voice(desk)
    began = desk.now
    desk.now += 1.0
    assert would_hand_over(desk.state, mind, Seconds(desk.now), rest_seconds=5.1)
    decided, suspended, evicted = desk.check(mind, rest_seconds=5.1)
    assert decided == Decide(
        "The mind makes room for the voice, which begins 5.1 s sooner; "
        "two more loads cost 5.0 s (the mind 3.0, the voice 2.0)."
    )
    assert suspended == Suspend(mind, 1.0)
    assert evicted == Evict("mind", "made room for the voice in the middle of its work")
    desk.evicted("mind")
    desk.load("voice", footprint_mib=6000)
    assert desk.holds(voice)
    desk.measured("mind", 2000)
    desk.leave(voice)
    assert desk.measured("mind", 2000) == (Evict("voice", "made room for the mind"),)
    desk.evicted("voice")
    desk.now = began + 4.0
    desk.load("mind", footprint_mib=6000)
    assert desk.effects[-1] == Grant(mind, 3.0, 0.0, light=False, restarted=True)


def test_a_rest_that_costs_less_than_the_loads_is_finished_first():
    desk = cramped()
    mind, voice = blocked_voice(desk)
    assert not would_hand_over(desk.state, mind, Seconds(desk.now), rest_seconds=5.0)
    decided = desk.check(mind, rest_seconds=5.0)[0]
    assert decided == Decide(
        "The mind finishes first: the voice would begin 5.0 s sooner, "
        "but two more loads cost 5.0 s (the mind 3.0, the voice 2.0)."
    )
    assert desk.holds(mind)
    assert not desk.holds(voice)


def test_a_holder_that_does_not_say_how_long_it_takes_is_not_swapped_out():
    desk = cramped(mind_load_seconds=0.0, voice_load_seconds=0.0)
    mind, _ = blocked_voice(desk)
    assert not any(isinstance(effect, Decide) for effect in desk.check(mind))
    assert desk.holds(mind)


def test_what_was_never_loaded_is_not_worth_a_swap():
    desk = Desk(heavy("mind"), heavy("voice"))
    desk.resident("mind", footprint_mib=6000)
    mind, _ = blocked_voice(desk)
    assert desk.check(mind, rest_seconds=500.0)[0] == Decide(
        "The mind finishes first: how long the voice takes to load is not known."
    )
    assert desk.holds(mind)


def test_nobody_is_swapped_out_for_someone_who_goes_after_them():
    desk = cramped()
    mind, _ = blocked_voice(desk, kind="chore")
    desk.check(mind, rest_seconds=500.0)
    assert desk.holds(mind)


def test_what_a_swap_of_the_holder_does_not_make_room_for_waits():
    """A third is in the middle of its own work, and its model takes the memory too."""
    desk = Desk(heavy("mind"), heavy("voice"), heavy("stt"))
    desk.resident("stt", footprint_mib=3000)
    desk.happen(Died(Seconds(0.0), "stt", "killed"))
    desk.resident("mind", "voice", footprint_mib=4000)
    mind = desk.ask("mind")
    voice = desk.ask("voice")
    desk.check(mind)
    desk.ask("stt", kind="hearing", within=5)
    desk.measured("stt", 0)
    assert desk.phase("stt") == "blocked"
    assert not any(isinstance(effect, Decide) for effect in desk.check(voice, 9.0, rest_seconds=500.0))


def swapped_out_once(kind: str) -> tuple[Desk, int]:
    """The mind was swapped out for the voice, and is back at its work."""
    desk = cramped()
    mind = desk.ask("mind", kind=kind)
    voice = desk.ask("voice")
    desk.measured("voice", 2000)
    desk.check(mind, rest_seconds=100.0)
    desk.evicted("mind")
    desk.load("voice", footprint_mib=6000)
    desk.leave(voice)
    desk.measured("mind", 2000)
    desk.wait(desk.state.limits.linger_seconds)
    desk.measured("mind", 2000)
    desk.evicted("voice")
    desk.load("mind", footprint_mib=6000)
    assert desk.holds(mind)
    return desk, mind


@pytest.mark.parametrize("kind", ["replying", "chore"])
def test_nobody_is_swapped_out_twice(kind):
    desk, mind = swapped_out_once(kind)
    desk.ask("voice")
    desk.measured("voice", 2000)
    desk.check(mind, rest_seconds=100.0)
    assert desk.holds(mind)


def test_one_who_was_swapped_out_and_then_gives_way_keeps_its_work():
    desk, mind = swapped_out_once("replying")
    other = desk.ask("mind", within=1)
    desk.check(mind)
    assert not desk.holds(other), "its own half-done work is in the process"
    desk.leave(other)
    desk.resident("voice", footprint_mib=0)
    voice = desk.ask("voice")
    desk.check(mind)
    desk.leave(voice)
    (grant,) = [effect for effect in desk.effects if isinstance(effect, Grant) and effect.number == mind][-1:]
    assert desk.holds(mind)
    assert not grant.restarted
