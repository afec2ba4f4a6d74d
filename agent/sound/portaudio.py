"""PortAudio: the only importer of pyaudio. Lists devices, finds a format they take, opens streams.

A device is opened at 16 kHz where it, or the sound server behind it, takes that: resampling of our own costs 20 to
60 ms (see `Resampler`) and is left to devices that take nothing but their native rate.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from typing import Any, Final

import pyaudio
from typing_extensions import override

from agent.engines.api import SAMPLE_RATE
from agent.errors import DeviceError
from agent.sound.cards import Callback, Format, Port
from agent.sound.names import Device, Direction

_OTHER_RATES: Final = (48_000, 44_100, 32_000, 96_000)
_LONGEST_LATENCY: Final = 0.5
"""Seconds; a driver that reports more does not know."""
_SIDES: Final[dict[Direction, str]] = {"microphone": "input", "loudspeaker": "output"}

_Answer = tuple[bytes | None, int]


def devices() -> list[Device]:
    """What PortAudio finds on this machine now."""
    port = PortAudio()
    port.start()
    try:
        return port.devices()
    finally:
        port.stop()


class PortAudio(Port):
    """What is used of pyaudio, with types. One thread starts, opens and stops; callbacks come from PortAudio's own."""

    def __init__(self) -> None:
        """Not started."""
        self._port: Any = None

    @override
    def start(self) -> None:
        with _quiet():
            self._port = pyaudio.PyAudio()

    @override
    def stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with _quiet():
                port.terminate()

    @override
    def devices(self) -> list[Device]:
        default_input = self._default("get_default_input_device_info")
        default_output = self._default("get_default_output_device_info")
        return [self._device(i, default_input, default_output) for i in range(self._port.get_device_count())]

    @override
    def format(self, device: Device, direction: Direction) -> Format:
        rates = dict.fromkeys((SAMPLE_RATE, device.rate, *_OTHER_RATES))
        most = device.channels(direction)
        with _quiet():
            for rate in rates:
                for channels in dict.fromkeys((1, min(2, most), most)):
                    if self._takes(device, direction, rate, channels):
                        return Format(device, rate, channels)
        tried = ", ".join(str(rate) for rate in rates)
        raise DeviceError(f'{direction} "{device.name}" takes 16-bit samples at none of {tried} Hz; is it in use?')

    @override
    def open(self, form: Format, direction: Direction, block: int, callback: Callback) -> Callable[[], None]:
        side = _SIDES[direction]
        which: dict[str, Any] = {side: True, f"{side}_device_index": form.device.index}
        with _quiet():
            # pyaudio asks for the device's low latency by itself.
            stream = self._port.open(
                rate=form.rate,
                channels=form.channels,
                format=pyaudio.paInt16,
                frames_per_buffer=block,
                stream_callback=_adapted(form.rate, direction, callback),
                **which,
            )
        return lambda: _close(stream)

    def _takes(self, device: Device, direction: Direction, rate: int, channels: int) -> bool:
        side = _SIDES[direction]
        asked = {f"{side}_device": device.index, f"{side}_channels": channels, f"{side}_format": pyaudio.paInt16}
        try:
            return bool(self._port.is_format_supported(rate, **asked))
        except ValueError:  # pyaudio's word for no
            return False

    def _default(self, question: str) -> int:
        try:
            return int(getattr(self._port, question)()["index"])
        except OSError:
            return -1

    def _device(self, index: int, default_input: int, default_output: int) -> Device:
        info = self._port.get_device_info_by_index(index)
        return Device(
            index=index,
            name=str(info["name"]),
            inputs=int(info["maxInputChannels"]),
            outputs=int(info["maxOutputChannels"]),
            rate=int(info["defaultSampleRate"]),
            default_input=index == default_input,
            default_output=index == default_output,
        )


def _adapted(rate: int, direction: Direction, callback: Callback) -> Callable[..., _Answer]:
    """A callback in pyaudio's shape. Overflow and underflow (`status`) show as gaps of time; nothing else to do."""

    def hear(data: bytes | None, count: int, times: dict[str, float], status: int) -> _Answer:
        del status
        age = times["current_time"] - times["input_buffer_adc_time"] - count / rate
        callback(data or b"", count, _believed(age))
        return None, pyaudio.paContinue

    def sound(data: bytes | None, count: int, times: dict[str, float], status: int) -> _Answer:
        del data, status
        ahead = times["output_buffer_dac_time"] - times["current_time"]
        return callback(b"", count, _believed(ahead)), pyaudio.paContinue

    return hear if direction == "microphone" else sound


def _believed(latency: float) -> float:
    """Drivers that know no latency report nonsense."""
    return latency if 0 <= latency <= _LONGEST_LATENCY else 0.0


def _close(stream: Any) -> None:
    # Not stopped first: stopping waits for what is buffered, for ever if the device has stalled. Closing aborts.
    with contextlib.suppress(OSError):
        stream.close()


@contextlib.contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep what ALSA and JACK write to stderr while devices are probed away from the log."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
