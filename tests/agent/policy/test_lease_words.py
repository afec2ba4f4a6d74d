"""What a person is told of the scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from agent.events import Seconds
from agent.policy.lease_terms import Held, Limits, Residence, State
from agent.policy.lease_words import in_words, why_waiting
from agent.policy.restarting import Health
from tests.agent.policy.test_lease_queue import NOW, mind, request


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
    assert words in in_words(state, NOW, 8000)["waiting"][0]


def test_the_holder_is_named():
    held = Held(request=request(1), since=Seconds(8.0), until=Seconds(128.0), light=False)
    state = State(models=(mind(phase="resident", footprints=(("full", 3120),)),), waiting=(request(2),), leases=(held,))
    assert why_waiting(state, state.waiting[0]) == "thinking holds the mind"
    assert in_words(state, NOW, 8000)["mind"] == "loaded, heavy, 3120 MiB, held by thinking for 2.0 s"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"footprints": (("full", 3120), ("smaller", 2000))}, "loaded, heavy, 3120 MiB"),
        (
            {"footprints": (("full", 3120), ("smaller", 2000)), "form": "smaller"},
            "loaded smaller than set, heavy, 2000 MiB",
        ),
        ({"footprints": (("full", 3120),), "form": "light", "heavy": False}, "loaded as its light form, light"),
    ],
)
def test_what_is_loaded_is_told_with_its_form_and_footprint(fields, words):
    home = Residence(name="mind", **{"heavy": True, "phase": "resident", **fields})
    assert in_words(State(models=(home,)), NOW, 8000)["mind"] == words


def test_whose_half_done_work_is_in_a_model_is_told():
    state = State(models=(mind(phase="resident"),), waiting=(request(1, suspended=True),))
    assert "in the middle of the work of thinking" in in_words(state, NOW, 8000)["mind"]


def next_loads(*models: Residence, free_mib: int | None = 8000, **fields: Any) -> Any:
    return in_words(State(models=models, **fields), NOW, free_mib)["next loads"]


def voice(**fields: Any) -> Residence:
    return Residence(name="voice", heavy=True, footprints=(("full", 5000),), **fields)


def test_the_plan_for_the_next_load_is_told():
    there = mind(phase="resident", footprints=(("full", 3000),))
    assert next_loads(there, voice()) == ["voice: loads. The voice needs 5000 MiB, and 8000 MiB may be used."]
    assert next_loads(there, voice(), free_mib=4000, waiting=(request(1, "voice"),)) == [
        "voice: ends the mind and loads. The voice needs 5000 MiB, and only 4000 MiB may be used."
    ]
    assert next_loads(there, voice(), free_mib=4000, waiting=(request(1), request(2, "voice"))) == [
        "voice: waits. The voice needs 5000 MiB, and thinking waits for the mind and goes first."
    ]
    assert next_loads(voice(), free_mib=4000, limits=Limits(reserve_mib=500)) == [
        "voice: is refused. The voice needs 5000 MiB, and no more than 3500 MiB can be had."
    ]
    assert next_loads(there) == []


def test_who_is_waited_for_is_told_first():
    (first, second) = next_loads(mind(), voice(), waiting=(request(1, "voice"),))
    assert first.startswith("voice")
    assert second.startswith("mind")


def test_it_is_told_that_and_why_the_memory_is_yielded():
    both = (mind(), voice(forms=("full", "light")))
    assert in_words(State(models=both), NOW, 8000)["yielding"] == "no"
    words = in_words(State(models=both, yielding="a game runs"), NOW, 8000)
    assert words["yielding"] == "a game runs"
    assert words["next loads"] == [
        "mind: is not loaded while others need the memory.",
        "voice: loads as its light form, which takes no memory of the GPU.",
    ]
