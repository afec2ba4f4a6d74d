from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.policy.context import fit

_LENGTHS = st.lists(st.integers(1, 60), min_size=2, max_size=40)


def _kept(lengths: list[int], dropped: int, head: int = 1) -> list[int]:
    return lengths[:head] + lengths[head + dropped :]


@given(_LENGTHS, st.integers(1, 400), st.integers(0, 2))
def test_what_is_kept_never_exceeds_the_budget_unless_nothing_more_may_go(lengths, budget, head):
    dropped = fit(lengths, budget, head=head)
    kept = _kept(lengths, dropped, head)
    assert sum(kept) <= budget or len(kept) <= head + 1


@given(_LENGTHS, st.integers(1, 400), st.integers(0, 2))
def test_the_system_message_and_the_last_message_always_stay(lengths, budget, head):
    kept = _kept(lengths, fit(lengths, budget, head=head), head)
    assert kept[:head] == lengths[:head]
    assert kept[-1] == lengths[-1]


@given(_LENGTHS, st.integers(1, 400))
def test_nothing_is_dropped_while_everything_fits(lengths, budget):
    if sum(lengths) <= budget:
        assert fit(lengths, budget) == 0


@given(_LENGTHS, st.integers(1, 400))
def test_as_the_conversation_grows_the_cut_stays_or_jumps_to_half_of_the_room(lengths, budget):
    room = max(budget - lengths[0], 0)
    before = 0
    for end in range(2, len(lengths) + 1):
        dropped = fit(lengths[:end], budget)
        assert dropped >= before
        if dropped > before:
            window = lengths[1 + dropped : end]
            assert sum(window) <= room // 2 or len(window) == 1
        before = dropped


def test_the_beginning_of_the_prompt_stays_the_same_for_many_turns():
    lengths = [100] + [20] * 400
    cuts = [fit(lengths[:end], 1100) for end in range(2, len(lengths))]
    assert len(set(cuts)) <= 400 * 20 // 500 + 1


def test_a_single_message_too_long_is_kept_for_the_caller_to_cut():
    assert fit([10, 5, 5, 500], 100) == 2


def test_without_a_system_message_the_oldest_message_goes_first():
    assert fit([50, 50, 30], 100, head=0) == 2
