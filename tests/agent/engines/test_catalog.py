from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from agent.engines import catalog
from agent.errors import ModelMissing
from agent.settings import EarSettings, MindSettings, SoundSettings, SttSettings, VoiceSettings


def put(path: Path, size: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


@pytest.mark.parametrize("factory", catalog.FACTORIES.values(), ids=catalog.FACTORIES)
def test_every_name_stands_for_a_class_that_is_an_engine(factory: str):
    module, _, name = factory.partition(":")
    spec = importlib.util.find_spec(module)  # not imported: that is for workers
    assert spec is not None
    assert spec.origin is not None
    found = [node for node in ast.parse(Path(spec.origin).read_text()).body if isinstance(node, ast.ClassDef)]
    engine = next(node for node in found if node.name == name)
    methods = {node.name for node in engine.body if isinstance(node, ast.FunctionDef)}
    assert methods >= {"__init__", "load", "handle", "close"}


# --- mind -----------------------------------------------------------------------------------------------------------


def test_without_any_model_the_starter_thinks(tmp_path: Path):
    starter = put(tmp_path / "starter.gguf")
    choice = catalog.mind(MindSettings(), tmp_path / "models", starter)
    assert choice.factory == "agent.engines.llama_cpp:LlamaCpp"
    assert choice.settings["model"] == str(starter)
    assert "starter" in choice.why


def test_the_largest_model_that_is_here_thinks(tmp_path: Path):
    put(tmp_path / "small.gguf", 10)
    large = put(tmp_path / "family" / "large.gguf", 20)
    choice = catalog.mind(MindSettings(), tmp_path)
    assert choice.settings["model"] == str(large)
    assert "largest" in choice.why


def test_projectors_and_later_parts_are_no_language_models(tmp_path: Path):
    first = put(tmp_path / "big-00001-of-00002.gguf", 10)
    put(tmp_path / "big-00002-of-00002.gguf", 20)
    put(tmp_path / "mmproj-big.gguf", 30)
    assert catalog.mind(MindSettings(), tmp_path).settings["model"] == str(first)


@pytest.mark.parametrize("name", ["other.gguf", "other", "{models}/other.gguf"])
def test_a_model_is_named_by_path_or_by_its_name_in_the_models_directory(name: str, tmp_path: Path):
    put(tmp_path / "largest.gguf", 99)
    other = put(tmp_path / "other.gguf")
    choice = catalog.mind(MindSettings(model=name.format(models=tmp_path)), tmp_path)
    assert choice.settings["model"] == str(other)
    assert not choice.why


def test_a_model_that_is_named_and_not_here_is_missing_and_it_is_said_what_to_do(tmp_path: Path):
    with pytest.raises(ModelMissing, match=r"'gone'.*\[mind\] model.*put the model there"):
        catalog.mind(MindSettings(model="gone"), tmp_path)


def test_a_missing_starter_is_told(tmp_path: Path):
    with pytest.raises(ModelMissing, match="starter"):
        catalog.mind(MindSettings(), tmp_path, tmp_path / "starter.gguf")


# --- speech to text -------------------------------------------------------------------------------------------------


def test_without_a_whisper_model_pocketsphinx_hears(tmp_path: Path):
    choice = catalog.stt(SttSettings(), tmp_path / "nothing")
    assert (choice.engine, choice.settings["model"]) == ("pocketsphinx", "")
    assert "no faster-whisper model" in choice.why


def test_the_largest_whisper_model_that_is_here_hears(tmp_path: Path):
    put(tmp_path / "tiny" / "model.bin", 10)
    put(tmp_path / "small" / "model.bin", 20)
    choice = catalog.stt(SttSettings(), tmp_path)
    assert (choice.engine, choice.settings["model"]) == ("faster_whisper", str(tmp_path / "small"))


def test_pocketsphinx_hears_if_it_is_named(tmp_path: Path):
    put(tmp_path / "tiny" / "model.bin")
    choice = catalog.stt(SttSettings(engine="pocketsphinx"), tmp_path)
    assert (choice.engine, choice.why) == ("pocketsphinx", "")


def test_a_whisper_model_is_named_by_its_directory(tmp_path: Path):
    put(tmp_path / "small" / "model.bin", 20)
    tiny = put(tmp_path / "tiny" / "model.bin").parent
    assert catalog.stt(SttSettings(model="tiny"), tmp_path).settings["model"] == str(tiny)
    assert catalog.stt(SttSettings(model=str(tiny)), tmp_path).settings["model"] == str(tiny)


def test_a_directory_without_a_whisper_model_is_missing(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelMissing, match=r"'empty'.*model\.bin"):
        catalog.stt(SttSettings(model="empty"), tmp_path)
    with pytest.raises(ModelMissing, match="There is no faster-whisper model"):
        catalog.stt(SttSettings(engine="faster_whisper"), tmp_path)


# --- forms ----------------------------------------------------------------------------------------------------------


def test_every_model_can_be_full_or_light_and_a_mind_smaller_too(tmp_path: Path):
    assert catalog.mind_forms(put(tmp_path / "starter.gguf")) == ("full", "smaller", "light")
    assert catalog.stt_forms(SttSettings()) == ("full", "light")
    assert catalog.voice_forms() == ("full", "light")


def test_what_is_not_built_in_has_no_light_form(tmp_path: Path):
    assert catalog.mind_forms(tmp_path / "starter.gguf") == ("full", "smaller")
    assert catalog.stt_forms(SttSettings(language="de")) == ("full",)


def test_a_smaller_mind_is_the_same_model_that_is_told_to_be_smaller(tmp_path: Path):
    put(tmp_path / "large.gguf")
    full = catalog.mind(MindSettings(), tmp_path)
    smaller = catalog.mind(MindSettings(), tmp_path, form="smaller")
    assert smaller.settings == {**full.settings, "smaller": True}
    assert smaller.factory == full.factory


def test_the_light_mind_is_the_starter_on_the_cpu_whatever_is_set(tmp_path: Path):
    put(tmp_path / "large.gguf")
    starter = put(tmp_path / "starter" / "starter.gguf")
    light = catalog.mind(MindSettings(model="large", gpu_layers=20), tmp_path, starter, form="light")
    assert (light.settings["model"], light.settings["gpu_layers"]) == (str(starter), 0)
    assert "want of memory" in light.why


def test_light_ears_and_voices_are_those_that_need_no_model(tmp_path: Path):
    put(tmp_path / "tiny" / "model.bin")
    light = catalog.stt(SttSettings(model="tiny", device="cuda"), tmp_path, form="light")
    assert (light.engine, light.settings["model"]) == ("pocketsphinx", "")
    assert catalog.voice(VoiceSettings(), form="light").engine == "espeak"


# --- the others -----------------------------------------------------------------------------------------------------


def test_voice_ear_and_sound_get_their_sections():
    assert catalog.voice(VoiceSettings(speed=1.5)).settings["speed"] == 1.5
    assert catalog.voice(VoiceSettings()).why
    assert catalog.ear(EarSettings()).settings == EarSettings().model_dump(mode="json")
    assert catalog.sound(SoundSettings(microphone="wav:a.wav")).settings["microphone"] == "wav:a.wav"
