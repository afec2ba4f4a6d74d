from __future__ import annotations

from dataclasses import dataclass

import pytest

from agent.policy.gating import Drop, Gate, Keep, judge

GATE = Gate(min_voiced_seconds=0.15, min_confidence=0.2)


@dataclass(frozen=True)
class Figures:
    text: str = "tell me a joke"
    confidence: float = 0.9
    no_speech: float = 0.0
    compression: float = 1.0


UNSURE = {"confidence": 0.4, "no_speech": 0.3}


@pytest.mark.parametrize(
    ("case", "voiced_seconds", "figures", "reason"),
    [
        ("plain speech", 1.5, Figures(), None),
        ("a quiet thank you that is sure", 0.6, Figures(text="Thank you."), None),
        ("a long unsure thank you", 1.5, Figures(text="Thank you.", **UNSURE), None),
        ("a short yes that is unsure", 0.3, Figures(text="Yes.", **UNSURE), None),
        ("an unsure sentence", 0.9, Figures(**UNSURE), None),
        ("a thank you from an engine that invents none", 0.5, Figures(text="thank you", confidence=0.3), None),
        ("speech that the model calls none, but is sure of", 1.0, Figures(no_speech=0.9), None),
        ("a click", 0.1, Figures(), "too_short"),
        ("a cough", 0.4, Figures(text=""), "noise"),
        ("a dot", 0.4, Figures(text=" . "), "noise"),
        ("a note about a noise", 0.4, Figures(text="[BLANK_AUDIO] (music)"), "noise"),
        ("mumbling", 1.0, Figures(confidence=0.1), "low_confidence"),
        ("a fan", 1.5, Figures(no_speech=0.8, confidence=0.3), "noise"),
        ("a loop", 3.0, Figures(text="no " * 50, compression=8.0), "noise"),
        ("an invented thank you", 0.5, Figures(text="Thank you.", **UNSURE), "noise"),
        ("an invented credit", 1.0, Figures(text="Thanks for watching!", **UNSURE), "noise"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_kept_and_what_is_dropped(case, voiced_seconds, figures, reason):
    verdict = judge(voiced_seconds, figures, GATE)
    assert (verdict.reason if isinstance(verdict, Drop) else None) == reason, case


def test_what_is_softer_than_any_voice_is_noise():
    assert isinstance(judge(1.0, Figures(), GATE, level_dbfs=-70), Drop)
    assert judge(1.0, Figures(), GATE, level_dbfs=-40) == Keep()


def test_the_detail_tells_the_numbers_that_decided():
    verdict = judge(0.1, Figures(), GATE)
    assert verdict == Drop("too_short", "Only 0.10 s of voice, where 0.15 s are asked for.")


@pytest.mark.parametrize(
    "figures",
    [
        Figures(text="secret", confidence=0.1),
        Figures(text="secret", no_speech=0.9, confidence=0.3),
        Figures(text="secret", compression=9),
        Figures(text="thank you", **UNSURE),
    ],
)
def test_the_detail_never_tells_the_words(figures):
    verdict = judge(0.5, figures, GATE)
    assert isinstance(verdict, Drop)
    assert figures.text not in verdict.detail
    assert verdict.detail.endswith(".")


def test_the_transcript_of_an_engine_can_be_judged():
    from agent.engines.api import Transcript

    assert judge(1.0, Transcript(segment=1, text="hello", confidence=0.9), GATE) == Keep()
