"""An engine that notes when it was asked and when it answered, from inside its worker process.

Stamps taken here leave out the wire, the daemon and the queues between them: all of that is Parley's own overhead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from agent.clock import monotonic
from agent.engines.api import Engine, Facts, Frame, Piece, SegmentEnded
from agent.engines.catalog import Choice

_FACTORY, _STAMPS = "bench_factory", "bench_stamps"


def stamped(choice: Choice, stamps: Path) -> Choice:
    """The same engine, with its stamps written to a file of JSON lines."""
    settings = {**choice.settings, _FACTORY: choice.factory, _STAMPS: str(stamps)}
    return Choice(choice.engine, f"{__name__}:Stamped", settings, choice.why)


class Given(NamedTuple):
    """A result."""

    given: float
    """When it was there."""
    inside_seconds: float
    """The engine's own time up to it."""
    text: str
    """What the language model wrote; empty for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A request, or the end of a segment that the ear told unasked; moments by the machine's monotonic clock."""

    kind: str
    """The name of the request's or note's type."""
    began: float
    """The engine was given the request; for a note, the ear was given the last frame before it."""
    ended: float
    """The engine was done; for a note, it was sent."""
    inside_seconds: float
    """How much of the time between was the engine's: what its results waited to be sent is left out."""
    results: tuple[Given, ...] = ()
    speech_ended_at: float = 0.0
    """Of a note."""
    silence_seconds: float = 0.0
    """Of a note."""


def read(path: Path) -> list[Stamp]:
    """All stamps of a worker, in order; none if it never ran."""
    if not path.exists():
        return []
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [Stamp(**line | {"results": tuple(Given(*result) for result in line["results"])}) for line in lines]


class Stamped:
    """Stands around the real engine; in a worker."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """The real engine's settings, and two keys of ours."""
        settings = dict(settings)
        module, _, name = settings.pop(_FACTORY).partition(":")
        self._file = Path(settings.pop(_STAMPS)).open("a", buffering=1)  # noqa: SIM115  # for the life of the process
        self._engine: Engine = getattr(import_module(module), name)(settings)
        self.requests = self._engine.requests
        self._frame_at = 0.0

    def load(self, send: Callable[[Struct], None]) -> Facts:
        """Load the real one, with an ear for its notes."""

        def noted(note: Struct) -> None:
            if isinstance(note, SegmentEnded):
                now = monotonic()
                self._write("SegmentEnded", self._frame_at, now, now - self._frame_at, (), note)
            send(note)

        return self._engine.load(noted)

    def handle(self, request: Any, cancelled: Callable[[], bool]) -> Iterator[Struct]:
        """Have the real one do it."""
        if isinstance(request, Frame):
            self._frame_at = monotonic()
            return self._engine.handle(request, cancelled)
        return self._handled(request, cancelled)

    def close(self) -> None:
        """Close the real one."""
        self._engine.close()
        self._file.close()

    def _handled(self, request: Any, cancelled: Callable[[], bool]) -> Generator[Struct, None, None]:
        began = resumed = monotonic()
        inside, results = 0.0, list[Given]()
        stream = iter(self._engine.handle(request, cancelled))
        try:
            for result in stream:
                now = monotonic()
                inside += now - resumed
                results.append(Given(now, inside, result.text if isinstance(result, Piece) else ""))
                yield result
                resumed = monotonic()
            inside += monotonic() - resumed
        finally:
            if isinstance(stream, Generator):
                stream.close()
            self._write(type(request).__name__, began, monotonic(), inside, results)

    def _write(
        self, kind: str, began: float, ended: float, inside: float, results: Any, note: SegmentEnded | None = None
    ) -> None:
        stamp: dict[str, Any] = {
            "kind": kind,
            "began": began,
            "ended": ended,
            "inside_seconds": inside,
            "results": results,
        }
        if note:
            stamp |= {"speech_ended_at": note.speech_ended_at, "silence_seconds": note.silence_seconds}
        self._file.write(json.dumps(stamp) + "\n")
