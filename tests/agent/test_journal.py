from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import os
import re
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import __version__
from agent.errors import ParleyError
from agent.events import Decided, LeaseGranted, PromptIssued, Seconds, SentenceReady, Turn, UtteranceHeard
from agent.journal import EVENTS, TEXT_FIELDS, Journal, as_fields, replay

SCHEMA = Path(__file__).parents[2] / "docs" / "journal.md"
STARTED = dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)
HEARD = UtteranceHeard(
    at=Seconds(12.3456789),
    text="a secret",
    audio_seconds=1.5,
    confidence=0.5,
    source="voice",
    speech_ended_at=Seconds(12),
)
GRANTED = LeaseGranted(at=Seconds(1), model="mind", owner="thinking", light=False, waited_seconds=0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "journal.jsonl"


def journal(path, content="terminal", **more):
    return Journal(path, started=STARTED, digest="0123456789ab", content=content, **more)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path, *events, **more):
    book = journal(path, **more)
    for event in events:
        book.take(event)
    book.close()
    return lines(path)


def test_the_first_line_tells_version_wall_clock_and_settings(path):
    assert written(path)[0] == {
        "version": __version__,
        "started": "2026-01-05T09:00:00+00:00",
        "settings": "0123456789ab",
    }


def test_each_event_is_one_line_there_at_once(path):
    book = journal(path)
    book.take(GRANTED)
    assert lines(path)[1] == {
        "at": 1.0,
        "event": "LeaseGranted",
        "model": "mind",
        "owner": "thinking",
        "light": False,
        "waited_seconds": 0.0,
        "load_seconds": 0.0,
    }
    book.close()


@pytest.mark.parametrize("content", ["nowhere", "terminal"])
def test_what_was_said_is_only_counted(path, content):
    assert written(path, HEARD, content=content)[1] == {
        "at": 12.345679,
        "event": "UtteranceHeard",
        "text": "",
        "text_chars": 8,
        "audio_seconds": 1.5,
        "confidence": 0.5,
        "source": "voice",
        "speech_ended_at": 12,
    }


def test_no_field_of_texts_gets_into_the_file(path):
    said = dict.fromkeys(("heard", "occasion", "verbatim"), "a secret")
    prompt = PromptIssued(at=Seconds(1), turn=Turn(1), rule="r", tentative=False, personality="p", **said)
    sentence = SentenceReady(at=Seconds(2), turn=Turn(1), index=0, text="a secret", first_token_at=Seconds(1))
    written(path, HEARD, prompt, sentence)
    assert "secret" not in path.read_text()


def test_texts_are_written_where_the_user_allows_it_everywhere(path):
    assert written(path, HEARD, content="everywhere")[1]["text"] == "a secret"


def test_every_text_on_the_bus_is_known_to_the_journal():
    """Any other field of free text must be one whose words are Parley's own."""
    own_words = {
        "personality", "detail", "rule", "reason", "error", "model", "owner", "engine", "routine", "device", "name",
        "digest",
    }  # fmt: skip
    for kind in EVENTS.values():
        for field in dataclasses.fields(kind):
            assert field.type != "str" or field.name in own_words | TEXT_FIELDS, (kind, field.name)


def test_only_the_user_can_read_it(path):
    path.parent.mkdir()
    path.write_text("")
    path.chmod(0o644)
    written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.one_of([st.from_type(kind) for kind in EVENTS.values()]))
def test_what_was_written_with_texts_is_read_back_equal(event):
    fields = json.loads(json.dumps(as_fields(event, texts=True)))
    kind = EVENTS[fields.pop("event")]
    assert {field.name for field in dataclasses.fields(kind)} == set(fields)


def test_replay_gives_the_events_in_order_without_the_texts_that_were_left_out(path):
    until = Decided(
        at=Seconds(2), verdict="silent", rule="patience", reason="It is early.", until=Seconds(60), turn=None
    )
    written(path, GRANTED, HEARD, until)
    written(path, GRANTED)
    silent = dataclasses.replace(HEARD, text="", at=Seconds(12.345679))
    assert list(replay(path)) == [GRANTED, silent, until, GRANTED]


def test_half_a_line_from_a_crash_is_passed_over(path, caplog):
    written(path, GRANTED)
    with path.open("a") as file:
        file.write('{"at": 3, "eve')
    book = journal(path)
    book.take(GRANTED)
    book.close()
    assert list(replay(path)) == [GRANTED, GRANTED]
    assert "journal.jsonl:3: passed over half a line" in caplog.text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[]", ":1: is not a line of a journal"),
        ('{"at": 1, "event": "Sneezed"}', ":1: tells of an event that this version does not know"),
        ('{"at": 1, "event": "PromptCommitted"}', ":1: PromptCommitted does not fit this version"),
    ],
)
def test_what_is_no_journal_is_told_with_its_line(path, line, expected):
    path.parent.mkdir()
    path.write_text(line + "\n")
    with pytest.raises(ParleyError, match=re.escape(f"{path}{expected}")):
        list(replay(path))


def test_a_journal_that_is_not_there_is_one_sentence(path):
    with pytest.raises(ParleyError, match="cannot be read"):
        list(replay(path))


def test_a_full_file_makes_room_for_a_new_one_and_three_old_ones_are_kept(path):
    book = journal(path, max_bytes=400)
    for _ in range(40):
        book.take(GRANTED)
    book.close()
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["journal.jsonl", "journal.jsonl.1", "journal.jsonl.2", "journal.jsonl.3"]
    for name in names:
        assert (path.parent / name).stat().st_size <= 400
        assert "version" in lines(path.parent / name)[0]


def test_a_place_that_cannot_be_written_is_told_once_and_disturbs_nobody(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    book = journal(tmp_path / "file" / "journal.jsonl")
    book.take(GRANTED)
    book.take(GRANTED)
    assert len(caplog.records) == 1
    assert "cannot write the journal" in caplog.text


def test_what_is_no_file_is_never_written(tmp_path, caplog):
    os.mkfifo(tmp_path / "pipe")
    journal(tmp_path / "pipe").take(GRANTED)
    assert "cannot write the journal" in caplog.text
    caplog.clear()
    journal(Path("/dev/null")).take(GRANTED)
    assert "is not a file" in caplog.text


def test_a_full_disk_is_told_once_and_what_is_missing_is_counted_when_there_is_room_again(path, caplog):
    caplog.set_level(logging.WARNING)
    book = journal(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        for _ in range(3):
            book.take(GRANTED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    book.take(GRANTED)
    book.close()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "3 events are missing" in caplog.text
    assert list(replay(path)) == [GRANTED]


@pytest.mark.parametrize("name", EVENTS)
def test_the_schema_in_the_documentation_names_every_field(name):
    row = next(line for line in SCHEMA.read_text().splitlines() if line.startswith(f"| `{name}` |"))
    fields = [field.name for field in dataclasses.fields(EVENTS[name]) if field.name != "at"]
    documented = re.findall(r"`(\w+)`", row.split("|")[2])
    assert documented == fields
