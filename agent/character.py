"""Who Parley is at the moment: follows the personality's file, so that an edit counts from the next decision on."""

from __future__ import annotations

import logging
from pathlib import Path

from agent import personality as personalities
from agent.bus import Bus
from agent.clock import Clock
from agent.errors import PersonalityError
from agent.events import PersonalityChanged
from agent.personality import Personality

_LOGGER = logging.getLogger(__name__)


class Character:
    """The personality in force; the only one who reads its file anew."""

    def __init__(self, personality: Personality, bus: Bus, clock: Clock) -> None:
        """`personality` is in force until its file says otherwise."""
        self._bus = bus
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self.current = personality
        """The one in force."""

    def refresh(self) -> Personality:
        """Read the file if it was touched since the last look; a broken one is told once and changes nothing."""
        path = self.current.path
        stamp = _stamp(path)
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._become(personalities.load(path.stem, [path.parent]))
            except PersonalityError as error:
                _LOGGER.warning("%s; %s stays as it was", error, self.current.name)
        return self.current

    def _become(self, found: Personality) -> None:
        if found.digest == self.current.digest:
            return
        self.current = found
        self._bus.publish(PersonalityChanged(at=self._clock.now(), name=found.name, digest=found.digest))


def _stamp(path: Path) -> tuple[int, int] | None:
    """What is another after every edit: the time in nanoseconds and the size; None if the file is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
