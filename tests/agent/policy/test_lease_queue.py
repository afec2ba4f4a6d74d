"""What is asked of the scheduler's state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.events import Seconds
from agent.policy.lease_queue import is_wanted, queue, wakes_at
from agent.policy.lease_terms import Limits, Request, Residence, State

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


def test_what_is_foreseen_is_wanted():
    assert is_wanted(State(models=()), mind(foreseen=True))
    assert not is_wanted(State(models=()), mind())


def test_a_state_at_rest_needs_no_alarm():
    assert wakes_at(State(models=(mind(),)), NOW) is None


def test_a_retry_that_is_over_needs_no_alarm():
    state = State(models=(mind(foreseen=True, retry_at=Seconds(9.0)),))
    assert wakes_at(state, NOW) is None
    assert wakes_at(state, Seconds(8.0)) == 9.0


def test_what_is_due_sooner_goes_first_though_it_may_wait_longer():
    sooner = request(2, due=Seconds(12.0), deadline=Seconds(99.0))
    state = State(models=(mind(),), waiting=(request(1, due=Seconds(15.0), deadline=Seconds(15.0)), sooner))
    assert [one.number for one in queue(state, NOW)] == [2, 1]


def test_a_model_idles_while_nobody_uses_it_unless_it_is_light_by_nature():
    resident = {"phase": "resident", "used_at": Seconds(5.0)}
    for home, wakes in (
        (mind(**resident), 905.0),
        (replace(mind(**resident), heavy=False), None),
        (replace(mind(**resident, form="light", forms=("full", "light")), heavy=False), 905.0),
    ):
        assert wakes_at(State(models=(home,), limits=Limits(idle_seconds=900.0)), NOW) == wakes
