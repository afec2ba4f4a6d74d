"""The child's side of a worker: one thread reads the wire, one thread owns the engine.

The reader is the main thread and does nothing that takes long, so that a cancel is seen, and the end of the parent
noticed, in the middle of a native call. How a child, with everything it started, ends when its parent is gone:

- The parent holds the only writing end of a pipe, the lifeline. Its reading end here is set to asynchronous
  notification (O_ASYNC) with SIGKILL as the signal and our process group as the receiver. So when the parent ends, in
  whatever way, Linux kills the group: no thread of ours need run, and a native call that holds the interpreter lock
  does not delay it. (PR_SET_PDEATHSIG would reach only this process and leave what it started.)
- Where the kernel has no such thing, the reader sees the end of the wire and kills the group itself.

Whatever the engine raises ends here, as a `Failed` that names the error and where it was raised. Its message is passed
on only if it cannot hold what a user said.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import importlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Struct

from agent.engines.api import Engine
from agent.errors import ParleyError
from agent.workers import wire
from agent.workers.brake import Brake, Task
from agent.workers.load_fault import load_fault

_CHUNK_BYTES: Final = 256 * 1024
_WAITING_LIMIT: Final = 4096
"""More requests than this in front of the engine mean that it is stuck: two minutes of frames."""
_SWITCH_SECONDS: Final = 0.0005
"""After so long an engine that computes in Python lets the reader have the interpreter. By default it is ten times as
long, for each hand-over: a cancel, or a request beside a thread of the engine's, then took 10 to 20 ms."""
_STUCK_STATUS: Final = 3
_FAILED_STATUS: Final = 4


class _Writer:
    """The way out; safe to use from every thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Struct) -> None:
        frame = wire.encode(message)
        try:
            with self._lock:
                self._connection.sendall(frame)
        except OSError:
            _end_group()

    def note(self, body: Struct) -> None:
        self.send(wire.Note(wire.encode_body(body)))


class Child:
    """One engine, served until the parent wants no more."""

    def __init__(self, connection: socket.socket) -> None:
        """`connection` is this side of the wire."""
        self._connection = connection
        self._writer = _Writer(connection)
        self._queue: SimpleQueue[Task | wire.Ping | wire.Shutdown] = SimpleQueue()
        self._open: dict[int, Task] = {}
        self._brake = Brake(lambda number: self._writer.send(wire.Paused(number)))

    def read(self) -> NoReturn:
        """Read the wire until the parent is gone. The main thread's work."""
        messages: wire.FrameReader[wire.ToChild] = wire.FrameReader(wire.ToChild)
        try:
            while chunk := self._connection.recv(_CHUNK_BYTES):
                for message in messages.feed(chunk):
                    self._take(message)
        except wire.Garbage as error:
            _end(_FAILED_STATUS, f"the parent sent garbage: {error}")
        except OSError:
            pass
        _end_group()

    def _take(self, message: wire.ToChild) -> None:
        match message:
            case wire.Load():
                threading.Thread(target=self._own, args=(message,), name="engine", daemon=True).start()
            case wire.Request():
                self._enqueue(Task(message))
            case wire.Cancel():
                self._cancel(message.id)
            case wire.Pause():
                self._brake.pause(message.number)
            case wire.Resume():
                self._brake.resume()
            case wire.Ping():
                self._queue.put(message)
            case wire.Shutdown():
                for task in tuple(self._open.values()):
                    self._brake.cancel(task)
                self._brake.resume()
                self._queue.put(message)

    def _enqueue(self, task: Task) -> None:
        if self._queue.qsize() >= _WAITING_LIMIT:
            _end(_STUCK_STATUS, f"the engine is stuck: {_WAITING_LIMIT} requests wait for it")
        if task.request.id != wire.ONE_WAY:
            self._open[task.request.id] = task
        self._queue.put(task)

    def _cancel(self, number: int) -> None:
        """Have the engine stop, or answer at once for a task that it has not begun."""
        task = self._open.get(number)
        if task is None or self._brake.cancel(task):
            return
        del self._open[number]
        self._writer.send(wire.Done(number, task.request.generation, cancelled=True))

    # --- the engine's thread ----------------------------------------------------------------------------------------

    def _own(self, load: wire.Load) -> None:
        engine = self._load(load)
        decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(engine.requests)
        while True:
            task = self._queue.get()
            match task:
                case Task():
                    if self._brake.start(task):
                        self._answer(engine, decoder, task)
                        self._brake.end()
                case wire.Ping():
                    self._writer.send(wire.Pong())
                case wire.Shutdown():
                    _close(engine)

    def _load(self, load: wire.Load) -> Engine:
        """Import and load the engine, or say why not and end."""
        _prepare_environment(load)
        try:
            module, _, name = load.engine.partition(":")
            engine: Engine = getattr(importlib.import_module(module), name)(load.settings)
            facts = engine.load(self._writer.note)
        except BaseException as error:  # noqa: BLE001  # the edge: an engine may raise anything, SystemExit included
            self._writer.send(wire.LoadFailed(_told_of_load(error), load_fault(error)))
            _end(_FAILED_STATUS)
        self._writer.send(wire.Ready(wire.encode_body(facts)))
        return engine

    def _answer(self, engine: Engine, decoder: msgspec.msgpack.Decoder[Any], task: Task) -> None:
        request = task.request
        answer: Struct
        try:
            self._run(engine, decoder.decode(request.body), task)
            answer = wire.Done(request.id, request.generation, task.cancelled)
        except BaseException as error:  # noqa: BLE001  # the edge: an engine may raise anything, SystemExit included
            traceback.print_tb(error.__traceback__)
            answer = wire.Failed(request.id, request.generation, told(error))
        self._open.pop(request.id, None)
        if request.id != wire.ONE_WAY:
            self._writer.send(answer)
        elif isinstance(answer, wire.Failed):
            self._writer.send(answer)
            _end(_FAILED_STATUS)

    def _run(self, engine: Engine, body: object, task: Task) -> None:
        request = task.request
        gives_up = partial(self._brake.give_up, task)
        results = iter(engine.handle(body, gives_up))
        try:
            for result in results:
                if gives_up():
                    return
                if request.id != wire.ONE_WAY:
                    self._writer.send(wire.Result(request.id, request.generation, wire.encode_body(result)))
        finally:
            if isinstance(results, Generator):
                results.close()


