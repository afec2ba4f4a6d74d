"""Reads the settings: command line > environment `PARLEY_SECTION__KEY` > config.toml > defaults.

Every source is validated apart, before they are laid over one another. So an error names the file or variable it came
from, a quoted number in the file is refused while the same text in the environment is taken, and a fault is told even
where a stronger source hides it. (This is why it is plain pydantic: pydantic-settings merges first, takes no notice of
unknown environment variables, and costs 150 ms and 5 MB at every start.)
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from agent.errors import SettingsError
from agent.paths import config_dir
from agent.settings import Settings

_PREFIX: Final = "PARLEY_"
_SECTIONS: Final = {name: cast("type[BaseModel]", found.annotation) for name, found in Settings.model_fields.items()}


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


@dataclass(slots=True)
class _Source:
    """What one source gives, by section and key."""

    texts: bool
    """True where every value is a text (environment, command line), False where types are known (TOML)."""
    values: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    origins: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


def load(
    *,
    config: Path | None = None,
    overrides: Iterable[Override] = (),
    environment: Mapping[str, str] = os.environ,
    working_directory: Path | None = None,
) -> Effective:
    """The settings in force. Raises SettingsError for anything unknown or ill-typed in any source."""
    path = config or _find_config(environment, working_directory or Path.cwd())
    sources = [_from_file(path)] if path else []
    sources += [_from_environment(environment), _from_command_line(overrides)]
    merged: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], str] = {}
    for source in sources:
        for section, values in _validated(source).items():
            merged.setdefault(section, {}).update(values)
        origins |= source.origins
    return Effective(Settings.model_validate(merged), origins)


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


def _find_config(environment: Mapping[str, str], working_directory: Path) -> Path | None:
    here = working_directory / "config.toml"
    places = (here, config_dir(environment) / "config.toml")
    return next((place for place in places if place.exists()), None)


def _from_file(path: Path) -> _Source:
    try:
        given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; give another file with --config") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        # tomllib ends its message with "(at line 3, column 7)".
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    source = _Source(texts=False)
    for section, values in given.items():
        _refuse_unknown_section(section, str(path))
        if not isinstance(values, dict):
            raise SettingsError(
                f"{path}: {section} is a section; write [{section}] on a line of its own, its keys below"
            )
        source.values[section] = cast("dict[str, Any]", values)
        source.origins |= {(section, key): str(path) for key in source.values[section]}
    return source


def _from_environment(environment: Mapping[str, str]) -> _Source:
    """Variables `PARLEY_SECTION__KEY`; one that looks like a setting and is none is refused, others are not ours."""
    source = _Source(texts=True)
    for variable, value in sorted(environment.items()):
        if not variable.startswith(_PREFIX):
            continue
        section, separator, key = variable.removeprefix(_PREFIX).lower().partition("__")
        if separator:
            _refuse_unknown_section(section, variable)
            source.values.setdefault(section, {})[key] = value
            source.origins[section, key] = variable
        elif any(section == known or section.startswith(f"{known}_") for known in _SECTIONS):
            known = next(known for known in _SECTIONS if section == known or section.startswith(f"{known}_"))
            key = section.removeprefix(known).lstrip("_") or "KEY"
            raise SettingsError(f"{variable}: is no setting; did you mean {_PREFIX}{known.upper()}__{key.upper()}?")
    return source


def _from_command_line(overrides: Iterable[Override]) -> _Source:
    source = _Source(texts=True)
    for section, key, value, origin in overrides:
        _refuse_unknown_section(section, origin)
        source.values.setdefault(section, {})[key] = value
        source.origins[section, key] = origin
    return source


def _refuse_unknown_section(section: str, origin: str) -> None:
    if section not in _SECTIONS:
        raise SettingsError(f"{origin}: there is no section {section}; {_nearest(section, _SECTIONS)}")


# --- validating -----------------------------------------------------------------------------------------------------


def _validated(source: _Source) -> dict[str, dict[str, Any]]:
    """The source's values in their types. Raises SettingsError about the first that is wrong."""
    try:
        if source.texts:
            found = Settings.model_validate_strings(source.values)
        else:
            # By way of JSON, because only there strict still takes a text for a path.
            found = Settings.model_validate_json(json.dumps(source.values, default=lambda _: {}), strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SettingsError(_explain(faults[0], source) + more) from None  # the cause would repeat the value
    return {
        section: {key: getattr(getattr(found, section), key) for key in values}
        for section, values in source.values.items()
    }


def _explain(fault: ErrorDetails, source: _Source) -> str:
    section, key = str(fault["loc"][0]), str(fault["loc"][1])
    origin, kind = source.origins[section, key], _SECTIONS[section]
    where = origin if f"{section}.{key}" in origin else f"{origin}: {section}.{key}"
    if fault["type"] == "extra_forbidden":
        return f"{where} is no setting; {_nearest(key, kind.model_fields)}"
    given = fault["input"]
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
