"""Sound cards as devices: streams that are kept alive, and the one PortAudio below them.

What PortAudio is like, and what follows. Its list of devices is frozen when it starts: to see a device that came back
it has to be started anew, which stops every stream; so both streams live here, together. A vanished device raises
nothing, its callbacks just stop: so data is the sign of life (`stall`). Closing from a second thread can hang: so one
thread opens and closes. Callbacks only move samples, and take no lock: they append to deques and wake that thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from typing_extensions import override

from agent.errors import DeviceError
from agent.sound.api import Lost
from agent.sound.names import Device, Direction, find
from agent.sound.stall import StallWatch

_STALLED: Final = "it stopped delivering"


@dataclass(frozen=True, slots=True)
class Format:
    """How a device is opened."""

    device: Device
    rate: int
    """Hertz."""
    channels: int


Callback = Callable[[bytes, int, float], bytes | None]
"""Samples of a microphone, how many are given or wanted, and the latency: how many seconds ago the last one was
captured, or until the first one sounds. A loudspeaker's returns the samples. Called from PortAudio's thread."""


class Port(Protocol):
    """What the cards need of PortAudio."""

    def start(self) -> None:
        """Look at the machine's devices."""
        ...

    def stop(self) -> None:
        """Forget them; no stream may be open."""
        ...

    def devices(self) -> list[Device]:
        """What was there at `start`."""
        ...

    def format(self, device: Device, direction: Direction) -> Format:
        """How the device can be opened. Raises DeviceError."""
        ...

    def open(self, form: Format, direction: Direction, block: int, callback: Callback) -> Callable[[], None]:
        """A running stream in blocks of so many samples; returns what closes it. Raises OSError."""
        ...


class SoundCards:
    """One PortAudio and the devices that are used through it."""

    def __init__(self, port: Port, stall_seconds: float, wake: Callable[[], None]) -> None:
        """Start PortAudio; `wake` makes the owner call `advance` soon, from any thread."""
        self._port = port
        self.stall_seconds = stall_seconds
        """No data for so long means that a device is lost."""
        self.wake = wake
        self._cards: list[Card] = []
        port.start()

    def add(self, card: Card) -> None:
        """The card lives on this PortAudio from now on."""
        self._cards.append(card)

    def format(self, name: str, direction: Direction) -> Format:
        """How that device can be opened. Raises DeviceError."""
        return self._port.format(find(self._port.devices(), name, direction), direction)

    def open(self, form: Format, direction: Direction, seconds: float, callback: Callback) -> Callable[[], None]:
        """A running stream in blocks of about `seconds`; returns what closes it. Raises OSError."""
        return self._port.open(form, direction, round(form.rate * seconds), callback)

    def refresh(self, now: float) -> None:
        """Start PortAudio anew, so that it looks at the devices again; but not while a turn sounds."""
        if any(card.busy for card in self._cards):
            return
        running = [card for card in self._cards if card.release()]
        self._port.stop()
        self._port.start()
        for card in running:
            card.reopen(now)

    def close(self) -> None:
        """End PortAudio; the devices are closed."""
        self._port.stop()


class Card:
    """A stream that is wanted, or lost and tried again: what both directions share."""

    direction: Direction
    block_seconds: float
    busy: bool
    """True while it must not be interrupted to look for devices."""

    def __init__(self, cards: SoundCards, name: str) -> None:
        """Closed. Raises DeviceError if there is no such device."""
        self._cards = cards
        self._name = name
        self._format = cards.format(name, self.direction)
        self._watch = StallWatch(f'{self.direction} "{name}"', cards.stall_seconds)
        self._close: Callable[[], None] | None = None
        self._lost: list[Lost] = []
        cards.add(self)

    @override
    def __str__(self) -> str:
        """For a person: what it is and how it is used."""
        return f'"{self._format.device.name}" at {self._format.rate} Hz'

    def reopen(self, now: float) -> None:
        """Open the stream, or plan the next attempt."""
        if self._close is not None:
            return
        try:
            self._format = self._cards.format(self._name, self.direction)
            self._begin()
            self._close = self._cards.open(self._format, self.direction, self.block_seconds, self._called)
        except (OSError, DeviceError) as error:
            self._fail(str(error), now)
        else:
            self._watch.opened(now)

    def release(self) -> bool:
        """Close the stream; True if there was one. After it no callback runs."""
        close, self._close = self._close, None
        if close is not None:
            close()
        return close is not None

    def _keep(self, now: float) -> list[Lost]:
        """Notice a stall, or try again; word of a loss."""
        if self._watch.stalled(now):
            self.release()
            self._fail(_STALLED, now)
        elif self._watch.retry(now):
            self._cards.refresh(now)
            self.reopen(now)
        lost, self._lost = self._lost, []
        return lost

    def _fail(self, error: str, now: float) -> None:
        lost = self._watch.failed(error, now)
        self._lost += [lost] if lost else []

    def _begin(self) -> None:
        """Make ready for a new stream of `self._format`."""
        raise NotImplementedError

    def _called(self, data: bytes, count: int, latency: float) -> bytes | None:
        """PortAudio's callback."""
        raise NotImplementedError
