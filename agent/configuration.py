"""Reads the settings: command line > environment `PARLEY_SECTION__KEY` > config.toml > defaults.

pydantic-settings reads, converts, merges and validates. Ours is what it does not do:

- It takes no notice of a variable that is no setting, nor of a file that is not there; both are refused here.
- It validates what it has merged, and does not know any more where a value came from. So every source is validated
  alone first: a fault is told with its file, variable or option, even where a stronger source hides it.
- Its own command line would be a second parser beside typer's. Options are given to it as if they were variables.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource
from typing_extensions import override

from agent.errors import SettingsError
from agent.paths import config_dir
from agent.settings import Settings

_PREFIX: Final = Settings.model_config.get("env_prefix", "")
_SECTIONS: Final = {name: cast("type[BaseModel]", found.annotation) for name, found in Settings.model_fields.items()}

_Origins = dict[tuple[str, str], str]
"""(section, key) → file, variable or option."""


class Override(NamedTuple):
    """One value from the command line."""

    section: str
    key: str
    value: str
    origin: str
    """The option that gave it, for a person."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force, and where each comes from."""

    settings: Settings
    origins: Mapping[tuple[str, str], str]
    """(section, key) → file, variable or option; what is absent has its default."""

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """`section.key`, value as in TOML, origin; in the order of the sections."""
        for section, kind in _SECTIONS.items():
            for key in kind.model_fields:
                value = getattr(getattr(self.settings, section), key)
                yield f"{section}.{key}", as_toml(value), self.origins.get((section, key), "default")


def load(*, config: Path | None = None, overrides: Iterable[Override] = ()) -> Effective:
    """The settings in force. Raises SettingsError for anything unknown or ill-typed in any source."""
    path = config or _find_config()
    read = [*([_from_file(path)] if path else []), _from_environment(), _from_command_line(overrides)]
    origins: _Origins = {}
    for source, names in read:
        _check(source, names)
        origins |= names
    sources = tuple(source for source, _ in reversed(read))  # the library wants the strongest first
    settings = Settings(_build_sources=(sources, {}))  # pyright: ignore[reportCallIssue]  # it sees only the fields
    return Effective(settings, origins)


