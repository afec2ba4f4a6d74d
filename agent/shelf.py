"""Which models are on this machine, which of them are used, and what would be better. Looks at files only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent.engines import catalog
from agent.errors import ModelMissing
from agent.paths import models_dir
from agent.settings import Settings

_MIB = 1024 * 1024
_BETTER = (
    (6, "a language model of 1 to 2 billion parameters, 4-bit (about 1 GB), and faster-whisper base.en"),
    (12, "a language model of 3 to 4 billion parameters, 4-bit (about 2.5 GB), and faster-whisper small.en"),
    (10_000, "a language model of 7 to 8 billion parameters, 4-bit (about 5 GB), and faster-whisper small.en"),
)
"""Up to so many GiB of memory: what fits beside everything else. Rules of thumb, not measurements."""


def lines(settings: Settings, models: Path | None = None) -> Iterator[str]:
    """What `parley models` prints."""
    models = models or models_dir()
    yield f"Models are looked for in {models}"
    for organ, what in (("stt", "speech to text"), ("mind", "language model"), ("voice", "voice")):
        yield f"  {what:<15} {_used(organ, settings)}"
    here = [path for path in sorted(models.glob("**/*")) if _is_model(path)]
    yield "Here:" if here else "Nothing is there yet: Parley runs on what it ships with."
    yield from (f"  {_size(path)}  {path.relative_to(models)}" for path in here)
    yield f"With {_memory_gib():.0f} GiB of memory, better would be: {_better(_memory_gib())}."
    yield "Parley downloads nothing by itself: put a *.gguf, or a faster-whisper directory with its model.bin, there."


def _used(organ: str, settings: Settings) -> str:
    choose = {"stt": catalog.stt, "mind": catalog.mind, "voice": catalog.voice}[organ]
    try:
        choice = choose(getattr(settings, organ))
    except ModelMissing as error:
        return f"none: {error}"
    model = Path(str(choice.settings.get("model") or "")).name
    return f"{choice.engine} {model}".strip() + (f"  ({choice.why})" if choice.why else "")


def _is_model(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".gguf" or path.name == "model.bin")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / _MIB:7.0f} MiB"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _better(memory_gib: float) -> str:
    return next(what for most, what in _BETTER if memory_gib <= most)
