from __future__ import annotations

from pathlib import Path

import pytest

from agent import shelf
from agent.settings import Settings


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "parley" / "models"
    folder.mkdir(parents=True)
    return folder


def test_without_models_it_says_what_is_used_instead_and_what_would_be_better(models: Path):
    told = "\n".join(shelf.lines(Settings()))
    assert str(models) in told
    assert "pocketsphinx" in told
    assert "starter.gguf" in told
    assert "better would be" in told


def test_a_model_that_is_here_is_listed_and_used(models: Path):
    (models / "large.gguf").write_bytes(b"\0" * (3 << 20))
    (models / "small.en").mkdir()
    (models / "small.en" / "model.bin").write_bytes(b"\0")
    told = list(shelf.lines(Settings()))
    assert any("llama_cpp large.gguf" in line for line in told)
    assert any("faster_whisper small.en" in line for line in told)
    assert "        3 MiB  large.gguf" in told


def test_a_model_that_is_asked_for_and_absent_is_told():
    settings = Settings.model_validate({"mind": {"model": "huge"}})
    assert any("none: The model 'huge'" in line for line in shelf.lines(settings))


@pytest.mark.parametrize(("gib", "what"), [(4, "1 to 2 billion"), (8, "3 to 4 billion"), (64, "7 to 8 billion")])
def test_more_memory_allows_a_larger_model(gib: float, what: str):
    assert what in shelf._better(gib)
