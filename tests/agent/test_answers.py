from __future__ import annotations

import sys

import pytest

from agent import answers
from agent.errors import DeviceError
from tests.scripted_companion import DEVICES, MEMORY, VERDICTS


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


def test_the_memory_is_told_with_what_is_in_it_and_what_waits():
    assert list(answers.memory(MEMORY)) == [
        "GPU 0 (scripted): 6000 MiB of 8000 MiB free, 512 MiB kept for others",
        "left to others: no",
        "models",
        "  mind  loaded, heavy, 4000 MiB, held by thinking for 2.1 s",
        "  stt   loaded, light",
        "waiting",
        "  speaking for the voice (replying), for 0.5 s, at most 19.5 s more: thinking holds the mind",
        "next loads: none",
    ]


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (None, "left to others: a game is running; until you call it back"),
        ("2026-01-05T09:11:00+00:00", "left to others: a game is running; until you call it back (09:11:00)"),
    ],
)
def test_it_is_told_why_the_memory_is_left_to_others_and_until_when(until, words):
    yielding = {"reason": "a game is running", "ends": "you call it back", "until": until}
    assert list(answers.memory({**MEMORY, "yielding": yielding}))[1] == words


def test_what_cannot_be_read_of_the_memory_is_no_figure():
    unread = {"name": "GPU 0", "free_mib": None, "total_mib": None, "reserve_mib": 512}
    assert next(answers.memory({**MEMORY, "memory": unread})) == "GPU 0: ? of ? free, 512 MiB kept for others"


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
