"""Whether somebody speaks over the echo: a mark is a block of 10 ms, newest last."""

from __future__ import annotations

import pytest

from agent.policy.overheard import STRENGTH, somebody_speaks

CASES = (
    # stands out     WebRTC hears   somebody speaks
    ("............", "............", False),
    ("............", "############", False),  # WebRTC alone leaks when the loudspeaker begins
    ("..........##", "############", False),
    (".........###", "......####..", True),
    (".........###", "##......###.", False),  # too long ago
    (".........###", ".........###", False),
    (".....###....", "############", False),
    (".......#.#.#", "..#.#.#.#...", True),
    (".....#######", "............", False),
    ("....########", "............", True),
    ("##.##.##.##.", "............", True),
    ("####", "####", True),
    ("", "", False),
)


@pytest.mark.parametrize(("stands_out", "heard", "speaks"), CASES)
def test_it_takes_long_or_two_witnesses(stands_out: str, heard: str, speaks: bool):
    strengths = [STRENGTH if mark == "#" else 0.99 * STRENGTH for mark in stands_out]
    assert somebody_speaks(strengths, [mark == "#" for mark in heard]) is speaks
