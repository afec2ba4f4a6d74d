"""A worker is killed or stopped in the middle of its work: the turn is saved or visibly declined, and the next one works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.companion import new_home
from tests.end_to_end.faults import How, Patient, Worker, patient
from tests.pulse import Pulse

SAVED_OR_DECLINED = {
    "sound": {"SpeakingEnded"},
    "ear": {"SpeechDiscarded"},
    "stt": {"UtteranceHeard", "SpeechDiscarded"},
    "mind": {"SpeakingEnded", "ReplyFailed"},
    "voice": {"SpeakingEnded", "SpeakingFailed"},
}
"""What may be the end of a turn during which this worker was hit. `scripts/soak faults` does it for hours."""


@pytest.fixture(scope="module")
def sufferer(pulse: Pulse) -> Iterator[Patient]:
    with new_home(pulse.env) as home, patient(home, pulse) as made:
        yield made
        assert made.companion.process.poll() is None, "the companion itself has ended"
        made.companion.process.terminate()
        assert made.companion.ends() == 0
        made.companion.leaves_nobody()
        made.companion.closes_what_it_opened()


@pytest.mark.parametrize(
    ("worker", "how"),
    [
        ("mind", "killed"),
        ("mind", "stopped"),
        ("voice", "killed"),
        ("voice", "stopped"),
        ("stt", "killed"),
        ("stt", "stopped"),
        ("ear", "killed"),
        ("sound", "killed"),
    ],
)
def test_the_turn_is_saved_or_declined_and_the_next_one_works(sufferer: Patient, worker: Worker, how: How):
    outcome = sufferer.suffer(worker, how)
    assert outcome.closed_by in SAVED_OR_DECLINED[worker], outcome
    assert sufferer.companion.workers().keys() == {"sound", "ear", "stt", "mind", "voice"}
