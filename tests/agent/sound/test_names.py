"""Which device a name means."""

from __future__ import annotations

import pytest

from agent.errors import DeviceError
from agent.sound.names import Device, find


def device(index: int, name: str, inputs: int = 1, outputs: int = 0, *, default: bool = False):
    return Device(index, name, inputs, outputs, 48_000, default_input=default, default_output=default)


DEVICES = [
    device(0, "HDA Intel: ALC257 Analog", 2, 2),
    device(1, "Yeti Stereo Microphone: USB Audio", 2, default=True),
    device(2, "Webcam: USB Audio"),
    device(3, "HDMI 0", 0, 8),
]


@pytest.mark.parametrize(
    ("name", "direction", "index"),
    [
        ("default", "microphone", 1),
        ("default", "loudspeaker", 0),
        ("yeti", "microphone", 1),
        ("Webcam: USB Audio", "microphone", 2),
        ("HDA", "loudspeaker", 0),
        ("hdmi", "loudspeaker", 3),
    ],
)
def test_a_name_or_an_unambiguous_part_of_it_is_found(name: str, direction, index: int):
    assert find(DEVICES, name, direction).index == index


def test_an_exact_name_wins_over_a_longer_one():
    assert find([device(0, "pulse monitor"), device(1, "pulse")], "pulse", "microphone").index == 1


def test_an_ambiguous_name_is_refused_with_the_candidates():
    with pytest.raises(DeviceError, match=r'"Yeti Stereo.*", "Webcam.*give more'):
        find(DEVICES, "USB Audio", "microphone")


def test_an_unknown_name_is_refused_with_all_names_and_the_nearest():
    with pytest.raises(DeviceError, match=r'no loudspeaker "HDMI 1", only .*did you mean "HDMI 0"'):
        find(DEVICES, "HDMI 1", "loudspeaker")


def test_a_microphone_is_no_loudspeaker():
    with pytest.raises(DeviceError, match="no loudspeaker"):
        find(DEVICES, "Yeti", "loudspeaker")


def test_a_machine_without_a_device_says_so_in_one_line():
    with pytest.raises(DeviceError) as refusal:
        find([], "default", "microphone")
    assert str(refusal.value) == (
        "there is no microphone: this machine has no sound device for it; wav:FILE can stand in"
    )
