"""Whether somebody speaks over the echo of Parley's voice. Pure, and in blocks of 10 ms, newest last."""

from __future__ import annotations

from collections.abc import Sequence

STRENGTH = 1.0
"""A block stands out if what the echo does not explain is at least as strong as all that the echo leaves."""
LONG_BLOCKS, OF_LONG = 8, 12
"""Standing out for so many of so many blocks is enough: what a canceller leaks comes in shorter bursts."""
SHORT_BLOCKS, OF_SHORT = 3, 6
"""So many of so many are enough while WebRTC's canceller hears somebody too..."""
HEARD_BLOCKS, OF_HEARD = 4, 10
"""...in so many of so many."""
REMEMBERED = 12


def somebody_speaks(stood_out: Sequence[float], heard: Sequence[bool]) -> bool:
    """`stood_out` of late, and whether WebRTC let the microphone through; each as long as known, up to `REMEMBERED`."""
    strong = [strength >= STRENGTH for strength in stood_out]
    if sum(strong[-OF_LONG:]) >= LONG_BLOCKS:
        return True
    return sum(strong[-OF_SHORT:]) >= SHORT_BLOCKS and sum(heard[-OF_HEARD:]) >= HEARD_BLOCKS
