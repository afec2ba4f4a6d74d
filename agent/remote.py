"""What a command asks of the running companion. Standard library only and no asyncio: commands must start fast."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from agent.errors import NotRunning, ParleyError
from agent.instance import control_socket, peer

_PATIENCE_SECONDS: Final = 5.0
"""A companion that does not answer a simple command by then hangs."""
_END_SECONDS: Final = 10.0


def request(
    command: str, *, patience_seconds: float | None = _PATIENCE_SECONDS, path: Path | None = None, **args: Any
) -> Iterator[Any]:
    """Send one command and yield its results as they come. Raises NotRunning, or the companion's own error."""
    with _connected(path or control_socket(), patience_seconds) as connection:
        try:
            connection.sendall(json.dumps({"command": command, "args": args}).encode() + b"\n")
            with connection.makefile("rb") as answer:
                yield from _results(answer)
        except TimeoutError:
            raise ParleyError("the companion does not answer; its log may tell why") from None
        except ConnectionError:
            raise NotRunning("the companion ended before it could answer") from None


def order(command: str, *, path: Path | None = None, **args: Any) -> Any:
    """Send one command and return its one result, None if it has none. Raises as `request` does."""
    return next(iter(list(request(command, path=path, **args))), None)


def stop(path: Path | None = None) -> bool:
    """End the companion and wait for its end. False if it still runs after ten seconds."""
    where = path or control_socket()
    with _connected(where, _PATIENCE_SECONDS) as connection:
        found = peer(connection)
    ending = _watch(found[0]) if found else None
    try:
        with contextlib.suppress(NotRunning):  # it may be gone before it could answer
            order("stop", path=where)
        return ending is None or bool(select.select([ending], [], [], _END_SECONDS)[0])
    finally:
        if ending is not None:
            os.close(ending)


def is_running(path: Path | None = None) -> bool:
    """Whether a companion takes commands."""
    try:
        with _connected(path or control_socket(), _PATIENCE_SECONDS):
            return True
    except NotRunning:
        return False


def _watch(process: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):
        return None


@contextlib.contextmanager
def _connected(path: Path, patience_seconds: float | None) -> Generator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_SECONDS)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning("Parley is not running; start it with: parley run") from None
        except OSError as error:
            raise NotRunning(f"cannot reach the companion at {path}: {error}") from None
        connection.settimeout(patience_seconds)
        yield connection


def _results(answer: Any) -> Iterator[Any]:
    for line in answer:
        match json.loads(line):
            case {"result": result}:
                yield result
            case {"error": str(error), "exit_code": int(code)}:
                raise _error(error, code)
            case _:
                return
    raise ConnectionResetError


def _error(message: str, code: int) -> ParleyError:
    error = ParleyError(message)
    error.exit_code = code
    return error
