"""The log that a person reads: one line for each thing worth knowing.

Lines are rendered and written in a thread of their own, because a terminal can stop taking text (Ctrl+S, a stuck ssh)
and must not stop the companion with it. When too many lines wait, new ones are left out and counted.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import traceback
from collections.abc import Callable
from queue import Full, Queue
from typing import Final

from rich.console import Console
from rich.text import Text
from typing_extensions import override

from agent.events import Event
from agent.narration import Line, Narrator
from agent.wording import one_line

_CAPACITY: Final = 1000
_NARROW: Final = 50
"""Columns; a narrower terminal wraps without indentation."""

_LOOKS: Final = {
    "heard": (">", "cyan"),
    "typed": (">", "cyan"),
    "says": ("<", "green"),
    "prompt": ("=", "blue"),
    "hush": ("=", "yellow"),
    "wait": (".", "bright_black"),
    "silent": (".", "bright_black"),
    "pass": (".", "bright_black"),
    "ignored": (".", "bright_black"),
    "timing": (" ", "bright_black"),
    "event": (" ", "bright_black"),
    "cut": ("x", "yellow"),
    "muted": ("x", "yellow"),
    "model": ("*", "magenta"),
    "ready": ("*", "magenta"),
    "device": ("!", "yellow"),
    "warning": ("!", "yellow"),
    "failed": ("!", "red"),
    "crash": ("!", "red"),
    "error": ("!", "red"),
}
"""Label → sign and colour."""

_Stamped = tuple[dt.datetime, Line]


class Terminal:
    """A tap that writes to a console."""

    def __init__(self, console: Console, narrator: Narrator, wall: Callable[[], dt.datetime]) -> None:
        """`wall` is the clock for the stamps."""
        self._console = console
        self._narrator = narrator
        self._wall = wall
        self._waiting: Queue[_Stamped | None] = Queue(_CAPACITY)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="terminal", daemon=True)
        self._writer.start()

    def take(self, event: Event) -> None:
        """Show the event if it is worth a line; never waits."""
        line = self._narrator.tell(event)
        if line is not None:
            self.show(line)

    def show(self, line: Line) -> None:
        """Show a line; never waits. May be called from any thread."""
        try:
            if self._left_out:
                self._waiting.put_nowait((self._wall(), Line("warning", f"{self._left_out} lines were left out here.")))
                self._left_out = 0
            self._waiting.put_nowait((self._wall(), line))
        except Full:
            self._left_out += 1

    def close(self) -> None:
        """Write what waits, for a second at most."""
        try:
            self._waiting.put_nowait(None)
        except Full:
            return
        self._writer.join(timeout=1.0)

    def _write(self) -> None:
        try:
            while (stamped := self._waiting.get()) is not None:
                render(self._console, *stamped)
        except (OSError, ValueError, SystemExit):
            # Nobody reads any more: the terminal or pipe is closed (SystemExit is how rich tells of a broken pipe).
            self._waiting = Queue(1)


def render(console: Console, stamp: dt.datetime, line: Line) -> None:
    """Print one line; in a terminal that is wide enough, its continuation is indented."""
    sign, colour = _LOOKS.get(line.label, (" ", "default"))
    head = Text.assemble(
        (f"{stamp:%H:%M:%S}", "bright_black"), f" {sign} ", (f"{line.label:<8}", f"{colour}"), no_wrap=True
    )
    strong = line.label in {"heard", "typed", "says"}
    body = Text(line.body, style="default" if strong else colour)
    if line.note:
        body.append(f"  {line.note}", style="bright_black")
    if not console.is_terminal or console.width < _NARROW:
        console.print(head + body, soft_wrap=True)
        return
    first, *more = body.wrap(console, console.width - len(head)) or [Text()]
    console.print(head + first)
    for text in more:
        console.print(Text(" " * len(head)) + text)


class TerminalLogs(logging.Handler):
    """Puts Python's own log records (ours, and what workers write to their stderr) into the terminal log."""

    def __init__(self, terminal: Terminal, *, verbose: bool = False) -> None:
        """With `verbose`, tracebacks are shown whole; otherwise only the error's last line."""
        super().__init__()
        self._terminal = terminal
        self._verbose = verbose

    @override
    def emit(self, record: logging.LogRecord) -> None:
        label = (
            "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "event"
        )
        body = one_line(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            body += f": {type(error).__name__}"
        self._terminal.show(Line(label, body, record.name))
        if error is not None and self._verbose:
            for text in "".join(traceback.format_exception(error)).splitlines():
                self._terminal.show(Line("event", text.rstrip()))
