"""Samples and moments."""

from __future__ import annotations

import random

import pytest

from agent.sound.timeline import CardTimeLine, TimeLine


def test_a_moment_computed_from_an_index_gives_that_index_back():
    line = TimeLine()
    line.start(12_345.678)
    for index in range(0, 16_000 * 3600, 99_991):
        assert line.index(line.moment(index)) == index


def test_a_line_starts_once():
    line = TimeLine()
    assert line.index(5.0) == 0
    line.start(1.0)
    line.start(2.0)
    assert line.index(3.0) == 32_000


def test_a_card_that_tells_late_is_placed_where_its_earliest_blocks_say():
    line, chance = CardTimeLine(), random.Random(7)  # reproducible
    for block in range(1, 2000):
        truth = 100 + block * 512 / 16_000
        placed = line.place(block * 512, truth + chance.expovariate(1 / 0.004))
        if block > 50:
            assert placed == pytest.approx(truth, abs=0.004)


def test_a_drifting_clock_is_followed():
    line = CardTimeLine()
    for block in range(1, 20_000):
        truth = block * 512 / 16_000 * 1.0001
        assert line.place(block * 512, truth) == pytest.approx(truth, abs=0.001)


def test_a_gap_moves_the_line_at_once():
    line = CardTimeLine()
    line.place(512, 1.0)
    assert line.place(1024, 3.0) == 3.0
