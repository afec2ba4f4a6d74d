"""Who Parley is: one Markdown file per personality.

    ---
    name: Parley            YAML: name, voice, speed, patience, chattiness, greeting; only the name must be given
    patience: 60
    ---
    You are {name}. It is {time_of_day}. {user}

The body is the system prompt. `{name}`, `{time_of_day}` and `{user}` are filled in; a real brace is written twice.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, cast

import yaml

from agent.errors import PersonalityError
from agent.paths import config_dir
from agent.policy import daytime
from agent.settings import UserSettings

_MAX_BYTES: Final = 64 * 1024
_PLACEHOLDERS: Final = ("name", "time_of_day", "user")
_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """What a personality file says."""

    name: str
    """What it is called; also what the user may call it."""
    voice: str = ""
    """A voice of the engine; empty for the engine's default."""
    speed: float = 1.0
    """How fast it speaks; 1 is normal."""
    patience_seconds: float = 120.0
    """Quiet before it may start by itself."""
    chattiness: float = 0.5
    """0 never starts by itself, 1 often."""
    greeting: str = ""
    """Said at the start; empty for none."""
    digest: str
    """The first 12 hex digits of the file's SHA-256."""
    path: Path
    body: str
    """The system prompt with its placeholders."""

    def system_prompt(self, time_of_day: str, user: UserSettings) -> str:
        """The body with everything filled in."""
        return _fill(self.body, {"name": self.name, "time_of_day": time_of_day, "user": _known_of(user)})


def time_of_day(wall: dt.datetime) -> str:
    """What people call this hour."""
    return daytime.time_of_day(wall.hour * 60 + wall.minute)


def load(name: str, folders: Iterable[Path] | None = None) -> Personality:
    """The personality of this name from the first folder that has it. Raises PersonalityError."""
    places = [folder for folder in folders or prompt_folders() if folder.is_dir()]
    if Path(name).name != name:
        raise PersonalityError(
            f"{name} is a path; a personality is given by its name, its file lies in a folder prompts"
        )
    for folder in places:
        path = folder / f"{name}.md"
        if path.is_symlink() or path.exists():
            _refuse_escape(path, folder)
            return read(path)
    known = sorted({path.stem for folder in places for path in folder.glob("*.md")})
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    there = f"there are {', '.join(known)}" if known else f"put {name}.md into {config_dir() / 'prompts'}"
    raise PersonalityError(f"there is no personality {name}; {meant}{there}")


def prompt_folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Where personalities are looked for, in order: the user's, the working directory's, Parley's own."""
    package = Path(__file__).resolve().parent
    return [config_dir(environment) / "prompts", Path("prompts"), package / "prompts", package.parent / "prompts"]


def read(path: Path) -> Personality:
    """The personality in this file. Raises PersonalityError with file, line, what is wrong and what to do."""
    raw = _bytes(path)
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PersonalityError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from error
    front, body, body_line = _split(path, text)
    given = _front_matter(path, front)
    _check_placeholders(path, body, body_line, _PLACEHOLDERS)
    name = str(given["name"])
    return Personality(
        name=name,
        voice=str(given.get("voice", "")),
        speed=float(given.get("speed", 1.0)),
        patience_seconds=float(given.get("patience", 120.0)),
        chattiness=float(given.get("chattiness", 0.5)),
        greeting=_fill(str(given.get("greeting", "")), {"name": name}),
        digest=hashlib.sha256(raw).hexdigest()[:12],
        path=path,
        body=body.strip(),
    )


# --- the file -------------------------------------------------------------------------------------------------------


