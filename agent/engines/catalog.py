"""Which engine runs for an organ: names to classes, and what `auto` means on this machine.

Choosing looks at files only; the engine's module is imported by its worker and by nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from agent.errors import ModelMissing
from agent.paths import models_dir
from agent.policy.lease_terms import Form
from agent.settings import EarSettings, MindSettings, SoundSettings, SttSettings, VoiceSettings

FACTORIES: Final = {
    "coqui": "agent.engines.coqui:Coqui",
    "espeak": "agent.engines.espeak:Espeak",
    "faster_whisper": "agent.engines.faster_whisper:FasterWhisper",
    "llama_cpp": "agent.engines.llama_cpp:LlamaCpp",
    "pocketsphinx": "agent.engines.pocketsphinx:Pocketsphinx",
    "portaudio": "agent.sound.worker:SoundEngine",
    "realtime_stt": "agent.engines.realtime_stt_ear:RealtimeSttEar",
}
"""Engine name to `module:Class`."""

STARTER: Final = Path(__file__).resolve().parent.parent / "starter" / "starter.gguf"
"""The small language model that ships with Parley."""

COQUI_PYTHON: Final = Path(__file__).resolve().parents[2] / ".venv-coqui" / "bin" / "python"
"""The interpreter that `scripts/setup coqui` makes; espeak runs in it too."""

_WHISPER_FILE: Final = "model.bin"
_XTTS_FILE: Final = "speakers_xtts.pth"
_BUILT_IN: Final = "the built-in one, for want of memory"


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and what it is made with."""

    engine: str
    factory: str
    """`module:Class`."""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    """The organ's section, paths resolved."""
    why: str = ""
    """Half a sentence for a person on why this one; empty if the settings name it."""


# --- as what a model can be loaded ----------------------------------------------------------------------------------
#
# full     as it is set
# smaller  with half of its layers on the GPU and half of its context
# light    the engine that is built in, on the CPU


def stt_forms(settings: SttSettings) -> tuple[Form, ...]:
    """Best first; the built-in engine knows only English."""
    return ("full", "light") if settings.language == "en" else ("full",)


def mind_forms(starter: Path = STARTER) -> tuple[Form, ...]:
    """Best first."""
    return ("full", "smaller", "light") if starter.is_file() else ("full", "smaller")


def voice_forms() -> tuple[Form, ...]:
    """Best first."""
    return ("full", "light")


# --- which engine ---------------------------------------------------------------------------------------------------


def stt(settings: SttSettings, models: Path | None = None, *, form: Form = "full") -> Choice:
    """Speech to text. Raises ModelMissing if the model that is asked for is not here."""
    if form == "light":
        return _choice("pocketsphinx", settings, why=_BUILT_IN)
    models = models or models_dir()
    if settings.engine == "pocketsphinx":
        return _choice("pocketsphinx", settings)
    if settings.model:
        path = _named(settings.model, models, "stt", within=_WHISPER_FILE)
        return _choice("faster_whisper", settings, model=path)
    path = _largest(models.glob(f"**/{_WHISPER_FILE}"))
    if path:
        why = f"the largest faster-whisper model in {models}"
        return _choice("faster_whisper", settings, model=path.parent, why=why)
    if settings.engine == "faster_whisper":
        raise ModelMissing(
            f"There is no faster-whisper model (a directory with {_WHISPER_FILE}) in {models}. "
            'Put one there, name its directory in [stt] model, or set [stt] engine = "auto".'
        )
    return _choice("pocketsphinx", settings, why=f"there is no faster-whisper model in {models}")


def mind(settings: MindSettings, models: Path | None = None, starter: Path = STARTER, *, form: Form = "full") -> Choice:
    """The language model. Raises ModelMissing if the model that is asked for is not here."""
    match form:
        case "full":
            return _set_mind(settings, models or models_dir(), starter)
        case "smaller":
            choice = _set_mind(settings, models or models_dir(), starter)
            return replace(choice, settings={**choice.settings, "smaller": True})
        case "light":
            on_cpu = settings.model_copy(update={"gpu_layers": 0})
            return _choice("llama_cpp", on_cpu, model=starter, why=_BUILT_IN)