def main(arguments: Sequence[str]) -> NoReturn:
    """Serve one engine. Arguments: the worker's name (for `ps`), the descriptors of the wire and of the lifeline."""
    _name, wire_fd, lifeline_fd = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's business
    faulthandler.enable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    _log_to_parent()
    os.set_inheritable(int(wire_fd), False)
    _hold(int(lifeline_fd))
    Child(socket.socket(fileno=int(wire_fd))).read()


def _log_to_parent() -> None:
    """Parley's own log lines carry their level, so that the parent can log them at the same."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{wire.LOG_MARK}%(levelname)s %(message)s"))
    logger = logging.getLogger("agent")
    logger.addHandler(handler)
    logger.propagate = False


def _hold(lifeline: int) -> None:
    """Have the kernel kill our process group when the parent lets go of the lifeline."""
    os.set_inheritable(lifeline, False)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a kernel without it: the end of the wire will do
            fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it was gone before we held it
        _end_group()


def _prepare_environment(load: wire.Load) -> None:
    """What the libraries read when they are imported."""
    # onnxruntime reports to its maker by default; nothing of Parley's leaves the machine.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", ORT_DISABLE_TELEMETRY="1")
    os.environ.update(load.environment)
    if threads := load.settings.get("threads"):
        os.environ["OMP_NUM_THREADS"] = str(threads)


def _close(engine: Engine) -> NoReturn:
    """End in order. Not through the interpreter's teardown: native libraries abort and hang in it."""
    try:
        engine.close()
    except BaseException as error:  # noqa: BLE001  # the edge: an engine may raise anything, SystemExit included
        _end(_FAILED_STATUS, f"closing failed: {told(error)}")
    _end(0)


def _end(status: int, last_words: str = "") -> NoReturn:
    """End this process at once; the parent ends whatever it leaves behind."""
    if last_words:
        sys.stderr.write(last_words + "\n")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _end_group() -> NoReturn:
    """The parent is gone: end with everything that was started here."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


# --- what may be told of an error -----------------------------------------------------------------------------------


def told(error: BaseException) -> str:
    """Type and place of an error, and its message if that cannot hold what a user said."""
    message = _harmless_message(error)
    return f"{type(error).__name__}{_place(error)}{': ' if message else ''}{message}"


def _harmless_message(error: BaseException) -> str:
    match error:
        case ParleyError() | ImportError():  # Parley's own hold none by contract; an import names modules
            return str(error)
        case OSError():
            return error.strerror or ""
        case _:
            return ""


def _place(error: BaseException) -> str:
    """Where it was raised, as ` at engines/espeak.py:42`."""
    last = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        last = (frame.f_code.co_filename, line)
    if last is None:
        return ""
    return f" at {'/'.join(Path(last[0]).parts[-2:])}:{last[1]}"


def _told_of_load(error: BaseException) -> str:
    """While an engine loads nobody has said anything yet, so the whole message may be passed on."""
    if isinstance(error, ParleyError):
        return str(error)
    message = " ".join(str(error).split())
    return f"{type(error).__name__}{_place(error)}{': ' if message else ''}{message}"
