"""The real espeak-ng through the real RealtimeTTS."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from agent.engines import espeak
from agent.engines.api import SAMPLE_RATE, Speak
from agent.engines.espeak import Espeak
from agent.errors import EngineFailed, ModelMissing

SENTENCE = "Good morning, what would you like to do today?"


@pytest.fixture(scope="module")
def voice():
    loaded = _load()
    yield loaded
    loaded.close()


def _load(**settings):
    engine = Espeak(settings)
    engine.load(lambda _note: None)
    return engine


def _say(engine, text, **manner):
    chunks = [sound.samples for sound in engine.handle(Speak(text, **manner), lambda: False)]
    return chunks, np.frombuffer(b"".join(chunks), np.int16)


def _seconds(samples):
    return len(samples) / SAMPLE_RATE


def test_a_sentence_has_a_plausible_length_and_loudness_and_comes_in_small_chunks(voice):
    chunks, samples = _say(voice, SENTENCE)
    assert 1.5 < _seconds(samples) < 4.0
    assert 1000 < np.sqrt(np.mean(samples.astype(float) ** 2)) < 12_000
    assert len(chunks) > 20
    assert np.median([len(chunk) // 2 for chunk in chunks]) < 0.06 * SAMPLE_RATE


def test_it_is_trimmed_at_both_ends(voice):
    _, samples = _say(voice, SENTENCE)
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    assert loud[0] < 0.02 * SAMPLE_RATE
    assert 0.05 * SAMPLE_RATE < len(samples) - loud[-1] < 0.08 * SAMPLE_RATE


def test_the_same_sentence_sounds_the_same_whatever_was_said_before(voice):
    _, first = _say(voice, SENTENCE)
    _say(voice, "Something else entirely.")
    assert np.array_equal(_say(voice, SENTENCE)[1], first)


def test_speed_and_voice_are_obeyed(voice):
    _, normal = _say(voice, SENTENCE)
    _, fast = _say(voice, SENTENCE, speed=1.5)
    _, scottish = _say(voice, SENTENCE, voice="en-gb-scotland")
    assert _seconds(fast) < 0.8 * _seconds(normal)
    assert not np.array_equal(scottish, normal)


def test_the_voice_in_the_settings_goes_before_the_personalitys():
    stubborn = _load(name="en-gb-scotland")
    _, samples = _say(stubborn, "Good morning.", voice="en-us")
    assert np.array_equal(samples, _say(stubborn, "Good morning.")[1])
    stubborn.close()


@pytest.mark.parametrize("unknown", ["nobody", "--help", "../secret"])
def test_an_unknown_voice_falls_back_to_english_and_says_so_once(voice, caplog, unknown):
    with caplog.at_level(logging.WARNING):
        _, samples = _say(voice, "Good morning.", voice=unknown)
        _say(voice, "Good morning.", voice=unknown)
    assert _seconds(samples) > 0.4
    assert [unknown in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("text", ["--help", "-f /etc/passwd", "$(id); `id`", "[[h@l'oU]] you", "line one\nline two"])
def test_text_is_spoken_and_never_an_option_or_a_command(voice, text):
    assert _seconds(_say(voice, text)[1]) > 0.2


@pytest.mark.parametrize("text", ["", "...", "  \n", "?!"])
def test_what_has_no_word_is_silent_and_no_failure(voice, text):
    assert _say(voice, text)[0] == []


def test_a_cancel_ends_the_process_and_the_next_sentence_is_whole(voice):
    _, whole = _say(voice, SENTENCE)
    cancelled = threading.Event()
    speech = voice.handle(Speak(SENTENCE * 50), cancelled.is_set)
    next(speech)
    process = voice._engine._speaking
    cancelled.set()
    assert len(list(speech)) < 50
    assert process is None or process.poll() is not None
    assert np.array_equal(_say(voice, SENTENCE)[1], whole)


def test_closing_the_results_ends_the_sentence(voice):
    speech = voice.handle(Speak(SENTENCE * 50), lambda: False)
    next(speech)
    speech.close()
    assert voice._engine._speaking is None
    assert threading.active_count() == 1


def test_no_process_is_left_behind():
    engine = _load()
    _say(engine, "Good morning.")
    _, spare = engine._engine._spare
    assert spare.poll() is None
    engine.close()
    assert spare.poll() is not None


def _speak_through(monkeypatch, path, script):
    """Put a script in espeak-ng's place."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(espeak, "_COMMAND", str(path))


def test_a_sentence_without_sound_is_tried_twice_and_then_raised_without_its_text(monkeypatch, tmp_path):
    tries = tmp_path / "tries"
    _speak_through(monkeypatch, tmp_path / "mute", f"cat > /dev/null; echo again >> {tries}")
    engine = _load()
    with pytest.raises(EngineFailed, match="no sound, twice") as caught:
        _say(engine, "My secret.")
    engine.close()
    assert "secret" not in str(caught.value)
    assert len(tries.read_text().split()) >= 2


def test_a_voice_that_comes_back_at_the_second_try_is_heard(monkeypatch, tmp_path):
    real, tried = shutil.which("espeak-ng"), tmp_path / "tried"
    script = f'if [ -e {tried} ]; then exec {real} "$@"; fi; cat > /dev/null; touch {tried}'
    _speak_through(monkeypatch, tmp_path / "late", script)
    engine = _load()
    assert _seconds(_say(engine, "Good morning.")[1]) > 0.4
    engine.close()


def test_espeak_ngs_own_complaint_is_told(monkeypatch, tmp_path):
    _speak_through(monkeypatch, tmp_path / "broken", "echo no data directory >&2; exit 1")
    engine = _load()
    with pytest.raises(EngineFailed, match="no data directory"):
        _say(engine, "Good morning.")
    engine.close()


def test_without_espeak_ng_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(espeak, "_COMMAND", "espeak-ng-that-is-not-there")
    with pytest.raises(ModelMissing, match="apt install espeak-ng"):
        _load()


def test_no_tokenizer_of_sentences_is_ever_imported():
    program = (
        "import sys\n"
        "from agent.engines.espeak import Espeak\n"
        "from agent.engines.api import Speak\n"
        "engine = Espeak({})\n"
        "engine.load(print)\n"
        "assert list(engine.handle(Speak('Hello. How are you?'), lambda: False))\n"
        "engine.close()\n"
        "print(sorted({'nltk', 'stanza', 'stream2sentence', 'torch'} & set(sys.modules)))\n"
    )
    here = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=here)
    assert done.stdout.strip() == "[]"
