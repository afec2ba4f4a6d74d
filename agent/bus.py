"""The event bus: publishing is synchronous and cannot fail; every subscriber has an inbox of its own.

A subscriber that stalls fills only its own inbox. When that is full, the oldest event that may be dropped goes
(partial texts, verdicts); if none may, the inbox breaks: its reader gets `InboxOverflow`, crashes visibly and is
started anew by the supervisor. No fact of a conversation is lost in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from agent.events import Decided, Event, PartialHeard

_LOGGER = logging.getLogger(__name__)
_DROPPABLE = (PartialHeard, Decided)
_CAPACITY = 1024

Tap = Callable[[Event], None]


class InboxOverflow(Exception):
    """The reader of an inbox fell too far behind."""


class Inbox:
    """What one subscriber has yet to read, in the order of publication."""

    def __init__(self, types: tuple[type[Event], ...], capacity: int = _CAPACITY) -> None:
        """Hold at most `capacity` events of `types`; all events if no types are given."""
        self._types = types or (Event,)
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._broken = False
        self.dropped = 0
        """How many droppable events were dropped."""

    def put(self, event: Event) -> None:
        """Take the event if it is of interest."""
        if not isinstance(event, self._types) or self._broken:
            return
        if len(self._events) >= self._capacity and not self._drop_one():
            self._broken = True
        else:
            self._events.append(event)
        self._arrived.set()

    async def get(self) -> Event:
        """The next event; waits for it."""
        while not self._events:
            if self._broken:
                self._broken = False
                raise InboxOverflow
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    def waiting(self) -> tuple[Event, ...]:
        """What is here and not read yet; to see that an order was overtaken by a later one."""
        return tuple(self._events)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Every event, for as long as the reader lives."""
        while True:
            yield await self.get()

    def _drop_one(self) -> bool:
        for event in self._events:
            if isinstance(event, _DROPPABLE):
                self._events.remove(event)
                self.dropped += 1
                return True
        return False


class Bus:
    """One publisher's fact to every inbox and tap."""

    def __init__(self) -> None:
        """A bus that nobody listens to yet."""
        self._inboxes: list[Inbox] = []
        self._taps: list[Tap] = []

    def publish(self, event: Event) -> None:
        """Hand the event to everyone; a tap that raises is logged and does not disturb the others."""
        for inbox in self._inboxes:
            inbox.put(event)
        for tap in self._taps:
            try:
                tap(event)
            except Exception:
                _LOGGER.exception("a tap failed on %s", type(event).__name__)

    def inbox(self, *types: type[Event]) -> Inbox:
        """A new inbox for events of these types, from now on."""
        inbox = Inbox(types)
        self._inboxes.append(inbox)
        return inbox

    def close(self, inbox: Inbox) -> None:
        """The inbox takes no more."""
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)

    def tap(self, tap: Tap) -> Callable[[], None]:
        """Call `tap` with every event, at once; returns what removes it."""
        self._taps.append(tap)
        return lambda: self._taps.remove(tap)
