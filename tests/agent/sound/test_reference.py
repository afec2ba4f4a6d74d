"""What was played, by the moment at which it sounded."""

from __future__ import annotations

import numpy as np

from agent.sound.reference import Reference

PLAYED = np.arange(1, 16_001, dtype=np.int16)


def test_a_moment_gives_the_samples_that_sounded_then():
    reference = Reference()
    reference.played(PLAYED[:8000], 10.0)
    reference.played(PLAYED[8000:], 10.5)
    assert np.array_equal(reference.heard(10.4, 3200), PLAYED[6400:9600])


def test_before_and_after_there_is_silence():
    reference = Reference()
    reference.played(PLAYED, 10.0)
    assert not reference.heard(9.0, 800).any()
    assert np.array_equal(reference.heard(9.99, 320), np.concatenate([np.zeros(160), PLAYED[:160]]))
    assert not reference.heard(11.5, 800).any()


def test_clocks_that_jitter_make_no_gap_in_the_reading():
    reference = Reference()
    for block in range(100):
        reference.played(PLAYED[block * 160 : (block + 1) * 160], 10.0 + block * 0.01 + (0.003 if block % 2 else 0.0))
    got = [reference.heard(10.1 + block * 0.032 + (0.004 if block % 3 else 0.0), 512) for block in range(20)]
    assert set(np.diff(np.concatenate(got)).tolist()) == {1}


def test_a_pause_of_the_loudspeaker_moves_the_place():
    reference = Reference()
    reference.played(PLAYED[:1600], 10.0)
    reference.played(PLAYED[1600:3200], 20.0)
    assert not reference.heard(19.5, 160).any()
    assert np.array_equal(reference.heard(20.0, 160), PLAYED[1600:1760])
    assert reference.sounded_until == 20.1


def test_silence_is_nothing_that_sounded():
    reference = Reference()
    reference.played(np.zeros(1600, dtype=np.int16), 10.0)
    assert reference.sounded_until < 0


def test_only_the_last_seconds_are_kept():
    reference = Reference()
    for second in range(60):
        reference.played(PLAYED, float(second))
    assert len(reference._samples) == 32_000
    assert np.array_equal(reference.heard(59.0, 160), PLAYED[:160])
