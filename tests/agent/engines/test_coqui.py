"""The real engine in a real worker on a tiny XTTS of the right shape; and, without its packages, what it refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.engines.api import Facts, Speak
from agent.engines.catalog import Choice
from agent.engines.coqui import Coqui
from agent.errors import EngineFailed, ModelMissing, OutOfMemory
from agent.workers.models import VoiceWorker

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-coqui" / "bin" / "python"
needs_packages = pytest.mark.skipif(
    not PYTHON.exists(), reason="XTTS's packages are not here; ./scripts/setup coqui installs them"
)
SOUND_TOKENS = 25
TOKEN_SAMPLES = 256 * 24_000 // 22_050 * 16_000 // 24_000
"""Samples at our rate for one token of the tiny model."""
SHORT = "Hello there."
LONG = "Hello there, hello there. " * 15
"""390 characters: two portions of English."""


@pytest.fixture
def look_alike(tmp_path: Path) -> Path:
    """A directory with the files of a model, and nothing in them but the languages."""
    for name in ("model.pth", "vocab.json", "speakers_xtts.pth"):
        (tmp_path / name).touch()
    (tmp_path / "config.json").write_text('{"languages": ["en", "de"]}')
    return tmp_path


def load(path: Path, **settings: object) -> Facts:
    return Coqui({"model": str(path), "coqui_licence": True, **settings}).load(lambda _note: None)


# --- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consent", [{}, {"coqui_licence": False}])
def test_without_consent_to_the_licence_it_says_what_to_read_and_to_set(look_alike: Path, consent: dict[str, bool]):
    with pytest.raises(EngineFailed, match=r"no commercial use.*LICENSE\.txt.*\[voice\] coqui_licence = true"):
        Coqui({"model": str(look_alike), **consent}).load(lambda _note: None)


@pytest.mark.parametrize("name", ["config.json", "model.pth", "vocab.json", "speakers_xtts.pth"])
def test_a_directory_that_lacks_a_file_is_named_with_what_to_do(look_alike: Path, name: str):
    (look_alike / name).unlink()
    with pytest.raises(ModelMissing, match=rf"is no XTTS model: {name} missing.*\[voice\] model"):
        load(look_alike)


def test_a_language_that_the_model_does_not_speak_is_refused_with_those_that_it_does(look_alike: Path):
    with pytest.raises(ModelMissing, match=r"does not speak 'fi'; set \[voice\] language to one of: en, de"):
        load(look_alike, language="fi")


def test_an_interpreter_without_the_packages_is_told_where_they_are(look_alike: Path):
    with pytest.raises(EngineFailed, match=r"scripts/setup coqui.*\[voice\] python = '.venv-coqui/bin/python'"):
        load(look_alike)


# --- the real thing -------------------------------------------------------------------------------------------------


@dataclass
class Loaded:
    """A worker with the model in it, and the loop that it lives on."""

    runner: asyncio.Runner
    worker: VoiceWorker
    facts: Facts

    def says(self, text: str, voice: str = "") -> list[int]:
        """How many samples each piece of its sound has."""
        return self.runner.run(pieces(self.worker, Speak(text, voice=voice)))


def worker(path: Path, factory: str = "agent.engines.coqui:Coqui", **settings: object) -> VoiceWorker:
    choice = Choice("coqui", factory, {"model": str(path), "coqui_licence": True, "device": "cpu", **settings})
    return VoiceWorker("voice", lambda _form: choice, load_seconds=120, deadline_seconds=60, python=str(PYTHON))


async def pieces(worker: VoiceWorker, request: Speak) -> list[int]:
    async with aclosing(worker.speak(request)) as sounds:
        return [len(samples) // 2 async for samples in sounds]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    script = [str(PYTHON), str(ROOT / "scripts/make_tiny_xtts.py"), str(path), "--sound-tokens", str(SOUND_TOKENS)]
    subprocess.run(script, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def xtts(tiny: Path):
    voice = worker(tiny)
    with asyncio.Runner() as runner:
        yield Loaded(runner, voice, runner.run(voice.load()))
        runner.run(voice.evict())


def group(leader: int) -> set[int]:
    """The processes of a group."""
    found = set[int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


@needs_packages
def test_it_loads_a_directory_and_says_what_runs(xtts: Loaded):
    assert xtts.facts == Facts(engine="RealtimeTTS, XTTS tiny, speaker Noise, cpu", heavy=True)


@needs_packages
def test_a_sentence_is_as_long_as_its_tokens(xtts: Loaded):
    assert sum(xtts.says(SHORT)) == pytest.approx(SOUND_TOKENS * TOKEN_SAMPLES, rel=0.3)


@needs_packages
def test_a_text_over_the_limit_of_its_language_is_spoken_in_portions_each_of_which_streams(xtts: Loaded):
    assert len(LONG) > 250
    sound = xtts.says(LONG)
    assert sum(sound) == pytest.approx(2 * SOUND_TOKENS * TOKEN_SAMPLES, rel=0.3)
    assert len(sound) >= 4  # of each portion at least two


@needs_packages
def test_a_voice_that_xtts_does_not_know_is_spoken_with_the_default(xtts: Loaded):
    assert sum(xtts.says(SHORT, voice="en-gb"))


@needs_packages
def test_a_text_without_words_is_silent(xtts: Loaded):
    assert xtts.says("...") == []


@needs_packages
def test_what_is_cut_short_keeps_the_process_and_leaves_no_sound_for_the_next_sentence(xtts: Loaded):
    async def cut_short() -> None:
        async with aclosing(xtts.worker.speak(Speak(LONG))) as sounds:
            await anext(sounds)

    before = xtts.worker.pid
    xtts.runner.run(cut_short())
    assert sum(xtts.says(SHORT)) < 1.5 * SOUND_TOKENS * TOKEN_SAMPLES
    assert xtts.worker.pid == before


@needs_packages
def test_it_stands_still_when_told_and_goes_on_with_the_same_sentence(xtts: Loaded):
    async def paused() -> int:
        async with aclosing(xtts.worker.speak(Speak(LONG))) as sounds:
            samples = len(await anext(sounds)) // 2
            await xtts.worker.pause()
            xtts.worker.resume()
            return samples + sum([len(sound) // 2 async for sound in sounds])

    assert xtts.runner.run(paused()) == pytest.approx(2 * SOUND_TOKENS * TOKEN_SAMPLES, rel=0.3)


@needs_packages
def test_it_is_one_process_of_which_nothing_is_left_when_it_is_evicted(tiny: Path):
    async def main() -> None:
        voice = worker(tiny)
        await voice.load()
        leader = voice.pid
        assert group(leader) == {leader}
        await voice.evict()
        assert group(leader) == set()

    asyncio.run(main())


@needs_packages
def test_a_speaker_that_is_not_there_is_refused_with_those_that_are(tiny: Path):
    with pytest.raises(ModelMissing, match=r"no speaker 'Nobody'; set .* to one of: Noise, Other Noise"):
        asyncio.run(worker(tiny, name="Nobody").load())


@needs_packages
def test_a_model_that_does_not_fit_into_memory_is_told_as_that(tiny: Path, tmp_path: Path):
    large = shutil.copytree(tiny, tmp_path / "large")
    config = json.loads((large / "config.json").read_text())
    config["model_args"]["gpt_num_audio_tokens"] = 2**40
    (large / "config.json").write_text(json.dumps(config))
    with pytest.raises(OutOfMemory):
        asyncio.run(worker(large).load())


@needs_packages
def test_the_built_in_voice_speaks_in_the_same_environment_when_there_is_no_room(tiny: Path):
    async def main() -> list[int]:
        voice = worker(tiny, "agent.engines.espeak:Espeak")
        await voice.load()
        sound = await pieces(voice, Speak(SHORT))
        await voice.evict()
        return sound

    assert sum(asyncio.run(main())) > 8000
