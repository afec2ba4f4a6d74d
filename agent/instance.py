"""One companion at a time: the holder of a lock beside the control socket is the instance.

A lock goes with the process that holds it, however that ends, so a stale one cannot exist and a stale socket may be
removed by whoever gets the lock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import socket
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Final

from agent.errors import AlreadyRunning, ParleyError
from agent.paths import runtime_dir

_LONGEST_ADDRESS: Final = 107
"""Bytes of a Unix socket's path; the system's limit."""
_PEER: Final = struct.Struct("3i")
"""Linux's `struct ucred`: pid, uid, gid."""


def control_socket() -> Path:
    """Where the companion of this user listens for commands. Raises ParleyError."""
    path = runtime_dir() / "control.sock"
    if len(os.fsencode(path)) > _LONGEST_ADDRESS:
        raise ParleyError(f"{path} is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory of your own")
    return path


@contextlib.contextmanager
def claim(path: Path, started: dt.datetime) -> Generator[None]:
    """Be the instance for as long as the block lasts.

    Raises AlreadyRunning, with the other's pid and start; ParleyError if the lock cannot be used.
    """
    lock = path.with_suffix(".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ParleyError(f"cannot use {lock}: {error.strerror}; remove what is there") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "just starting"
            raise AlreadyRunning(f"Parley already runs ({who}); end it with: parley stop") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}, since {started:%Y-%m-%d %H:%M:%S}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # the file stays: removing it would let two instances lock two files of one name


@contextlib.contextmanager
def listening(path: Path) -> Generator[socket.socket]:
    """A bound socket that only the user can reach; for the instance alone.

    Removes what a dead instance left behind. Raises ParleyError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        try:
            path.unlink(missing_ok=True)
            bound.bind(str(path))  # the directory is 0700: nobody gets in before the next line
            path.chmod(0o600)
        except OSError as error:
            raise ParleyError(f"cannot listen at {path}: {error.strerror or error}") from None
        bound.setblocking(False)
        try:
            yield bound
        finally:
            path.unlink(missing_ok=True)


def peer(connection: socket.socket) -> tuple[int, int] | None:
    """The process and user at the other end; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    process, user, _group = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _PEER.size))
    return process, user
