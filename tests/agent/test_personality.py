from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from agent.errors import PersonalityError
from agent.personality import load, prompt_folders, read, time_of_day
from agent.settings import UserSettings

SHIPPED = Path(__file__).parents[2] / "prompts"
WHOLE = """---
name: Ada   # a comment
voice: en-gb
speed: 1.5
patience: 90
chattiness: 0
greeting: "Hello, I am {name}."
---
You are {name}. It is {time_of_day}. {user}

Write {{braces}} twice.
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "prompts"
    path.mkdir()
    return path


def written(folder, text, name="ada"):
    path = folder / f"{name}.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def told(folder, text):
    """What the user is told about this file, without its path."""
    path = written(folder, text)
    with pytest.raises(PersonalityError) as raised:
        read(path)
    return str(raised.value).removeprefix(str(path))


def test_a_file_becomes_a_personality(folder):
    path = written(folder, WHOLE)
    found = read(path)
    assert (found.name, found.voice, found.speed, found.patience_seconds, found.chattiness) == (
        "Ada",
        "en-gb",
        1.5,
        90,
        0,
    )
    assert found.greeting == "Hello, I am Ada."
    assert found.digest == hashlib.sha256(WHOLE.encode()).hexdigest()[:12]
    assert found.path == path


def test_the_system_prompt_says_who_it_is_what_time_it_is_and_what_is_known_of_the_user(folder):
    found = read(written(folder, WHOLE))
    known = found.system_prompt("morning", UserSettings(name="Eve", about="They like {name}."))
    assert known == ("You are Ada. It is morning. Their name is Eve. They like {name}.\n\nWrite {braces} twice.")
    assert "You do not know their name yet." in found.system_prompt("night", UserSettings())


def test_only_a_name_is_needed(folder):
    found = read(written(folder, "---\nname: Ada\n---\nHi.\n"))
    assert (found.voice, found.speed, found.greeting, found.body) == ("", 1.0, "", "Hi.")


@pytest.mark.parametrize("text", [WHOLE.replace("\n", "\r\n"), "\ufeff" + WHOLE])
def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(folder, text):
    assert read(written(folder, text)).body == read(written(folder, WHOLE, "other")).body


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("patience: 90", "patients: 90", ":5: unknown key patients; did you mean patience? known are name, voice,"),
        ("speed: 1.5", "speed: fast", ":4: speed must be a number from 0.5 to 2"),
        ("speed: 1.5", 'speed: "1.5"', ":4: speed must be a number"),
        ("speed: 1.5", "speed: 9", ":4: speed must be a number from 0.5 to 2"),
        ("speed: 1.5", "speed: .nan", ":4: speed must be a number"),
        ("speed: 1.5", "speed: [1]", ":4: speed must be a number"),
        ("name: Ada ", "name: 7 ", ":2: name must be a text (in quotes)"),
        ("name: Ada ", "name: ", ":2: name must be a text"),
        ("name: Ada ", 'name: "" ', ":2: has no name; add a line name: …"),
        ("name: Ada", "# nothing", ":2: has no name"),
        ("voice: en-gb", "name: Eve", ":3: name is given twice; delete one"),
        ("voice: en-gb", "voice: [", "the front matter is not YAML"),
        ("voice: en-gb", "voice: !!python/name:os.system x", ":3: voice must be a text"),
        ("voice: en-gb", "voice: a\x07b", ":3: holds a control character; delete it"),
        ("I am {name}", "I am {user}", ":7: unknown placeholder {user}; known are {name}"),
        ("{time_of_day}", "{time_of_dya}", ":9: unknown placeholder {time_of_dya}; did you mean {time_of_day}?"),
        ("{{braces}}", "{braces", ":11: a single {; write it twice"),
        ("{{braces}}", "braces}", ":11: a single }; write it twice"),
    ],
)
def test_a_broken_line_is_told_by_its_number_and_with_a_remedy(folder, old, new, expected):
    assert old in WHOLE
    assert expected in told(folder, WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You are {name}.", ":1: has no front matter; begin with a line ---"),
        ("", ":1: has no front matter"),
        ("---\nname: Ada\n", "the front matter has no end; close it"),
        ("---\nname: Ada\n---\n \n", ":3: has no body; write the system prompt"),
        ("---\njust words\n---\nHi", ":2: the front matter must be lines of the form key: value"),
        ("---\n" + "[" * 500 + "\n---\nHi", ":2: the front matter must be lines of the form key: value"),
        ("---\n---\nHi", ":2: has no name"),
        (b"---\nname: Ada\n---\nHi \xff", ":4: is not UTF-8; save the file as UTF-8"),
        ("---\nname: Ada\n---\n" + "x" * 65536, ": is longer than 64 KB"),
    ],
)
def test_a_broken_file_is_told_with_a_remedy(folder, text, expected):
    assert expected in told(folder, text)


def test_the_folders_are_asked_in_order(folder, tmp_path):
    written(folder, WHOLE)
    other = tmp_path / "other"
    other.mkdir()
    first = written(other, WHOLE.replace("Ada", "Eve"))
    assert load("ada", [tmp_path / "absent", other, folder]).path == first


def test_the_users_own_folder_comes_first_and_the_shipped_ones_last():
    folders = prompt_folders({"XDG_CONFIG_HOME": "/c"})
    assert folders[:2] == [Path("/c/parley/prompts"), Path("prompts")]
    assert folders[-1] == SHIPPED


def test_a_name_that_is_not_there_is_told_with_those_that_are(folder):
    written(folder, WHOLE)
    with pytest.raises(PersonalityError, match=r"there is no personality adda; did you mean ada[?] there are ada"):
        load("adda", [folder])


@pytest.mark.parametrize("name", ["../ada", "/etc/passwd", "a/b", ".."])
def test_a_name_that_is_a_path_is_refused(folder, name):
    with pytest.raises(PersonalityError):
        load(name, [folder])


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    outside = written(tmp_path, WHOLE, "outside")
    (folder / "ada.md").symlink_to(outside)
    with pytest.raises(PersonalityError, match=r"leads out of .*; put a copy"):
        load("ada", [folder])


def test_what_is_no_file_is_refused(folder):
    (folder / "ada.md").mkdir()
    with pytest.raises(PersonalityError, match="is not a file"):
        load("ada", [folder])


@pytest.mark.parametrize(
    ("hour", "expected"), [(4, "night"), (5, "morning"), (12, "afternoon"), (18, "evening"), (23, "night")]
)
def test_the_time_of_day_is_what_people_call_it(hour, expected):
    assert time_of_day(dt.datetime(2026, 1, 5, hour, tzinfo=dt.UTC)) == expected


@pytest.mark.parametrize("name", ["parley", "juniper", "flint"])
def test_the_shipped_ones_are_sound(name):
    found = load(name, [SHIPPED])
    assert found.name in found.system_prompt("evening", UserSettings(name="Eve"))
