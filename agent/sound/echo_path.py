"""Whether the microphone hears the loudspeaker at all.

A canceller that knows no room yet takes much of the user's voice for echo, and with headphones it never learns one. So
its output is used only while there may be an echo. Two signs decide, both from the power of blocks of 10 ms:

- The loudspeaker has been sounding for a while and the microphone is silent: there is no way from one to the other.
  What sounds next is the user.
- The loudness of the microphone follows that of the loudspeaker, at some delay: there is one (again).
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

_AUDIBLE_POWER: Final = 30.0**2
"""Mean square of a block that can make an echo worth hearing (-61 dBFS)."""
_SOUNDING_BLOCKS: Final = 40
"""The loudspeaker has to sound for so long before silence tells anything: longer than a room or a card delays."""
_SILENT_BLOCKS: Final = 15
"""And the microphone has to be silent for so long."""
_LOSS: Final = 10**-4.5
"""An echo weaker than this (-45 dB), against the quietest part of what sounded, wakes no ear."""
_FOLLOWING_BLOCKS: Final = 100
"""The stretch over which loudness is compared."""
_MOST_DELAY_BLOCKS: Final = 40
_FOLLOWS: Final = 0.8
"""Correlation of the two loudnesses from which on one is the echo of the other; two voices stay under 0.6."""
_LOOK_BLOCKS: Final = 10


class EchoPath:
    """What is known of the way from the loudspeaker to the microphone."""

    def __init__(self) -> None:
        """Nothing yet: there may be one."""
        self.absent = False
        """True if the microphone does not hear the loudspeaker."""
        self._near: deque[float] = deque(maxlen=_FOLLOWING_BLOCKS)
        self._far: deque[float] = deque(maxlen=_FOLLOWING_BLOCKS + _MOST_DELAY_BLOCKS)
        self._until_look = _LOOK_BLOCKS

    def observe(self, near_power: float, far_power: float) -> None:
        """Take the mean squares of one block of the microphone and of the loudspeaker."""
        self._near.append(near_power)
        self._far.append(far_power)
        if self.absent:
            self._until_look -= 1
            if not self._until_look:
                self._until_look = _LOOK_BLOCKS
                self.absent = not self._follows()
        else:
            self.absent = self._is_silent_while_it_sounds()

    def _is_silent_while_it_sounds(self) -> bool:
        far = np.array(self._far)[-_SOUNDING_BLOCKS:]
        if len(far) < _SOUNDING_BLOCKS:
            return False
        quietest = np.convolve(far, np.ones(_SILENT_BLOCKS), mode="valid").min()
        near = list(self._near)[-_SILENT_BLOCKS:]
        return bool(sum(near) < _LOSS * quietest and quietest > _SILENT_BLOCKS * _AUDIBLE_POWER)

    def _follows(self) -> bool:
        if len(self._far) < self._far.maxlen or max(self._near) < _AUDIBLE_POWER:  # pyright: ignore[reportOperatorIssue]  # it has one
            return False
        near, far = _decibels(self._near), _decibels(self._far)
        windows = (far[_MOST_DELAY_BLOCKS - delay :][: len(near)] for delay in range(0, _MOST_DELAY_BLOCKS, 2))
        return max(_correlation(near, window) for window in windows) > _FOLLOWS


def _decibels(powers: deque[float]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(np.array(powers), _AUDIBLE_POWER))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale else 0.0
