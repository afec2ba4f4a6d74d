from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.bench_heavy.answers import Answer
from scripts.bench_heavy.figures import Leases, report
from scripts.bench_heavy.stage import TEXT

STAGES = ("lease_wait_ms", "model_load_ms", "first_token_ms", "first_sentence_ms", "first_audio_ms")
OURS = Answer(
    first_sound=1.0,
    last_sound=20.0,
    loads=0,
    underruns=0,
    spoken=TEXT,
    second_sentence=2.0,
    stages=dict.fromkeys(STAGES, 200.0),
)
APART = Leases(7, 0)
THEIRS = replace(OURS, first_sound=3.0, stages={}, second_sentence=None)


def failures(case, ours, theirs=THEIRS, leases=APART):
    _, verdicts = report({case: {"parley": [ours], "whole": [theirs]}}, {case: leases})
    return [verdict.text for verdict in verdicts if not verdict.holds]


@pytest.mark.parametrize(
    ("case", "ours"), [("fit", OURS), ("slow", replace(OURS, loads=4)), ("quick", replace(OURS, loads=2))]
)
def test_what_is_as_it_should_be_passes(case, ours):
    assert failures(case, ours) == []


@pytest.mark.parametrize(
    ("case", "ours", "told"),
    [
        ("fit", replace(OURS, underruns=1), "underruns"),
        ("fit", replace(OURS, second_sentence=0.9), "second sentence"),
        ("fit", replace(OURS, first_sound=1.6), "parley / whole"),
        ("fit", replace(OURS, spoken=TEXT[:-1]), "every word"),
        ("slow", replace(OURS, loads=2), "4 loads"),
        ("slow", replace(OURS, loads=4, first_sound=3.1, stages=dict.fromkeys(STAGES, 620.0)), "parley / whole"),
        ("quick", replace(OURS, loads=4), "2 loads"),
        ("quick", replace(OURS, loads=2, stages=dict.fromkeys(STAGES, 100.0)), "of the time"),
    ],
)
def test_what_breaks_a_bound_fails_and_says_which(case, ours, told):
    (failure,) = failures(case, ours)
    assert told in failure


@pytest.mark.parametrize("leases", [Leases(7, 1), Leases(0, 0)])
def test_leases_that_overlap_or_were_never_seen_fail(leases):
    (failure,) = failures("fit", OURS, leases=leases)
    assert "heavy leases" in failure
