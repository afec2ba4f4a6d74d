"""What is measured: each engine with a model that was given, is here, or is made for the check; and what is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from agent.engines import catalog
from agent.engines.catalog import STARTER, Choice
from agent.errors import EngineFailed, ModelMissing
from agent.settings import MindSettings, SttSettings, VoiceSettings
from agent.workers.models import MindWorker, ModelWorker, SttWorker, VoiceWorker
from scripts.gpu_checks.abilities import Ability, Organ, Skipped, ability, why_not

LOAD_SECONDS: Final = 300.0
"""A large model from a slow disk."""
_DEADLINE_SECONDS: Final = 60.0
_SCRIPTS: Final = Path(__file__).resolve().parents[1]
_WORKERS: Final[dict[Organ, type[MindWorker | SttWorker | VoiceWorker]]] = {
    "mind": MindWorker,
    "stt": SttWorker,
    "voice": VoiceWorker,
}
_NAMES: Final[dict[Organ, str]] = {"mind": "llama.cpp", "stt": "faster-whisper", "voice": "XTTS"}
_NO_LICENCE: Final = (
    "its weights come under the Coqui Public Model License, which allows no commercial use; if you agree to that, "
    "say --coqui-licence"
)


class Given(NamedTuple):
    """What the command line says of models."""

    mind: str = ""
    """A GGUF file; empty: the largest in the models directory, else the starter."""
    stt: str = ""
    """A faster-whisper directory; empty: the largest in the models directory, else a made one."""
    voice: str = ""
    """An XTTS directory; empty: the one in the models directory if its licence is agreed to, else a made one."""
    coqui_licence: bool = False
    coqui_python: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine and its model."""

    organ: Organ
    choice: Choice
    versions: str = ""
    """Of the engine's libraries."""
    small: bool = False
    """The model is none that anybody would use."""
    python: str = ""

    @property
    def model(self) -> Path:
        """Its file or directory."""
        return Path(self.choice.settings["model"])

    def worker(self, environment: Mapping[str, str]) -> ModelWorker:
        """A worker for it, not started; needs a running loop."""
        return _WORKERS[self.organ](
            self.organ,
            lambda _form: replace(self.choice, why=""),  # it names the folder, which is nobody's business
            load_seconds=LOAD_SECONDS,
            deadline_seconds=_DEADLINE_SECONDS,
            python=self.python,
            environment=environment,
        )


def subjects(
    given: Given, environment: Mapping[str, str], folder: Path, *, on_gpu: bool
) -> tuple[list[Subject], list[Skipped]]:
    """What can be measured, and what cannot; models are made in `folder`. Raises ModelMissing for one that was given.

    Without XTTS, and in RAM, the built-in voice stands in for it; on a GPU it takes nothing that could be measured.
    """
    found, skipped = list[Subject](), list[Skipped]()
    choosers: dict[Organ, _Chooser] = {"mind": _mind, "stt": _stt, "voice": _voice}
    for organ, choose in choosers.items():
        print(f"{organ}: looking at what is installed", flush=True)
        python = given.coqui_python if organ == "voice" else ""
        has = ability(organ, python, environment)
        chosen = why_not(organ, has, on_gpu=on_gpu) or choose(given, has, folder, on_gpu)
        if isinstance(chosen, Subject):
            found.append(chosen)
        else:
            skipped.append(Skipped(_NAMES[organ], chosen))
    if not on_gpu and "voice" not in [subject.organ for subject in found]:
        found.append(Subject("voice", catalog.voice(VoiceSettings(engine="espeak"))))
    return found, skipped


_Chooser = Callable[[Given, Ability, Path, bool], Subject | str]
"""What is to be measured, or why nothing is."""


def _mind(given: Given, has: Ability, _folder: Path, on_gpu: bool) -> Subject:
    choice = catalog.mind(MindSettings(engine="llama_cpp", model=given.mind, gpu_layers=-1 if on_gpu else 0))
    return Subject("mind", choice, has.versions, small=choice.settings["model"] == str(STARTER))


def _stt(given: Given, has: Ability, folder: Path, on_gpu: bool) -> Subject:
    settings = SttSettings(engine="faster_whisper", model=given.stt, device=_device(on_gpu))
    try:
        return Subject("stt", catalog.stt(settings), has.versions)
    except ModelMissing:
        if given.stt:
            raise
    made = _make("make_tiny_whisper.py", folder / "tiny-whisper")
    choice = catalog.stt(settings.model_copy(update={"model": str(made)}))
    return Subject("stt", choice, has.versions, small=True)


def _voice(given: Given, has: Ability, folder: Path, on_gpu: bool) -> Subject | str:
    if given.voice and not given.coqui_licence:
        return _NO_LICENCE
    settings = VoiceSettings(
        engine="coqui" if given.voice else "auto",
        model=given.voice,
        device=_device(on_gpu),
        coqui_licence=given.coqui_licence,
    )
    choice = catalog.voice(settings)
    small = choice.engine != "coqui"
    if small:
        made = _make("make_tiny_xtts.py", folder / "tiny-xtts", given.coqui_python)
        noise = {"engine": "coqui", "model": str(made), "coqui_licence": True}  # it is ours: no licence to agree to
        choice = catalog.voice(settings.model_copy(update=noise))
    return Subject("voice", choice, has.versions, small=small, python=given.coqui_python)


def _device(on_gpu: bool) -> Literal["cpu", "cuda"]:
    return "cuda" if on_gpu else "cpu"


def _make(script: str, path: Path, python: str = "") -> Path:
    """Have a script write a small model. Raises EngineFailed with its last words."""
    print(f"making a small model with scripts/{script}", flush=True)
    command = [python or sys.executable, str(_SCRIPTS / script), str(path)]
    made = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if made.returncode:
        words = made.stderr.strip().splitlines()[-1:] or ["no word why"]
        raise EngineFailed(f"scripts/{script} made no model: {words[0]}")
    return path
