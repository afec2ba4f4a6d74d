"""Where Parley keeps things, by the XDG base directory specification. Standard library only: commands start fast."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from agent.errors import ParleyError

_PRIVATE = 0o700


def config_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's `config.toml` and `prompts/`; it need not exist."""
    return _base("XDG_CONFIG_HOME", ".config", environment) / "parley"


def models_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Models; it need not exist."""
    return _base("XDG_DATA_HOME", ".local/share", environment) / "parley" / "models"


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """What Parley remembers; made if absent, for the user alone."""
    return _private(_base("XDG_STATE_HOME", ".local/state", environment) / "parley")


def runtime_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Sockets; made if absent, for the user alone. Without XDG_RUNTIME_DIR it lies in the state directory."""
    given = _absolute(environment.get("XDG_RUNTIME_DIR"))
    return _private(given / "parley" if given else state_dir(environment) / "run")


def _base(variable: str, fallback: str, environment: Mapping[str, str]) -> Path:
    return _absolute(environment.get(variable)) or Path(environment.get("HOME") or Path.home()) / fallback


def _absolute(value: str | None) -> Path | None:
    # The specification: a relative path is invalid and to be ignored.
    return Path(value) if value and Path(value).is_absolute() else None


def _private(directory: Path) -> Path:
    """Make the directory, and see to it that nobody else can enter it. Raises ParleyError."""
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise ParleyError(f"{directory} must be a directory of your own; move away what is there")
        if stat.S_IMODE(found.st_mode) != _PRIVATE:
            directory.chmod(_PRIVATE)
    except OSError as error:
        raise ParleyError(f"cannot use the directory {directory}: {error.strerror}") from error
    return directory
