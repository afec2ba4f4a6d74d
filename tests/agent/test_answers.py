from __future__ import annotations

import sys

import pytest

from agent import answers
from agent.errors import DeviceError
from tests.scripted_companion import DEVICES, VERDICTS


def test_verdicts_are_lines_and_the_last_tells_how_long_it_holds():
    assert list(answers.verdicts(VERDICTS)) == [
        "09:00:01  prompt  You finished.  [new_words]",
        "09:00:04  silent  It is early.  [patience]  in force until 09:01:04 (60 s) or something happens",
    ]


def test_a_verdict_that_only_an_event_can_end_says_so():
    assert next(answers.verdicts(VERDICTS[:1])).endswith("[new_words]  in force until something happens")


def test_before_the_first_decision_there_is_nothing_to_tell():
    assert list(answers.verdicts([])) == ["Nothing has been decided yet."]


def test_facts_are_lines_and_what_belongs_together_is_indented():
    found = {
        "state": "listening",
        "muted": False,
        "up_seconds": 4.0,
        "models": {"mind": "x"},
        "owners": [],
        "turn": None,
    }
    assert list(answers.facts(found)) == [
        "state       listening",
        "muted       no",
        "up seconds  4.00",
        "models",
        "  mind  x",
        "owners      none",
        "turn        none",
    ]


def test_the_chosen_devices_are_marked():
    assert list(answers.devices(DEVICES, microphone="headset", loudspeaker="default")) == [
        "Microphones:",
        "    Built-in Audio  (48000 Hz, default)",
        "  * USB Headset  (16000 Hz)",
        "Loudspeakers:",
        "  * Built-in Audio  (48000 Hz, default)",
    ]


def test_a_chosen_device_that_is_not_there_is_told():
    lines = list(answers.devices([], microphone="Lost One", loudspeaker="wav:out.wav"))
    assert lines == [
        "Microphones: none",
        '  ! "Lost One" is chosen and not there',
        "Loudspeakers: none",
        "  * wav:out.wav",
    ]


def test_a_name_that_several_devices_have_is_told():
    assert '  ! "u" could be any of these' in list(answers.devices(DEVICES, microphone="u", loudspeaker="default"))


@pytest.mark.parametrize("code", ["import sys; sys.exit('no PortAudio')", "print('{')"])
def test_a_listing_that_fails_is_one_sentence(monkeypatch, code):
    monkeypatch.setattr(answers, "_LIST_DEVICES", code)
    with pytest.raises(DeviceError, match=r"sound devices cannot be listed: (no PortAudio|JSONDecodeError)"):
        answers.installed_devices()


def test_devices_are_listed_by_a_child_so_that_this_process_never_loads_portaudio():
    before = set(sys.modules)
    found = answers.installed_devices()
    assert all({"name", "inputs", "outputs", "rate", "default_input", "default_output"} <= set(each) for each in found)
    assert "pyaudio" not in set(sys.modules) - before