def _refuse_escape(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PersonalityError(f"{path}: leads out of {folder}; put a copy of the file there instead")


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise PersonalityError(f"{path}: is not a file; a personality is a Markdown file")
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PersonalityError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise PersonalityError(f"{path}: is longer than 64 KB; shorten it, the model would not read it all anyway")
    return raw


def _split(path: Path, text: str) -> tuple[str, str, int]:
    """The front matter, the body, and the line on which the body begins."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise PersonalityError(f"{path}:1: has no front matter; begin with a line ---, then name: …, then a line ---")
    end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        raise PersonalityError(f"{path}:{len(lines)}: the front matter has no end; close it with a line ---")
    body = "\n".join(lines[end + 1 :])
    if not body.strip():
        raise PersonalityError(f"{path}:{end + 1}: has no body; write the system prompt below the second ---")
    return "\n".join(lines[1:end]), body, end + 2


# --- front matter ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Key:
    """What one key of the front matter may be: a text, or a number within bounds."""

    low: float | None = None
    high: float | None = None

    def value(self, scalar: yaml.ScalarNode) -> str | float | None:
        """The value, None if it is none that this key can have."""
        if self.low is None or self.high is None:
            return str(scalar.value) if scalar.tag == "tag:yaml.org,2002:str" else None
        try:
            number = float(scalar.value) if scalar.style is None else None
        except ValueError:
            return None
        return number if number is not None and self.low <= number <= self.high else None

    def allowed(self) -> str:
        """The same in words."""
        return "a text (in quotes)" if self.low is None else f"a number from {self.low:g} to {self.high:g}"


_KEYS: Final = {
    "name": _Key(),
    "voice": _Key(),
    "speed": _Key(0.5, 2.0),
    "patience": _Key(1.0, 86_400.0),
    "chattiness": _Key(0.0, 1.0),
    "greeting": _Key(),
}


def _front_matter(path: Path, front: str) -> dict[str, str | float]:
    given: dict[str, str | float] = {}
    for key, value in _entries(path, front):
        line = key.start_mark.line + 2  # marks count from 0, and the first --- is line 1
        name = str(key.value)
        if name not in _KEYS:
            near = difflib.get_close_matches(name, _KEYS, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            _fail(path, line, f"unknown key {name}; {meant}known are {', '.join(_KEYS)}")
        if name in given:
            _fail(path, line, f"{name} is given twice; delete one")
        found = _KEYS[name].value(value) if isinstance(value, yaml.ScalarNode) else None
        if found is None:
            _fail(path, line, f"{name} must be {_KEYS[name].allowed()}")
        if name == "greeting":
            _check_placeholders(path, str(found), line, ("name",))
        given[name] = found
    if not str(given.get("name", "")).strip():
        _fail(path, 2, "has no name; add a line name: …")
    return given


def _entries(path: Path, front: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Keys and values as YAML nodes, which know their lines. Nothing is constructed, so no tag can do anything."""
    try:
        root = cast("yaml.Node | None", yaml.compose(front, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]  # half typed
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + 2
        raise PersonalityError(f"{path}:{line}: the front matter is not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = front.count("\n", 0, error.position) + 2
        raise PersonalityError(f"{path}:{line}: holds a control character; delete it") from error
    except RecursionError as error:
        raise PersonalityError(f"{path}:2: the front matter must be lines of the form key: value") from error
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        _fail(path, 2, "the front matter must be lines of the form key: value")
    return root.value


def _fail(path: Path, line: int, message: str) -> NoReturn:
    raise PersonalityError(f"{path}:{line}: {message}")


# --- placeholders ---------------------------------------------------------------------------------------------------


def _check_placeholders(path: Path, text: str, first_line: int, known: tuple[str, ...]) -> None:
    for found in _BRACES.finditer(text):
        line = first_line + text.count("\n", 0, found.start())
        if found.group() in {"{", "}"}:
            _fail(path, line, f"a single {found.group()}; write it twice if you mean the character")
        if found.group(1) is not None and found.group(1) not in known:
            near = difflib.get_close_matches(found.group(1), known, n=1)
            meant = f"did you mean {{{near[0]}}}? " if near else ""
            names = ", ".join(f"{{{name}}}" for name in known)
            _fail(path, line, f"unknown placeholder {found.group()}; {meant}known are {names}")


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Fill in all placeholders at once, so that braces in a value stay what they are."""
    return _BRACES.sub(lambda found: values[found[1]] if found[1] is not None else found[0][0], text)


def _known_of(user: UserSettings) -> str:
    name = f"Their name is {user.name.strip()}." if user.name.strip() else "You do not know their name yet."
    return f"{name} {user.about.strip()}".strip()
