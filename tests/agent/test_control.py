from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path

import pytest

from agent.clock import run_virtual
from agent.control import ControlServer
from agent.errors import AlreadyRunning
from tests.scripted_companion import DEVICES, MEMORY, STARTED, VERDICTS, ScriptedCompanion


@pytest.fixture(autouse=True)
def short_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short


PATH = Path("control.sock")


@contextlib.asynccontextmanager
async def companion():
    found = ScriptedCompanion()
    async with ControlServer(found, started=STARTED, path=PATH):
        yield found


async def exchange(*sent: bytes) -> list[dict]:
    """Write to the socket, and read all that comes back."""
    reader, writer = await asyncio.open_unix_connection(PATH)
    for part in sent:
        writer.write(part)
    answer = await reader.read()
    await hang_up(writer)
    return [json.loads(line) for line in answer.splitlines()]


async def hang_up(writer):
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def asked(command, **args) -> bytes:
    return json.dumps({"command": command, "args": args}).encode() + b"\n"


def answers(*sent: bytes) -> list[dict]:
    async def main():
        async with companion():
            return await exchange(*sent)

    return run_virtual(main())


@pytest.mark.parametrize(
    ("request_line", "results"),
    [
        (asked("why", count=1), [VERDICTS[-1:]]),
        (asked("devices"), [DEVICES]),
        (asked("vram"), [MEMORY]),
        (asked("vram_free", seconds=None), []),
        (asked("vram_free", seconds=90), []),
        (asked("vram_back"), [""]),
        (asked("say", text="hi"), []),
        (asked("mute"), []),
        (asked("unmute"), []),
        (asked("stop"), []),
        (asked("ask", text="x"), ["You said x.", "That \x1b[31mis all."]),
    ],
)
def test_a_command_is_answered_by_its_results_and_an_end(request_line, results):
    assert answers(request_line) == [*({"result": result} for result in results), {"done": True}]


def test_an_order_reaches_the_companion():
    async def main():
        async with companion() as found:
            await exchange(asked("say", text="hi"))
            await exchange(asked("mute"))
            return found.orders

    assert run_virtual(main()) == ["say hi", "mute"]


@pytest.mark.parametrize(
    "line",
    [b"hello\n", b"[]\n", b'{"command": "mute"}\n', b'{"command": 1, "args": {}}\n', b"\xff\n", b"[" * 30000 + b"\n"],
)
def test_what_is_no_request_is_refused(line):
    assert answers(line) == [{"error": 'a request is one line of JSON: {"command": …, "args": {…}}', "exit_code": 1}]


@pytest.mark.parametrize(
    "line",
    [
        asked("dance"),
        asked("say"),
        asked("say", text=1),
        asked("mute", now=True),
        asked("why", count=0),
        asked("__init__"),
        asked("vram_free"),
        asked("vram_free", seconds=0),
        asked("vram_free", seconds=604_801),
        asked("vram_free", seconds="90"),
        asked("vram_free", seconds=float("nan")),
    ],
)
def test_an_unknown_command_is_refused(line):
    assert "does not know this command" in answers(line)[0]["error"]


def test_a_request_too_long_is_refused():
    assert answers(b"x" * 70_000 + b"\n") == [{"error": "the request is too long; 64 KiB is the most", "exit_code": 1}]


def test_who_does_not_ask_is_shown_out():
    assert answers() == [{"error": "no request came", "exit_code": 1}]


def test_an_error_of_parleys_reaches_the_caller_with_its_exit_code():
    assert answers(asked("say", text="miss")) == [{"error": "there is no voice on this machine", "exit_code": 3}]


def test_a_fault_is_logged_and_neither_told_in_full_nor_fatal(caplog):
    async def main():
        async with companion():
            return await exchange(asked("say", text="raise")), await exchange(asked("mute"))

    fault, after = run_virtual(main())
    assert fault == [{"error": "the companion could not do it (ZeroDivisionError); see its log", "exit_code": 1}]
    assert after == [{"done": True}]
    assert "a command could not be answered" in caplog.text


def test_half_a_character_from_the_command_line_does_no_harm():
    assert answers(asked("ask", text="\udcff"))[0] == {"result": "You said ?."}


def test_who_hangs_up_is_no_longer_waited_for():
    async def main():
        async with companion() as found:
            reader, writer = await asyncio.open_unix_connection(PATH)
            writer.write(asked("ask", text="wait"))
            await reader.readline()
            await hang_up(writer)
            await found.abandoned.wait()

    run_virtual(main())


def test_a_caller_who_still_waits_does_not_hold_up_the_end():
    async def main():
        async with companion() as found:
            reader, writer = await asyncio.open_unix_connection(PATH)
            writer.write(asked("ask", text="wait"))
            await reader.readline()
        assert found.abandoned.is_set()
        assert await reader.read() == b""
        await hang_up(writer)

    run_virtual(main())


def test_several_callers_are_served_at_once():
    async def main():
        async with companion():
            reader, writer = await asyncio.open_unix_connection(PATH)
            writer.write(asked("ask", text="wait"))
            await reader.readline()
            other = await exchange(asked("mute"))
            await hang_up(writer)
            return other

    assert run_virtual(main()) == [{"done": True}]


def test_another_user_is_shown_out_without_a_word(monkeypatch):
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with contextlib.suppress(ConnectionResetError):
        assert answers(asked("status")) == []


def test_a_second_server_is_refused_and_the_first_goes_on():
    async def main():
        async with companion():
            with pytest.raises(AlreadyRunning):
                async with companion():
                    pytest.fail("two instances")
            return await exchange(asked("mute"))

    assert run_virtual(main()) == [{"done": True}]


def test_a_socket_left_by_a_dead_process_is_replaced():
    PATH.write_text("left behind")
    assert answers(asked("mute")) == [{"done": True}]
    assert not PATH.exists()
