"""Every event as one JSON line, and back. The schema is in docs/journal.md.

The journal is a tap: it writes at once, so that the line of the last moment before a crash is there, and it never
disturbs the companion. When the disk is full it says so once, counts what is missing, and goes on when it can.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from agent import __version__, events
from agent.errors import ParleyError
from agent.events import Event

_LOGGER = logging.getLogger(__name__)
_OLD_ONES: Final = 3
_ENCODER: Final = msgspec.json.Encoder()

Content = Literal["nowhere", "terminal", "everywhere"]

TEXT_FIELDS: Final = frozenset({"text", "heard", "spoken", "verbatim", "occasion"})
"""What people and Parley say. Every other field must be fit for any eye."""

EVENTS: Final[dict[str, type[Event]]] = {
    name: kind
    for name, kind in vars(events).items()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}
"""Name in the journal → type."""


class Journal:
    """Appends events to a file that only the user can read; `take` is the tap."""

    def __init__(
        self, path: Path, *, started: dt.datetime, digest: str, content: Content, max_bytes: int = 10 * 1024 * 1024
    ) -> None:
        """Write to `path`; `started` is the wall clock at loop time 0, `digest` that of the settings."""
        self._path = path
        self._header = _line({"version": __version__, "started": started.isoformat(), "settings": digest})
        self._texts = content == "everywhere"
        self._max_bytes = max_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._missing: int | None = None
        """How many events could not be written since the last that could; None while all is well."""
        self._torn = False
        """The file ends in the middle of a line."""
        self._attempt(b"")

    def take(self, event: Event) -> None:
        """Write one event; never raises on account of the file."""
        self._attempt(_line(as_fields(event, texts=self._texts)))

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _attempt(self, line: bytes) -> None:
        try:
            if self._descriptor is None:
                self._open()
            elif self._size + len(line) > self._max_bytes:
                self._rotate()
            self._write(line)
        except OSError as error:
            if self._missing is None:
                _LOGGER.error("cannot write the journal %s: %s; going on without it", self._path, error.strerror)  # noqa: TRY400  # the trace tells nothing more
            self._missing = (self._missing or 0) + bool(line)
        else:
            if self._missing is not None:
                _LOGGER.warning("the journal can be written again; %d events are missing", self._missing)
            self._missing = None

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not blocking, because the path might be a pipe that nobody reads.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            self._size = _private_file(descriptor)
            self._torn = self._size > 0 and os.pread(descriptor, 1, self._size - 1) != b"\n"
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._write(self._header)

    def _rotate(self) -> None:
        self.close()
        for number in range(_OLD_ONES, 0, -1):
            newer = self._old(number - 1) if number > 1 else self._path
            if newer.exists():
                newer.replace(self._old(number))
        self._open()

    def _old(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _write(self, line: bytes) -> None:
        if self._descriptor is None or not line:
            return
        whole = b"\n" + line if self._torn else line
        written = os.write(self._descriptor, whole)
        self._size += written
        self._torn = written < len(whole)
        if self._torn:
            raise OSError(None, "no room for a whole line")


def _private_file(descriptor: int) -> int:
    """Close the file to others; returns its size. Raises OSError if it is none."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(None, "is not a file")
    os.fchmod(descriptor, 0o600)
    return found.st_size


def as_fields(event: Event, *, texts: bool) -> dict[str, Any]:
    """The event as it is in the journal; without `texts`, what was said is only counted."""
    fields: dict[str, Any] = {"at": round(event.at, 6), "event": type(event).__name__}
    for name in (field.name for field in dataclasses.fields(event) if field.name != "at"):
        value = getattr(event, name)
        if name in TEXT_FIELDS and not texts:
            fields |= {name: "", f"{name}_chars": len(value)}
        else:
            fields[name] = value
    return fields


def replay(path: Path) -> Iterator[Event]:
    """Read the events of a journal back, in order. Texts that were left out are empty.

    A line that was cut by a crash is passed over with a warning. Raises ParleyError for what is no journal.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                event = _read(line, f"{path}:{number}")
                if event is not None:
                    yield event
    except OSError as error:
        raise ParleyError(f"{path}: cannot be read: {error.strerror}") from error


def _read(line: bytes, where: str) -> Event | None:
    try:
        fields: Any = json.loads(line)
    except ValueError:
        _LOGGER.warning("%s: passed over half a line", where)
        return None
    if not isinstance(fields, dict):
        raise ParleyError(f"{where}: is not a line of a journal")
    fields = cast("dict[str, Any]", fields)
    if "version" in fields:
        return None
    kind = EVENTS.get(str(fields.pop("event", "")))
    if kind is None:
        raise ParleyError(f"{where}: tells of an event that this version does not know")
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise ParleyError(f"{where}: {kind.__name__} does not fit this version: {error}") from None


def _line(fields: dict[str, Any]) -> bytes:
    return _ENCODER.encode(fields) + b"\n"
