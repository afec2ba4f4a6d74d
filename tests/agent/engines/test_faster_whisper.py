"""The real engine on a tiny model of the right shape."""

from __future__ import annotations

import runpy
import shutil
import socket
from pathlib import Path

import pytest

from agent.engines.api import Hear, Partial, Transcribe, Transcript
from agent.engines.faster_whisper import FasterWhisper
from agent.errors import ModelMissing
from tests.speech import noise, silence

TINY = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "make_tiny_whisper.py"))
SECOND = noise(1.0, 500).tobytes()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return TINY["make_tiny_whisper"](tmp_path_factory.mktemp("models") / "tiny", says="hello there")


@pytest.fixture(scope="module")
def hello(tiny):
    return _load(tiny)


def _load(path, **settings):
    engine = FasterWhisper({"model": str(path), "language": "en", "device": "cpu", "threads": 1, **settings})
    engine.facts = engine.load(lambda _note: None)
    return engine


def _asked(engine, request, cancelled=lambda: False):
    return list(engine.handle(request, cancelled))


def test_it_loads_a_directory_and_says_what_runs(hello):
    assert hello.facts.engine == "faster-whisper, tiny, int8 on cpu"
    assert not hello.facts.heavy


def test_a_segment_becomes_one_transcript(hello):
    [transcript] = _asked(hello, Transcribe(7, SECOND))
    assert (transcript.segment, transcript.text) == (7, "hello there")


def test_a_sure_model_is_confident_and_hears_speech(hello):
    [transcript] = _asked(hello, Transcribe(1, SECOND))
    assert transcript.confidence > 0.9
    assert transcript.no_speech < 0.1
    assert transcript.compression < 1.0


def test_an_unsure_model_is_not_confident(tmp_path):
    engine = _load(TINY["make_tiny_whisper"](tmp_path, lead=8.0))
    [transcript] = _asked(engine, Transcribe(1, SECOND))
    assert transcript.confidence < 0.2


def test_where_the_model_hears_no_speech_and_is_unsure_there_is_no_text(tmp_path):
    engine = _load(TINY["make_tiny_whisper"](tmp_path, lead=8.0, no_speech=True))
    [transcript] = _asked(engine, Transcribe(1, SECOND))
    assert transcript == Transcript(1, "", confidence=0.0, no_speech=0.6)


def test_more_than_half_a_minute_is_read_in_parts(hello):
    [transcript] = _asked(hello, Transcribe(1, silence(31).tobytes()))
    assert transcript.text == "hello there hello there"


def test_a_cancel_between_two_parts_ends_the_reading_without_a_result(hello):
    answers = iter([True])
    assert _asked(hello, Transcribe(1, silence(31).tobytes()), lambda: next(answers, True)) == []


def test_no_sound_has_no_text(hello):
    [transcript] = _asked(hello, Transcribe(1, b""))
    assert (transcript.text, transcript.confidence) == ("", 0.0)


def test_hearing_costs_nothing_unless_partial_texts_are_asked_for(hello):
    assert _asked(hello, Hear(1, SECOND)) == []


def test_partial_texts_come_at_most_once_in_so_many_seconds_of_sound(tiny):
    engine = _load(tiny, partial_seconds=1.0)
    quarters = [Hear(1, SECOND[: len(SECOND) // 4])] * 8
    results = [_asked(engine, quarter) for quarter in quarters]
    assert [index for index, result in enumerate(results) if result] == [3, 7]
    assert results[3] == [Partial(1, "hello there")]


def test_a_new_segment_starts_its_partial_texts_anew(tiny):
    engine = _load(tiny, partial_seconds=1.0)
    half = SECOND[: len(SECOND) // 2]
    assert _asked(engine, Hear(1, half)) == _asked(engine, Hear(2, half)) == []
    assert _asked(engine, Hear(2, half)) == [Partial(2, "hello there")]


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_directory_that_lacks_a_file_is_named_with_what_to_do(tiny, tmp_path, name):
    shutil.copytree(tiny, tmp_path / "broken")
    (tmp_path / "broken" / name).unlink()
    with pytest.raises(ModelMissing, match=rf"broken is no faster-whisper model: {name} missing.*\[stt\] model"):
        _load(tmp_path / "broken")


def test_a_model_name_of_the_hub_is_not_looked_up(monkeypatch):
    def refuse(*_address):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ModelMissing):
        _load("tiny.en")
