"""Every setting: one frozen section per organ. `agent.configuration` reads them from their sources."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from agent.paths import models_dir, runtime_dir, state_dir

__all__ = ["Settings", "models_dir", "runtime_dir", "state_dir"]

Heavy = Literal["auto", "yes", "no"]

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class PersonalitySettings(_Section):
    """Who Parley is."""

    name: str = "parley"
    """The file in `prompts/`, without `.md`."""


class UserSettings(_Section):
    """What Parley may know of you."""

    name: str = ""
    """What to call you."""
    about: str = ""
    """A few sentences about you, shown to the model."""


class SoundSettings(_Section):
    """Devices."""

    microphone: str = "default"
    """`default`, a name from `parley devices`, or `wav:FILE`."""
    loudspeaker: str = "default"
    """`default`, a name from `parley devices`, or `wav:FILE`."""
    echo: Literal["auto", "on", "headphones", "off"] = "auto"
    """Echo cancellation: `auto` and `on` cancel, `headphones` and `off` do not."""
    stall_seconds: float = Field(default=1.0, gt=0)
    """No frames for so long means that the device is lost."""


class EarSettings(_Section):
    """Voice activity and segmenting."""

    sensitivity: float = Field(default=0.4, ge=0, le=1)
    """How readily sound counts as speech."""
    soft_end_seconds: float = Field(default=0.1, ge=0.05, le=2)
    """Silence after the pause is noticed until a segment softly ends; about 0.1 s more passes before it is noticed."""
    pre_roll_seconds: float = Field(default=0.4, ge=0, le=2)
    """Sound kept from before the onset, so that no first word is lost."""
    min_voiced_seconds: float = Field(default=0.15, ge=0)
    """Less voice than this makes no utterance."""
    min_confidence: float = Field(default=0.2, ge=0, le=1)
    """A less sure transcript is dropped."""


class SttSettings(_Section):
    """Speech to text."""

    engine: Literal["auto", "faster_whisper", "pocketsphinx"] = "auto"
    """`auto`: faster-whisper if a model of it is here, else pocketsphinx."""
    model: str = ""
    """Directory of a faster-whisper model, or its name under the models directory."""
    language: str = "en"
    """What you speak, as a two-letter code; pocketsphinx knows only `en`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where faster-whisper runs."""
    compute_type: str = ""
    """As CTranslate2 names them (`int8`, `float16`, ...); empty: what suits the device."""
    threads: int = Field(default=0, ge=0)
    """For faster-whisper on the CPU; 0: as many as there are cores."""
    heavy: Heavy = "auto"
    """Whether it may not run beside another heavy model; `auto`: as the engine says of itself."""
    python: str = ""
    """Another interpreter for the worker; empty for Parley's own."""
    deadline_seconds: float = Field(default=20.0, gt=0)
    """A transcription that takes longer is given up, and its worker ended."""


class MindSettings(_Section):
    """The language model."""

    engine: Literal["auto", "llama_cpp"] = "auto"
    """`auto`: the best whose model is here."""
    model: str = ""
    """A GGUF file, or its name under the models directory; empty: the best that is here, at least the starter."""
    context_tokens: int = Field(default=2048, ge=256)
    """How much of the conversation the model sees at once."""
    reply_tokens: int = Field(default=160, ge=8)
    """The longest reply."""
    temperature: float = Field(default=0.3, ge=0, le=2)
    """0: always the likeliest word; higher: livelier and less sure."""
    gpu_layers: int = -1
    """How many layers go to the GPU; -1 for all, where there is one."""
    threads: int = Field(default=0, ge=0)
    """0: one for a model under 64 MB, else as many as there are cores."""
    heavy: Heavy = "auto"
    """Whether it may not run beside another heavy model; `auto`: as the engine says of itself."""
    python: str = ""
    """Another interpreter for the worker; empty for Parley's own."""
    deadline_seconds: float = Field(default=30.0, gt=0)
    """No token for so long, and the reply is given up and the worker ended."""


class VoiceSettings(_Section):
    """Text to speech."""

    engine: Literal["auto", "coqui", "espeak"] = "auto"
    """`auto`: coqui (XTTS) if a model of it is here and its licence is agreed to, else espeak."""
    model: str = ""
    """Directory of an XTTS model, or its name under the models directory."""
    coqui_licence: bool = False
    """Whether you agree to the Coqui Public Model License, under which XTTS's weights come: no commercial use."""
    language: str = "en"
    """What coqui speaks, as a code of its own: `en`, `de`, `zh-cn`, ..."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where coqui runs."""
    name: str = ""
    """The engine's voice; empty: the personality's, or the engine's first."""
    speed: float = Field(default=1.0, ge=0.5, le=2)
    """Times the personality's own speed."""
    heavy: Heavy = "auto"
    """Whether it may not run beside another heavy model; `auto`: as the engine says of itself."""
    python: str = ""
    """Another interpreter for the worker; empty for Parley's own, or for coqui the one that `setup coqui` made."""
    deadline_seconds: float = Field(default=15.0, gt=0)
    """No sound for so long, and the sentence is given up and the worker ended."""


