from __future__ import annotations

import datetime as dt
import io
import logging
import threading

import pytest
from rich.console import Console

from agent.events import DeviceFound, LeaseReleased, Seconds
from agent.narration import Line, Narrator
from agent.terminal import Terminal, TerminalLogs, render

STAMP = dt.datetime(2026, 1, 5, 14, 3, 5, tzinfo=dt.UTC)
FOUND = DeviceFound(at=Seconds(1), device="USB [bold]Headset")


def rendered(line, *, tty=False, width=100):
    console = Console(file=io.StringIO(), force_terminal=tty, width=width, color_system="standard" if tty else None)
    render(console, STAMP, line)
    return console.file.getvalue()


@pytest.fixture
def console():
    return Console(file=io.StringIO())


def terminal(console, **more):
    return Terminal(console, Narrator("terminal", **more), lambda: STAMP)


def test_a_line_begins_with_the_time_a_sign_and_a_word():
    assert rendered(Line("heard", '"hello"', "1.0 s")) == '14:03:05 > heard   "hello"  1.0 s\n'


def test_there_is_no_colour_and_no_wrapping_where_no_person_reads():
    text = rendered(Line("heard", "word " * 60), width=40)
    assert "\x1b" not in text
    assert text.count("\n") == 1


def test_there_is_colour_in_a_terminal():
    assert "\x1b[36m" in rendered(Line("heard", "hello"), tty=True)


def test_long_lines_are_indented_in_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=60, color_system=None)
    render(console, STAMP, Line("says", "word " * 30))
    first, *more = console.file.getvalue().splitlines()
    assert first.startswith("14:03:05 < says    word")
    assert more
    assert all(line.startswith(" " * 19 + "word") and len(line) <= 60 for line in more)


def test_events_worth_a_line_are_shown_as_they_are_and_others_are_not(console):
    log = terminal(console)
    log.take(FOUND)
    log.take(LeaseReleased(at=Seconds(1), model="mind", owner="x", held_seconds=1.0))
    log.close()
    assert console.file.getvalue() == "14:03:05 ! device  USB [bold]Headset is back.\n"


class StuckConsole(Console):
    """A terminal that takes no text until released."""

    def __init__(self):
        super().__init__(file=io.StringIO())
        self.reached = threading.Event()
        self.released = threading.Event()
        self.moving = threading.Event()
        self.printed = 0

    def print(self, *objects, **options):
        self.reached.set()
        self.released.wait(20)
        super().print(*objects, **options)
        self.printed += 1
        if self.printed == 500:
            self.moving.set()


def test_a_stuck_terminal_does_not_stop_the_companion_and_what_was_left_out_is_counted():
    console = StuckConsole()
    log = terminal(console)
    log.take(FOUND)
    assert console.reached.wait(20)
    for _ in range(1010):
        log.take(FOUND)
    console.released.set()
    assert console.moving.wait(20)
    log.take(FOUND)
    log.close()
    lines = console.file.getvalue().splitlines()
    assert sum("is back" in line for line in lines) == 1002
    assert any("10 lines were left out here." in line for line in lines)


class ClosedFile(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(text)


def test_a_closed_pipe_ends_the_log_and_nothing_else():
    log = terminal(Console(file=ClosedFile()))
    log.take(FOUND)
    log.close()
    for _ in range(3):
        log.take(FOUND)
    assert not log._writer.is_alive()


@pytest.fixture
def logger():
    found = logging.getLogger("agent.example")
    found.propagate = False
    yield found
    found.handlers.clear()
    found.propagate = True


def test_log_records_stand_among_the_events(console, logger):
    log = terminal(console)
    logger.addHandler(TerminalLogs(log))
    logger.error("cannot write %s", "x")
    logger.warning("odd")
    log.close()
    assert console.file.getvalue().splitlines() == [
        "14:03:05 ! error   cannot write x  agent.example",
        "14:03:05 ! warning odd  agent.example",
    ]


def test_a_traceback_is_shown_only_when_verbose(console, logger):
    log = terminal(console)
    for verbose in (False, True):
        logger.handlers = [TerminalLogs(log, verbose=verbose)]
        try:
            _ = 1 // 0
        except ZeroDivisionError:
            logger.exception("it failed")
    log.close()
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "14:03:05 ! error   it failed: ZeroDivisionError  agent.example"
    assert lines[0] == lines[1]
    assert any("Traceback" in line for line in lines[2:])
