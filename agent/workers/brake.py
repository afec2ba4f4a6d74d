"""How the reader of the wire makes the engine's thread stand still, go on and give up.

The engine's thread looks here in front of each request, between two results, and wherever an engine asks whether it
was cancelled; that is where it can be held. What it computes natively is never interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.workers import wire


class Task:
    """A request on its way through the child."""

    def __init__(self, request: wire.Request) -> None:
        """Neither started nor cancelled."""
        self.request = request
        self.cancelled = False
        self.started = False


class Brake:
    """Whether the engine may go on."""

    def __init__(self, stands_still: Callable[[int], None]) -> None:
        """`stands_still` is told the number of each pause, once, when the engine stands still for it."""
        self._stands_still = stands_still
        self._changed = threading.Condition()
        """Held for every change here and of a task, so that exactly one thread answers a request that is cancelled."""
        self._pause = 0
        """The number of the pause that is wanted; 0 for none."""
        self._told = 0
        self._moving = False
        """The engine is at work."""

    # --- the reader's -----------------------------------------------------------------------------------------------

    def pause(self, number: int) -> None:
        """Have the engine stand still; one that does already is told of anew."""
        with self._changed:
            self._pause = number
            self._tell()

    def resume(self) -> None:
        """Let it go on."""
        with self._changed:
            self._pause = 0
            self._changed.notify()

    def cancel(self, task: Task) -> bool:
        """Have the engine give the task up, paused or not; False if it has not begun it and never will."""
        with self._changed:
            task.cancelled = True
            self._changed.notify()
            return task.started

    # --- the engine's -----------------------------------------------------------------------------------------------

    def start(self, task: Task) -> bool:
        """In front of a task: wait while paused. False if the task was cancelled before it began."""
        with self._changed:
            self._wait(task)
            task.started = self._moving = not task.cancelled
        return task.started

    def give_up(self, task: Task) -> bool:
        """In the middle of a task: stand still while paused. Whether the task was cancelled."""
        if self._pause:  # without the lock: a pause that is overlooked now is seen at the next look
            with self._changed:
                self._stop()
                self._wait(task)
                self._moving = True
        return task.cancelled

    def end(self) -> None:
        """Behind a task."""
        with self._changed:
            self._stop()

    def _stop(self) -> None:
        self._moving = False
        self._tell()

    def _wait(self, task: Task) -> None:
        while self._pause and not task.cancelled:
            self._changed.wait()

    def _tell(self) -> None:
        if not self._moving and self._pause > self._told:
            self._told = self._pause
            self._stands_still(self._pause)