def parse_override(text: str) -> Override:
    """Read the `section.key=value` of `--set`. Raises SettingsError."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise SettingsError(
            f"--set {name.strip()}: write it as --set section.key=value, for example --set voice.speed=1.2"
        )
    return Override(section, key, value, f"--set {section}.{key}")


def as_toml(value: object) -> str:
    """A value as it is written in config.toml."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    # A JSON string is a TOML string, but for U+007F, which TOML wants escaped.
    return json.dumps("" if value is None else str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def render(settings: Settings) -> str:
    """A whole config.toml, each value under its explanation."""
    lines = ["# Parley's settings. Every value here is the default; keep the lines you change and delete the rest."]
    for section, kind in _SECTIONS.items():
        lines += ["", f"# {kind.__doc__}", f"[{section}]"]
        for key, found in kind.model_fields.items():
            choices = _choices(found)
            lines += [f"# {found.description}"]
            lines += [
                f"{key} = {as_toml(getattr(getattr(settings, section), key))}" + (f"  # {choices}" if choices else "")
            ]
    return "\n".join(lines) + "\n"


# --- the sources ----------------------------------------------------------------------------------------------------


class _File(TomlConfigSettingsSource):
    """Reads the file even if it is a pipe, and fails if it is not there; the library passes over both."""

    @override
    def _read_files(self, files: Any, deep_merge: bool = False) -> dict[str, Any]:
        return self._read_file(files)


_Source = _File | EnvSettingsSource


def _find_config() -> Path | None:
    places = (Path.cwd() / "config.toml", config_dir() / "config.toml")
    return next((place for place in places if place.exists()), None)


def _from_file(path: Path) -> tuple[_Source, _Origins]:
    try:
        source = _File(Settings, path.absolute())  # the library takes Path() for no file given
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; give another file with --config") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        # tomllib ends its message with "(at line 3, column 7)".
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    origins: _Origins = {}
    for section, values in source.toml_data.items():  # as written: of [VOICE] and [voice] the library would drop one
        _refuse_unknown_section(section, str(path))
        if not isinstance(values, dict):
            raise SettingsError(
                f"{path}: {section} is a section; write [{section}] on a line of its own, its keys below"
            )
        origins |= {(section, key): str(path) for key in cast("dict[str, Any]", values)}
    return source, origins


def _from_environment() -> tuple[_Source, _Origins]:
    """Variables `PARLEY_SECTION__KEY`; one that looks like a setting and is none is refused, others are not ours."""
    origins: _Origins = {}
    for variable in os.environ:
        if not variable.lower().startswith(_PREFIX.lower()):
            continue
        section, separator, key = variable.lower().removeprefix(_PREFIX.lower()).partition("__")
        if separator:
            _refuse_unknown_section(section, variable)
            origins[section, key] = variable
        elif any(section == known or section.startswith(f"{known}_") for known in _SECTIONS):
            known = next(known for known in _SECTIONS if section == known or section.startswith(f"{known}_"))
            key = section.removeprefix(known).lstrip("_") or "KEY"
            raise SettingsError(f"{variable}: is no setting; did you mean {_PREFIX}{known.upper()}__{key.upper()}?")
    return EnvSettingsSource(Settings), origins


def _from_command_line(overrides: Iterable[Override]) -> tuple[_Source, _Origins]:
    source, texts = EnvSettingsSource(Settings), dict[str, str]()
    origins: _Origins = {}
    for section, key, value, origin in overrides:
        _refuse_unknown_section(section, origin)
        texts[_variable(section, key)] = value
        origins[section, key.lower()] = origin  # as the library: case is ignored
    source.env_vars = texts
    return source, origins


def _variable(section: str, key: str) -> str:
    """The name under which the library looks for a setting; it ignores case."""
    return f"{_PREFIX}{section}__{key}".lower()


def _refuse_unknown_section(section: str, origin: str) -> None:
    if section not in _SECTIONS:
        raise SettingsError(f"{origin}: there is no section {section}; {_nearest(section, _SECTIONS)}")


# --- validating -----------------------------------------------------------------------------------------------------


def _check(source: _Source, origins: _Origins) -> None:
    """Raises SettingsError about the first value of this source that is wrong."""
    try:
        Settings.model_validate(source())
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SettingsError(_explain(faults[0], source, origins) + more) from None  # the cause would repeat the value


def _explain(fault: ErrorDetails, source: _Source, origins: _Origins) -> str:
    section, key = str(fault["loc"][0]), str(fault["loc"][1])
    origin, kind = origins[section, key], _SECTIONS[section]
    where = origin if f"{section}.{key}" in origin else f"{origin}: {section}.{key}"
    if fault["type"] == "extra_forbidden":
        return f"{where} is no setting; {_nearest(key, kind.model_fields)}"
    # What was written: by now the library has made numbers of the texts of variables.
    given = source.env_vars[_variable(section, key)] if isinstance(source, EnvSettingsSource) else fault["input"]
    shown = as_toml(given) if isinstance(given, str | int | float) else "a list, a table or a date"
    return f"{where} cannot be {shown}; it must be {_allowed(kind.model_fields[key])}"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"known are {', '.join(names)}"


def _allowed(found: FieldInfo) -> str:
    """What values a setting may have, in words."""
    if get_origin(found.annotation) is Literal:
        return f"one of {_choices(found)}"
    pattern = any(getattr(bound, "pattern", None) for bound in found.metadata)
    if pattern:
        return 'two times like "22:30-07:30", or ""'
    words: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}
    return ", ".join(filter(None, [words.get(found.annotation, "a text"), _choices(found)]))


def _choices(found: FieldInfo) -> str:
    """The words or the bounds a setting is held to, empty if there are none."""
    if get_origin(found.annotation) is Literal:
        return ", ".join(f'"{choice}"' for choice in get_args(found.annotation))
    phrases = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [
        f"{phrase} {getattr(bound, name)}"
        for bound in found.metadata
        for name, phrase in phrases.items()
        if getattr(bound, name, None) is not None
    ]
    return " and ".join(bounds)
