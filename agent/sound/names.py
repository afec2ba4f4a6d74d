"""Which device a name means. Pure; the list comes from PortAudio."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent.errors import DeviceError

Direction = Literal["microphone", "loudspeaker"]

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Device:
    """One entry of PortAudio's list."""

    index: int
    """PortAudio's number for it; good until PortAudio is started anew."""
    name: str
    inputs: int
    """Channels it can record; 0 if it is no microphone."""
    outputs: int
    """Channels it can play; 0 if it is no loudspeaker."""
    rate: int
    """Native rate in Hz, as the driver gives it."""
    default_input: bool
    default_output: bool

    def channels(self, direction: Direction) -> int:
        """How many channels it has that way."""
        return self.inputs if direction == "microphone" else self.outputs

    def is_default(self, direction: Direction) -> bool:
        """True if the system uses it when nothing is said."""
        return self.default_input if direction == "microphone" else self.default_output


def find(devices: Sequence[Device], name: str, direction: Direction) -> Device:
    """The device of that name, or the only one whose name holds it. Raises DeviceError, naming what there is."""
    usable = [device for device in devices if device.channels(direction)]
    if not usable:
        raise DeviceError(f"there is no {direction}: this machine has no sound device for it; wav:FILE can stand in")
    exact = [device for device in usable if device.name == name]
    if name == DEFAULT:
        return next((device for device in usable if device.is_default(direction)), (exact or usable)[0])
    partial = [device for device in usable if name.casefold() in device.name.casefold()]
    if exact or len(partial) == 1:
        return (exact or partial)[0]
    if partial:
        raise DeviceError(f'{direction} "{name}" may mean {_listed(partial)}; give more of the name')
    nearest = difflib.get_close_matches(name, [device.name for device in usable], n=1)
    meant = f'; did you mean "{nearest[0]}"?' if nearest else ""
    raise DeviceError(f'there is no {direction} "{name}", only {_listed(usable)}{meant}')


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f'"{name}"' for name in dict.fromkeys(device.name for device in devices))
