"""The only importer of time.

All of Parley reads one clock: the event loop's, counted from the start. A loop whose clock is virtual
therefore moves everything, and a day can be tested in a second.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from typing_extensions import override

from agent.events import Seconds

T = TypeVar("T")


class Clock:
    """Seconds since the start, and the wall clock for what depends on the time of day."""

    def __init__(self) -> None:
        """Start now; needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()

    def now(self) -> Seconds:
        """Loop time since the start."""
        return Seconds(self._loop.time() - self._origin)

    def from_monotonic(self, monotonic_seconds: float) -> Seconds:
        """The same moment as a stamp of `monotonic()` taken in another process of this machine."""
        return Seconds(monotonic_seconds - self._origin)

    def wall(self) -> dt.datetime:
        """Local date and time."""
        if isinstance(self._loop, VirtualTimeLoop):
            return self._loop.wall()
        return dt.datetime.now().astimezone()


def monotonic() -> float:
    """The machine's monotonic clock, for stamps that cross a process border."""
    return time.monotonic()


class _JumpingSelector(selectors.DefaultSelector):
    """Where another selector would sleep, this one moves the clock forward."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock: every task waits and nothing is scheduled")
        self.seconds += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer; only for work that is all in this process."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        """`start` is the wall clock at loop time 0."""
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._start = start or dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)

    @override
    def time(self) -> float:
        return self._jumping.seconds

    def wall(self) -> dt.datetime:
        """The wall clock of virtual time."""
        return self._start + dt.timedelta(seconds=self._jumping.seconds)


def run_virtual(main: Coroutine[Any, Any, T], *, start: dt.datetime | None = None) -> T:
    """Run `main` on virtual time to its end."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start)) as runner:
        return runner.run(main)
