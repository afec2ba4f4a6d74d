"""Keeping a device: noticing that it has fallen silent, and when to try again. Pure; moments come as arguments.

A device that is pulled out does not raise: its callbacks just stop. So the sign of life is data, also after opening
again: a device is found when it delivers, not when it opens.
"""

from __future__ import annotations

from typing import Final

from agent.sound.api import Found, Lost

FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 10.0
"""The pause between attempts doubles up to this."""


class StallWatch:
    """The life of one device, under one name."""

    def __init__(self, device: str, stall_seconds: float) -> None:
        """Closed. `stall_seconds` without data means that it is lost."""
        self._device = device
        self._stall_seconds = stall_seconds
        self._alive_at: float | None = None
        self._retry_at: float | None = None
        self._pause = FIRST_RETRY_SECONDS
        self.lost = False
        """True from the loss until the first data after it."""

    def opened(self, now: float) -> None:
        """The device was opened and has to deliver from now on."""
        self._alive_at, self._retry_at = now, None

    def closed(self) -> None:
        """The device was closed on purpose."""
        self._alive_at = self._retry_at = None
        self._pause, self.lost = FIRST_RETRY_SECONDS, False

    def delivered(self, at: float) -> Found | None:
        """The device delivered, or took, data at that moment."""
        self._alive_at = at
        if not self.lost:
            return None
        self._pause, self.lost = FIRST_RETRY_SECONDS, False
        return Found(device=self._device)

    def failed(self, error: str, now: float) -> Lost | None:
        """It could not be opened, or stalled; told once for each loss."""
        self._alive_at = None
        self._retry_at = now + self._pause
        self._pause = min(2 * self._pause, LAST_RETRY_SECONDS)
        if self.lost:
            return None
        self.lost = True
        return Lost(device=self._device, error=error)

    def stalled(self, now: float) -> bool:
        """True if it is open and has not delivered for too long; then call `failed`."""
        return self._alive_at is not None and now >= self._alive_at + self._stall_seconds

    def retry(self, now: float) -> bool:
        """True if it is time to open it again."""
        return self._retry_at is not None and now >= self._retry_at

    def due(self) -> float | None:
        """When `stalled` or `retry` may become true."""
        return self._retry_at if self._alive_at is None else self._alive_at + self._stall_seconds
