from __future__ import annotations

import pytest

from scripts.bench_heavy.answers import answered, overlaps


def granted(model, *, light=False):
    return {"at": 0.0, "event": "LeaseGranted", "model": model, "owner": "someone", "light": light}


def released(model):
    return {"at": 0.0, "event": "LeaseReleased", "model": model, "owner": "someone"}


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        ([granted("mind"), released("mind"), granted("voice"), released("voice")], (2, 0)),
        ([granted("mind"), granted("voice"), released("mind"), released("voice")], (2, 1)),
        ([granted("mind"), granted("stt", light=True), released("stt"), released("mind")], (1, 0)),
        ([granted("mind"), granted("stt", light=True), released("stt"), granted("voice")], (2, 1)),
    ],
)
def test_a_heavy_lease_that_begins_before_another_has_ended_is_found(journal, told):
    assert overlaps(journal) == told


def test_an_answer_is_told_from_its_own_lines_alone():
    def turn(at):
        return [
            {"at": at, "event": "UtteranceHeard"},
            {"at": at + 1, "event": "ModelLoaded"},
            {"at": at + 2, "event": "SentenceReady", "index": 0},
            {"at": at + 3, "event": "SpeakingStarted"},
            {"at": at + 3, "event": "TurnMeasured", "total_ms": 3000.0},
            {"at": at + 4, "event": "SentenceReady", "index": 1},
            {"at": at + 9, "event": "SpeakingEnded", "spoken": "Hello.", "underruns": 1},
            {"at": at + 10, "event": "ModelLoaded"},
        ]

    first, second = answered([{"at": 0.0, "event": "CompanionStarted"}, *turn(1.0), *turn(50.0)])
    assert (first.first_sound, first.second_sentence, first.last_sound) == (3.0, 4.0, 9.0)
    assert (second.loads, second.underruns, second.spoken, second.stages) == (1, 1, "Hello.", {"total_ms": 3000.0})


def test_a_request_without_an_answer_is_an_error():
    with pytest.raises(ValueError, match="no answer"):
        answered([{"at": 1.0, "event": "UtteranceHeard"}])
