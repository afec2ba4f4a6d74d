"""What is asked of the scheduler's state."""

from __future__ import annotations

from typing import Any

import pytest

from agent.events import Seconds
from agent.policy.lease_queue import in_words, is_wanted, queue, wakes_at, why_waiting
from agent.policy.lease_terms import Held, Limits, Request, Residence, State
from agent.policy.restarting import Health

NOW = Seconds(10.0)


def request(number: int, model: str = "mind", **fields: Any) -> Request:
    given: dict[str, Any] = {
        "owner": "thinking",
        "kind": "replying",
        "asked_at": Seconds(9.0),
        "deadline": Seconds(20.0),
    }
    given |= {"due": Seconds(20.0), "place": number, **fields}
    return Request(number=number, model=model, **given)


def mind(**fields: Any) -> Residence:
    return Residence(name="mind", heavy=True, **fields)


def test_of_equals_the_first_to_have_asked_goes_first():
    state = State(models=(mind(),), waiting=(request(2), request(1)))
    assert [one.number for one in queue(state, NOW)] == [1, 2]


def test_an_aged_remark_is_due_since_it_aged():
    old = request(3, kind="remark", asked_at=Seconds(0.0), due=Seconds(99.0))
    state = State(models=(mind(),), waiting=(request(1), old), limits=Limits(remark_ages_seconds=10.0))
    assert [one.number for one in queue(state, NOW)] == [3, 1]
    assert [one.number for one in queue(state, Seconds(9.9))] == [1, 3]


@pytest.mark.parametrize(
    ("home", "words"),
    [
        (mind(), "the mind is not loaded"),
        (mind(phase="measuring"), "the mind is not loaded"),
        (mind(phase="loading"), "the mind is being loaded"),
        (mind(phase="evicting"), "the mind's process is being ended"),
        (mind(phase="blocked"), "the memory for the mind is in use"),
        (mind(phase="resident"), "others go first"),
        (mind(health=Health(1)), "the mind is down after a failure"),
        (mind(health=Health(3)), "the mind is down after 3 failures in a row"),
    ],
)
def test_everyone_who_waits_can_be_told_why(home, words):
    state = State(models=(home,), waiting=(request(1),))
    assert why_waiting(state, state.waiting[0]) == words
    assert words in in_words(state, NOW)["waiting"][0]


def test_the_holder_is_named():
    held = Held(request=request(1), since=Seconds(8.0), until=Seconds(128.0), light=False)
    state = State(models=(mind(phase="resident", vram_mib=3120),), waiting=(request(2),), leases=(held,))
    assert why_waiting(state, state.waiting[0]) == "thinking holds the mind"
    assert in_words(state, NOW)["mind"] == "loaded, heavy, 3120 MiB of GPU memory, held by thinking for 2.0 s"


def test_what_is_foreseen_is_wanted():
    assert is_wanted(State(models=()), mind(foreseen=True))
    assert not is_wanted(State(models=()), mind())


def test_a_state_at_rest_needs_no_alarm():
    assert wakes_at(State(models=(mind(),)), NOW) is None


def test_a_retry_that_is_over_needs_no_alarm():
    state = State(models=(mind(foreseen=True, retry_at=Seconds(9.0)),))
    assert wakes_at(state, NOW) is None
    assert wakes_at(state, Seconds(8.0)) == 9.0