class TurnSettings(_Section):
    """When the user's turn is over: silence in seconds since the last voiced sample."""

    finished_seconds: float = Field(default=0.22, ge=0)
    """After a finished sentence."""
    unclear_seconds: float = Field(default=0.7, ge=0)
    """When the words tell nothing."""
    unfinished_seconds: float = Field(default=1.6, ge=0)
    """After "and", "um" or a cut clause."""
    longest_seconds: float = Field(default=3.0, ge=0)
    """Never longer."""


class InitiativeSettings(_Section):
    """When Parley may start by itself."""

    enabled: bool = True
    """Whether it may at all."""
    patience_seconds: float = Field(default=0.0, ge=0)
    """Quiet before the first remark; 0: the personality's."""
    presence_seconds: float = Field(default=1800.0, ge=0)
    """After so long without a word the user counts as gone."""
    remarks_per_hour: int = Field(default=4, ge=0)
    """The most remarks in any hour."""
    unanswered_limit: int = Field(default=3, ge=0)
    """After so many unanswered remarks: silent until the user speaks."""
    quiet_hours: str = Field(default="22:30-07:30", pattern=rf"^$|^{_CLOCK}-{_CLOCK}$")
    """Local time without remarks, as HH:MM-HH:MM; empty for none."""


class VramSettings(_Section):
    """The scheduler."""

    gpu: int = Field(default=0, ge=-1)
    """Which GPU models run on, as nvidia-smi numbers them; -1: none, they run on the processor, in RAM."""
    budget_mib: int = Field(default=0, ge=0)
    """The most that all models together may take of its memory, or of RAM where there is no GPU; 0: all there is."""
    reserve_mib: int = Field(default=512, ge=0)
    """So much of the memory stays free for others."""
    degrade: bool = True
    """Whether a small model on the processor may answer in the place of one that finds no room."""
    yield_to: Literal["all", "pressure", "games", "nobody"] = "all"
    """Who is made room for unasked: others that take the reserve (pressure), games that tell GameMode (games)."""
    return_seconds: float = Field(default=20.0, ge=0)
    """There must be room again for so long before models that made room come back."""
    idle_seconds: float = Field(default=3600.0, ge=0)
    """A heavy model that nobody used for so long is unloaded; 0 never."""
    lease_seconds: float = Field(default=20.0, gt=0)
    """The longest wait for a lease before it is refused."""
    load_seconds: float = Field(default=120.0, gt=0)
    """The longest time a model may take to load."""


class LogSettings(_Section):
    """What is told, and where."""

    content: Literal["nowhere", "terminal", "everywhere"] = "terminal"
    """Where what was said may appear: nowhere, only in the terminal, or in the journal too."""
    journal: Path | None = Field(default=None, strict=False)  # TOML has no paths, only texts
    """A file for every event as one JSON line; empty for none."""
    journal_mib: int = Field(default=10, ge=1)
    """The journal starts a new file at this size; three old ones are kept."""
    verbose: bool = False
    """Show every event in the terminal."""

    @field_validator("journal", mode="after")
    @classmethod
    def _empty_is_none(cls, journal: Path | None) -> Path | None:
        return None if journal is None or journal == Path() else journal.expanduser()


class Settings(BaseSettings):
    """All sections. `Settings()` is the defaults; `agent.configuration.load` reads the sources."""

    # Strict, so that a quoted number in a file is refused; the library itself turns the texts of variables into types.
    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        env_prefix="PARLEY_",
        env_nested_delimiter="__",
        env_nested_max_split=1,
    )

    personality: PersonalitySettings = PersonalitySettings()
    user: UserSettings = UserSettings()
    sound: SoundSettings = SoundSettings()
    ear: EarSettings = EarSettings()
    stt: SttSettings = SttSettings()
    mind: MindSettings = MindSettings()
    voice: VoiceSettings = VoiceSettings()
    turns: TurnSettings = TurnSettings()
    initiative: InitiativeSettings = InitiativeSettings()
    vram: VramSettings = VramSettings()
    logs: LogSettings = LogSettings()

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read unasked: no variable changes what a test or `config.toml` takes for the defaults."""
        return (init_settings,)

    def digest(self) -> str:
        """The first 12 hex digits of a hash over all values: equal digests mean equal settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]
