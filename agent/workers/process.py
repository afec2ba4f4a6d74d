"""A child process with a wire, whose end is noticed, told once, and complete.

Every way in which it can end comes together in `_settle`:

    asked (`stop`) · killed by us (deadline, cancel not answered, garbage, stuck) · its own exit, crash or kill

It has ended when the process has (its memory is free then, not earlier), and with it everything it had started: it
leads a process group of its own, which is killed as a whole. And it ends with us, in whatever way we end: we hold the
one writing end of a pipe, its lifeline (see `child.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from msgspec import Struct
from typing_extensions import override

from agent.errors import EngineError, EngineFailed, EngineHung, WorkerDied
from agent.workers import wire

GRACE_SECONDS: Final = 2.0
"""Between the wish that it end and the kill."""
_REAPED_SECONDS: Final = 5.0
"""A killed process that is still there after this hangs in the kernel; nobody waits for it any longer."""
_LAST_WORDS_SECONDS: Final = 0.25
"""The most that may pass between the exit of a process, the end of its wire and the end of its output."""
_OUTGOING_BYTES: Final = 16 * 1024 * 1024
"""More than this unread by the child, and it is stuck."""
_LINE_CHARS: Final = 2000

_BOOT: Final = Path(__file__).with_name("boot.py")
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Process:
    """One child, started once. Needs a running loop on real time."""

    def __init__(
        self, name: str, python: str, received: Callable[[wire.FromChild], None], ended: Callable[[EngineError], None]
    ) -> None:
        """`received` gets every message, and `ended` the cause, once, when the process is gone."""
        self._name = name
        self._python = python or sys.executable
        self._received = received
        self._tell_end = ended
        self._log = logging.getLogger(f"agent.workers.{name}")
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._wire: asyncio.Transport | None = None
        self._lifeline = -1
        self._status: int | None = None
        self._open_ends = {"wire", "output"}
        self._cause: EngineError | None = None

    async def start(self) -> None:
        """Spawn it. Raises EngineFailed if there is no such interpreter."""
        ours, theirs = socket.socketpair()
        held, self._lifeline = os.pipe()
        try:
            await self._execute(theirs.fileno(), held)
            await self._loop.create_unix_connection(lambda: _Wire(self._connected, self._took, self._over), sock=ours)
        except OSError as error:
            raise EngineFailed(
                f"The {self._name} worker cannot be started with {self._python}: {error.strerror}. "
                f"See `python` in the section [{self._name}] of the settings."
            ) from error
        finally:
            theirs.close()
            os.close(held)
            if self._wire is None:
                ours.close()
            if self._transport is None:
                self._let_go()

    def write(self, message: Struct) -> None:
        """Send it; never waits. A child that leaves too much unread is killed."""
        if self._wire is None or self._wire.is_closing():
            return
        self._wire.write(wire.encode(message))
        if self._wire.get_write_buffer_size() > _OUTGOING_BYTES:
            self.kill(EngineHung(f"The {self._name} worker does not read what it is sent."))

    async def stop(self, grace_seconds: float) -> int:
        """Have it end in order, or by force after `grace_seconds`; its exit status, once it is gone."""
        if self._is_there():
            self._cause = self._cause or WorkerDied(f"The {self._name} worker was stopped.")
            self.write(wire.Shutdown())
            self._loop.call_later(grace_seconds, self._kill_group)
        return await self.exited()

    def kill(self, cause: EngineError) -> None:
        """End it by force, now. The first cause is the one that is told."""
        if self._is_there():
            self._cause = self._cause or cause
            self._kill_group()

    async def exited(self) -> int:
        """Wait until it is gone; its exit status, negative for the signal that ended it. At once if it never was."""
        if self._transport is None:
            return 0
        return await asyncio.shield(self._exited)

    def gone(self) -> bool:
        """Whether it has ended, and all is told."""
        return self._exited.done()

    def usable(self) -> bool:
        """Whether it is there and nothing has decided its end yet."""
        return self._is_there() and self._cause is None

    def cause(self) -> EngineError:
        """Why it is not usable; a fresh exception each time, since one that is raised keeps its traceback."""
        cause = self._cause or WorkerDied(f"The {self._name} worker does not run.")
        return type(cause)(*cause.args)

    @property
    def pid(self) -> int:
        """The number of the process and of its group; 0 before it is started."""
        return (self._transport.get_pid() or 0) if self._transport else 0

    # --- how it begins and ends -------------------------------------------------------------------------------------

    async def _execute(self, wire_fd: int, lifeline_fd: int) -> None:
        self._transport, _ = await self._loop.subprocess_exec(
            lambda: _Life(self._say, self._ended, self._over),
            *(self._python, "-u", "-P", str(_BOOT), self._name, str(wire_fd), str(lifeline_fd)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(wire_fd, lifeline_fd),
            start_new_session=True,
        )

    def _connected(self, transport: asyncio.Transport) -> None:
        self._wire = transport

    def _is_there(self) -> bool:
        return self._transport is not None and self._status is None and not self._exited.done()

    def _kill_group(self) -> None:
        if self._is_there():
            _kill_group(self.pid)
            self._loop.call_later(_REAPED_SECONDS, self._settle)

    def _ended(self, status: int) -> None:
        """The process is gone. What it started goes too; what it wrote last may still be on its way."""
        self._status = status
        # Its number is free from now on, but no other process gets it while the group has members.
        _kill_group(self.pid)
        self._loop.call_later(_LAST_WORDS_SECONDS, self._settle)
        self._settle_if_over()

    def _over(self, end: str) -> None:
        """One of its two ways to say something has ended."""
        self._open_ends.discard(end)
        if end == "wire":
            cause = WorkerDied(f"The {self._name} worker closed its wire.")
            self._loop.call_later(_LAST_WORDS_SECONDS, self.kill, cause)
        self._settle_if_over()

    def _settle_if_over(self) -> None:
        if self._status is not None and not self._open_ends:
            self._settle()

    def _settle(self) -> None:
        """It is over: let go of everything, and tell."""
        if self._exited.done():
            return
        if self._status is None:
            self._log.error("process %d was killed and does not end; it hangs in the kernel", self.pid)
            self._status = -signal.SIGKILL
        self._cause = self._cause or WorkerDied(f"The {self._name} worker ended by itself: {_how(self._status)}.")
        self._log.debug("process %d is gone: %s", self.pid, _how(self._status))
        if self._transport:
            self._transport.close()
        if self._wire:
            self._wire.abort()
        self._let_go()
        self._exited.set_result(self._status)
        self._tell_end(self._cause)

    def _let_go(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    # --- what it says -----------------------------------------------------------------------------------------------

    def _took(self, message: wire.FromChild | wire.Garbage) -> None:
        if isinstance(message, wire.Garbage):
            self.kill(WorkerDied(f"The {self._name} worker sent garbage: {message}."))
        else:
            self._received(message)

    def _say(self, line: str) -> None:
        level = logging.INFO
        if line.startswith(wire.LOG_MARK):
            name, _, line = line.removeprefix(wire.LOG_MARK).partition(" ")
            level = logging.getLevelNamesMapping().get(name, level)
        self._log.log(level, "%s", line)


class _Wire(asyncio.Protocol):
    """Bytes from the child, cut into messages."""

    def __init__(
        self,
        connected: Callable[[asyncio.Transport], None],
        took: Callable[[wire.FromChild | wire.Garbage], None],
        over: Callable[[str], None],
    ) -> None:
        self._connected = connected
        self._took = took
        self._over = over
        self._frames: wire.FrameReader[wire.FromChild] = wire.FrameReader(wire.FromChild)
        self._trusted = True

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected(cast("asyncio.Transport", transport))

    @override
    def data_received(self, data: bytes) -> None:
        if not self._trusted:
            return
        try:
            for message in self._frames.feed(data):
                self._took(message)
        except wire.Garbage as garbage:
            self._trusted = False
            self._took(garbage)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._over("wire")


class _Life(asyncio.SubprocessProtocol):
    """What a child says outside the wire, line by line, and its end."""

    def __init__(self, say: Callable[[str], None], ended: Callable[[int], None], over: Callable[[str], None]) -> None:
        self._say = say
        self._ended = ended
        self._over = over
        self._rest = ""
        self._transport: asyncio.SubprocessTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    @override
    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest = re.split(r"[\r\n]+", self._rest + data.decode(errors="replace"))
        for line in lines:
            self._say_line(line)
        if len(self._rest) > _LINE_CHARS:
            self._say_line(self._rest)
            self._rest = ""

    @override
    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._say_line(self._rest)
        self._rest = ""
        self._over("output")

    @override
    def process_exited(self) -> None:
        status = self._transport.get_returncode() if self._transport else None
        self._ended(0 if status is None else status)

    def _say_line(self, line: str) -> None:
        if line := _CONTROL.sub("", line).strip():
            self._say(line[:_LINE_CHARS])


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone; macOS says so by the second
        os.killpg(pid, signal.SIGKILL)


def _how(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
