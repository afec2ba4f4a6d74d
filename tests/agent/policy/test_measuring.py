from __future__ import annotations

import pytest

from agent.events import (
    HushIssued,
    LeaseGranted,
    PromptIssued,
    ReplyDeclined,
    SentenceReady,
    SpeakingStarted,
    SpeechPaused,
    SpeechStarted,
    TurnMeasured,
    UtteranceHeard,
)
from agent.policy.measuring import Ledger, observe


def paused(at):
    return SpeechPaused(at=at, silence_seconds=0.1)


def heard(at, ended_at, source="voice"):
    return UtteranceHeard(
        at=at, text="hello", audio_seconds=1.0, confidence=0.9, source=source, speech_ended_at=ended_at
    )


def prompted(at, turn=1, words="hello"):
    return PromptIssued(
        at=at,
        turn=turn,
        rule="",
        tentative=True,
        heard=words,
        occasion="" if words else "why",
        verbatim="",
        personality="",
    )


def granted(at, waited, model="mind", loading=0.0):
    return LeaseGranted(at=at, model=model, owner="", light=False, waited_seconds=waited, load_seconds=loading)


def sentence(at, first_token_at, turn=1, index=0):
    return SentenceReady(at=at, turn=turn, index=index, text="Hi.", first_token_at=first_token_at)


def started(at, turn=1):
    return SpeakingStarted(at=at, turn=turn)


def measured(*events):
    ledger, results = Ledger(), []
    for event in events:
        ledger, result = observe(ledger, event)
        results += [result] if result else []
    return results


def stages(result):
    return {
        name: pytest.approx(getattr(result, name)) for name in TurnMeasured.__dataclass_fields__ if name.endswith("_ms")
    }


def test_a_spoken_turn_is_measured_stage_by_stage():
    [result] = measured(
        SpeechStarted(at=9.0),
        paused(10.2),
        heard(10.25, 10.0),
        prompted(10.3),
        granted(10.32, 0.02),
        sentence(10.6, first_token_at=10.4),
        sentence(10.9, first_token_at=10.4, index=1),
        granted(10.63, 0.03, model="voice"),
        started(10.8),
    )
    assert (result.at, result.turn) == (10.8, 1)
    assert stages(result) == {
        "endpoint_ms": 200,
        "stt_ms": 50,
        "lease_wait_ms": 50,
        "model_load_ms": 0,
        "first_token_ms": 80,
        "first_sentence_ms": 200,
        "first_audio_ms": 170,
        "total_ms": 800,
    }


def test_a_remark_counts_from_its_prompt():
    [result] = measured(paused(1.2), heard(1.3, 1.0), prompted(60.0, words=""), sentence(60.5, 60.2), started(60.6))
    assert result.total_ms == pytest.approx(600)
    assert (result.endpoint_ms, result.stt_ms) == (0, 0)


def test_a_typed_turn_has_no_ear():
    [result] = measured(paused(1.0), heard(5.0, 5.0, "typed"), prompted(5.0), sentence(5.2, 5.1), started(5.3))
    assert (result.endpoint_ms, result.stt_ms, result.total_ms) == (0, 0, pytest.approx(300))


def test_a_pause_that_was_taken_back_is_not_the_end():
    [result] = measured(paused(1.2), paused(3.2), heard(3.3, 3.0), prompted(3.3), started(3.5))
    assert result.endpoint_ms == pytest.approx(200)
    [result] = measured(paused(1.2), heard(3.3, 3.0), prompted(3.3), started(3.5))
    assert (result.endpoint_ms, result.stt_ms) == (0, pytest.approx(300))


def test_waiting_and_loading_are_no_part_of_computing():
    [result] = measured(
        heard(1.0, 0.8),
        prompted(1.0),
        granted(3.0, 2.0, loading=1.5),
        sentence(3.2, first_token_at=3.1),
        granted(6.2, 3.0, model="voice", loading=2.0),
        started(6.3),
    )
    assert (result.lease_wait_ms, result.model_load_ms) == (pytest.approx(1500), pytest.approx(3500))
    assert (result.first_token_ms, result.first_audio_ms) == (pytest.approx(100), pytest.approx(100))
    assert result.total_ms == pytest.approx(
        200
        + sum(
            (
                result.lease_wait_ms,
                result.model_load_ms,
                result.first_token_ms,
                result.first_sentence_ms,
                result.first_audio_ms,
            )
        )
    )


def test_what_delays_no_first_sound_does_not_count():
    [result] = measured(
        heard(1.0, 0.8),
        prompted(1.0),
        sentence(1.2, first_token_at=1.1),
        granted(1.3, 0.1, model="stt"),
        granted(1.6, 0.4, model="mind"),
        started(2.0),
    )
    assert (result.lease_wait_ms, result.model_load_ms, result.first_audio_ms) == (0, 0, pytest.approx(800))


def test_the_last_words_of_several_pieces_count():
    [result] = measured(
        heard(1.2, 1.0),
        prompted(1.2),
        HushIssued(at=1.5, turn=1, rule=""),
        heard(3.2, 3.0),
        prompted(3.3, 2),
        started(3.6, 2),
    )
    assert (result.turn, result.total_ms) == (2, pytest.approx(600))


@pytest.mark.parametrize("closer", [HushIssued(at=2.0, turn=1, rule=""), ReplyDeclined(at=2.0, turn=1)])
def test_a_turn_that_was_ended_is_not_measured(closer):
    assert measured(heard(1.0, 0.8), prompted(1.0), closer, started(2.5)) == []


def test_each_turn_is_measured_once():
    assert len(measured(heard(1.0, 0.8), prompted(1.0), started(1.5), started(1.6))) == 1


def test_a_sound_of_an_unknown_turn_is_not_measured():
    assert measured(started(1.0, turn=7)) == []


def test_the_ledger_does_not_grow():
    ledger = Ledger()
    for turn in range(1000):
        for event in (paused(turn), heard(turn, turn), prompted(turn, turn), sentence(turn, turn, turn)):
            ledger, _ = observe(ledger, event)
    assert len(ledger.turns) < 20