def _set_mind(settings: MindSettings, models: Path, starter: Path) -> Choice:
    if settings.model:
        return _choice("llama_cpp", settings, model=_named(settings.model, models, "mind", suffix=".gguf"))
    path = _largest(path for path in models.glob("**/*.gguf") if _is_language_model(path))
    if path:
        return _choice("llama_cpp", settings, model=path, why=f"the largest model in {models}")
    if not starter.is_file():
        raise ModelMissing(f"There is no *.gguf in {models}, and the starter model {starter} is not installed.")
    why = f"the starter that ships with Parley; there is no other model in {models}"
    return _choice("llama_cpp", settings, model=starter, why=why)


def voice(settings: VoiceSettings, models: Path | None = None, *, form: Form = "full") -> Choice:
    """Text to speech. Raises ModelMissing if the model that is asked for is not here."""
    if form == "light":
        name = settings.name if settings.engine == "espeak" else ""  # another engine's voice is none of espeak's
        return _choice("espeak", settings.model_copy(update={"name": name}), why=_BUILT_IN)
    if settings.engine == "espeak":
        return _choice("espeak", settings)
    models = models or models_dir()
    if settings.model:
        return _choice("coqui", settings, model=_named(settings.model, models, "voice", within=_XTTS_FILE))
    path = _largest(models.glob(f"**/{_XTTS_FILE}"))
    if path and (settings.coqui_licence or settings.engine == "coqui"):
        return _choice("coqui", settings, model=path.parent, why=f"the XTTS model in {models}")
    if settings.engine == "coqui":
        raise ModelMissing(
            f"There is no XTTS model (a directory with {_XTTS_FILE}) in {models}. "
            'Put one there, name its directory in [voice] model, or set [voice] engine = "auto".'
        )
    why = f"XTTS in {models} waits for [voice] coqui_licence = true" if path else "the only voice that needs no model"
    return _choice("espeak", settings, why=why)


def voice_python(settings: VoiceSettings) -> str:
    """The interpreter of the voice's worker; empty for our own."""
    return settings.python or (str(COQUI_PYTHON) if voice(settings).engine == "coqui" else "")


def ear(settings: EarSettings) -> Choice:
    """Voice activity and segmenting."""
    return _choice("realtime_stt", settings)


def sound(settings: SoundSettings) -> Choice:
    """Devices."""
    return _choice("portaudio", settings)


def _choice(engine: str, settings: BaseModel, *, model: Path | None = None, why: str = "") -> Choice:
    section = settings.model_dump(mode="json")
    if "model" in section:
        section["model"] = str(model) if model else ""
    return Choice(engine, FACTORIES[engine], section, why)


def _named(model: str, models: Path, section: str, *, suffix: str = "", within: str = "") -> Path:
    """The file or directory that the user means: a path, or a name in the models directory, with or without suffix."""
    given = Path(model).expanduser()
    places = [given, models / given, models / f"{given}{suffix}"]
    for place in places:
        if (place / within).is_file():
            return place.resolve()
    wanted = f"a directory with {within}" if within else f"a *{suffix} file"
    raise ModelMissing(
        f"The model {model!r} that [{section}] model names is not here: {wanted} was looked for at {given.absolute()} "
        f"and in {models}. Correct the name, put the model there, or leave [{section}] model empty."
    )


def _largest(paths: Iterable[Path]) -> Path | None:
    return max((path for path in paths if path.is_file()), key=lambda path: path.stat().st_size, default=None)


def _is_language_model(path: Path) -> bool:
    """Not a vision projector; and of a model in several files only the first, through which it is loaded."""
    part = re.search(r"-(\d{5})-of-\d{5}$", path.stem)
    return not path.name.startswith("mmproj") and (part is None or part[1] == "00001")
