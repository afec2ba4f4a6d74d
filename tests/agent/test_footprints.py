from __future__ import annotations

import logging
import os
import stat

import pytest

from agent import __version__
from agent.engines.catalog import Choice
from agent.footprints import Footprint, Footprints, model_key, open_footprints
from agent.memory import Ram


def choice(model="", **settings):
    return Choice("llama_cpp", "module:Class", {"model": str(model), **settings}, why="it is here")


def test_what_was_measured_is_known_at_the_next_start(tmp_path):
    Footprints(tmp_path / "f.json", "driver 1").remember("mind", footprint_mib=5000, load_seconds=2.5)
    assert Footprints(tmp_path / "f.json", "driver 1").get("mind") == Footprint(5000, 2.5)


def test_what_was_never_measured_is_not_known(tmp_path):
    assert Footprints(tmp_path / "f.json", "driver 1").get("mind") is None


def test_the_last_measurement_counts(tmp_path):
    footprints = Footprints(tmp_path / "f.json", "driver 1")
    footprints.remember("mind", footprint_mib=5000, load_seconds=2.5)
    footprints.remember("mind", footprint_mib=4000, load_seconds=2.0)
    assert footprints.get("mind") == Footprint(4000, 2.0)


def test_what_was_measured_with_other_versions_is_not_used(tmp_path):
    Footprints(tmp_path / "f.json", "driver 1").remember("mind", footprint_mib=5000, load_seconds=2.5)
    later = Footprints(tmp_path / "f.json", "driver 2")
    assert later.get("mind") is None
    later.remember("voice", footprint_mib=2000, load_seconds=1.0)
    assert Footprints(tmp_path / "f.json", "driver 2").get("mind") is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"versions": "driver 1", "models": {"mind": {"footprint_mib": -1, "load_seconds": 1.0}}}',
        b'{"versions": "driver 1", "models": {"mind": {"footprint_mib": "5", "load_seconds": 1.0}}}',
    ],
)
def test_a_broken_file_is_begun_anew_and_the_log_says_so(tmp_path, caplog, text):
    path = tmp_path / "f.json"
    path.write_bytes(text)
    footprints = Footprints(path, "driver 1")
    assert str(path) in caplog.text
    assert footprints.get("mind") is None
    footprints.remember("mind", footprint_mib=5000, load_seconds=2.5)
    assert Footprints(path, "driver 1").get("mind") == Footprint(5000, 2.5)


def test_the_file_is_for_the_user_alone_and_nothing_is_left_beside_it(tmp_path):
    before = os.umask(0)
    try:
        Footprints(tmp_path / "f.json", "driver 1").remember("mind", footprint_mib=1, load_seconds=1.0)
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]
    assert stat.S_IMODE((tmp_path / "f.json").stat().st_mode) == 0o600


def test_a_write_that_breaks_off_leaves_the_old_file_whole(tmp_path, monkeypatch, caplog):
    footprints = Footprints(tmp_path / "f.json", "driver 1")
    footprints.remember("mind", footprint_mib=5000, load_seconds=2.5)

    def full(descriptor, *_):
        os.close(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.footprints.os.fdopen", full)
    footprints.remember("mind", footprint_mib=4000, load_seconds=2.0)
    assert "No space left on device" in caplog.text
    assert footprints.get("mind") == Footprint(4000, 2.0)
    assert Footprints(tmp_path / "f.json", "driver 1").get("mind") == Footprint(5000, 2.5)
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_only_the_newest_are_kept(tmp_path):
    footprints = Footprints(tmp_path / "f.json", "driver 1")
    for number in range(100):
        footprints.remember(f"mind {number}", footprint_mib=number, load_seconds=1.0)
        if number in {0, 50}:
            footprints.remember("voice", footprint_mib=number, load_seconds=1.0)
    kept = Footprints(tmp_path / "f.json", "driver 1")
    assert kept.get("mind 0") is None
    assert kept.get("mind 99") == Footprint(99, 1.0)
    assert kept.get("voice") == Footprint(50, 1.0)


def test_a_key_is_the_same_for_the_same_model_and_names_engine_file_and_form(tmp_path):
    model = tmp_path / "large.gguf"
    model.write_bytes(b"12345")
    key = model_key(choice(model, gpu_layers=-1, threads=0), "smaller")
    assert key.startswith("llama_cpp large.gguf smaller ")
    assert model_key(choice(model, threads=0, gpu_layers=-1), "smaller") == key


def test_another_setting_form_or_file_is_another_key(tmp_path):
    model = tmp_path / "large.gguf"
    model.write_bytes(b"12345")
    keys = {model_key(choice(model, gpu_layers=1)), model_key(choice(model, gpu_layers=2))}
    keys.add(model_key(choice(model, gpu_layers=2), "smaller"))
    model.write_bytes(b"123456")
    keys.add(model_key(choice(model, gpu_layers=2)))
    assert len(keys) == 4


def test_a_model_that_is_a_directory_is_known_by_all_its_files(tmp_path):
    (tmp_path / "small.en").mkdir()
    (tmp_path / "small.en" / "model.bin").write_bytes(b"1")
    before = model_key(choice(tmp_path / "small.en"))
    (tmp_path / "small.en" / "vocabulary.txt").write_bytes(b"2")
    assert model_key(choice(tmp_path / "small.en")) != before


def test_an_engine_without_a_model_has_a_key_too():
    assert model_key(Choice("espeak", "module:Class", {"speed": 1.0})).startswith("espeak full ")


def test_they_are_kept_in_the_state_directory_for_this_parley_and_this_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        open_footprints(Ram()).remember("mind", footprint_mib=1, load_seconds=1.0)
    text = (tmp_path / "parley" / "footprints.json").read_text()
    assert f"Parley {__version__}, RAM" in text
    assert not caplog.text
