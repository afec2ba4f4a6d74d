"""What models took when they were last loaded, so that the next start need not guess.

A footprint holds for one model, one set of settings, one form, and the versions it was measured with; it is a
measurement and not a fact, so a file that is lost or broken only means that it is measured again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from agent import __version__
from agent.engines.catalog import Choice
from agent.memory import Memory
from agent.paths import state_dir

_LOGGER = logging.getLogger(__name__)
_MOST: Final = 64
"""The newest are kept; every change of a setting makes another."""


class Footprint(Struct, frozen=True):
    """What a model takes."""

    footprint_mib: Annotated[int, Meta(ge=0)]
    """Of the memory it was loaded into."""
    load_seconds: Annotated[float, Meta(ge=0)]
    """How long its load took."""


class _Kept(Struct, frozen=True):
    """The file."""

    versions: str
    models: dict[str, Footprint]


def open_footprints(memory: Memory) -> Footprints:
    """Those measured in this memory by this Parley. Raises ParleyError if there is no state directory."""
    return Footprints(state_dir() / "footprints.json", f"Parley {__version__}, {memory.versions()}")


def model_key(choice: Choice, form: str = "full") -> str:
    """Engine, file, form, and a digest of whatever else may change a footprint: the settings and the file's size."""
    model = Path(str(choice.settings.get("model") or ""))
    told = msgspec.json.encode([choice.settings, _bytes_of(model)], enc_hook=str, order="sorted")
    digest = hashlib.sha256(told).hexdigest()[:12]
    return " ".join(part for part in (choice.engine, model.name, form, digest) if part)


class Footprints:
    """Remembers what was measured, in a file for the user alone."""

    def __init__(self, path: Path, versions: str) -> None:
        """Those at `path` that were measured with other `versions` are not used, and gone with the next one."""
        self._path = path
        self._versions = versions
        self._models = self._read()

    def get(self, key: str) -> Footprint | None:
        """What was measured last; None if nothing was."""
        return self._models.get(key)

    def remember(self, key: str, *, footprint_mib: int, load_seconds: float) -> None:
        """Keep a measurement. What cannot be written is known until Parley ends."""
        self._models.pop(key, None)
        self._models[key] = Footprint(footprint_mib, load_seconds)
        self._models = dict(list(self._models.items())[-_MOST:])
        try:
            self._write()
        except OSError as error:
            _LOGGER.warning("%s cannot be written, so what was measured will be again: %s", self._path, error.strerror)

    def _read(self) -> dict[str, Footprint]:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            _LOGGER.warning("%s cannot be read, and is begun anew: %s", self._path, error)
            return {}
        return kept.models if kept.versions == self._versions else {}

    def _write(self) -> None:
        """Whole or not at all: into a file beside it, which then takes its name."""
        text = msgspec.json.format(msgspec.json.encode(_Kept(self._versions, self._models)))
        descriptor, beside = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mkstemp: 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(beside).replace(self._path)
        except BaseException:
            Path(beside).unlink()
            raise


def _bytes_of(model: Path) -> int:
    """The size of a model's file, or of the files in its directory; 0 if there is none."""
    files: Any = model.rglob("*") if model.is_dir() else [model]
    return sum(file.stat().st_size for file in files if file.is_file())
