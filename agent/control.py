"""The control socket of the running companion. There is no other way in.

One connection carries one request, `{"command": …, "args": {…}}` on one line of JSON. The answer is any number of
lines `{"result": …}`, then `{"done": true}` or `{"error": …, "exit_code": …}`. Only the user's own processes are let
in: the socket is 0600 in a 0700 directory, and the kernel is asked who is calling.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, cast

from agent.errors import ParleyError
from agent.instance import claim, control_socket, listening, peer

_LOGGER = logging.getLogger(__name__)

_MAX_LINE: Final = 64 * 1024
"""Bytes of a request."""
_REQUEST_SECONDS: Final = 5.0
"""Who has not asked by then is shown out."""
_MOST_CALLERS: Final = 32
_LONGEST_SECONDS: Final = 7 * 24 * 3600.0
"""The memory is left to others for no longer than a week, unless until called back."""

Verdict = dict[str, Any]
"""One decision: `at` (since the start), `wall` (ISO), `verdict`, `rule`, `reason`, `until` (as `at`, or None)."""

Memory = dict[str, Any]
"""`memory` (`name`, `free_mib`, `total_mib`, `reserve_mib`), `yielding` (None, or `reason`, `ends` and `until` (ISO, or
None)), each model in words, and lists of sentences."""


class Companion(Protocol):
    """What can be asked of a running companion. What it returns must go into JSON; a ParleyError reaches the caller."""

    async def status(self) -> dict[str, Any]:
        """What it is doing, in words and numbers."""
        ...

    async def why(self, count: int) -> list[Verdict]:
        """The last `count` verdicts, oldest first; the last one is in force."""
        ...

    async def say(self, text: str) -> None:
        """Speak a text as it is."""
        ...

    def ask(self, text: str) -> AsyncGenerator[str, None]:
        """Take a typed turn; the reply's sentences as they come, ending with the turn."""
        ...

    async def mute(self) -> None:
        """Close the microphone."""
        ...

    async def unmute(self) -> None:
        """Open the microphone."""
        ...

    async def stop(self) -> None:
        """Begin to end; does not wait for the end."""
        ...

    async def devices(self) -> list[dict[str, Any]]:
        """The sound devices: the fields of `agent.sound.portaudio.Device`."""
        ...

    async def vram(self) -> Memory:
        """What is in the memory, who waits for it, and whether it is left to others."""
        ...

    async def vram_free(self, seconds: float | None) -> None:
        """Leave the memory to others for so long, or until `vram_back`; returns once it is free."""
        ...

    async def vram_back(self) -> str:
        """Take the memory back; returns why that cannot be yet, empty if it can."""
        ...


class ControlServer:
    """Makes this process the one instance, and serves its socket, for as long as its block lasts."""

    def __init__(self, companion: Companion, *, started: dt.datetime, path: Path | None = None) -> None:
        """Serve `companion`; `started` is told to whoever tries to start a second one."""
        self._companion = companion
        self._started = started
        self._path = path
        self._stack = contextlib.AsyncExitStack()
        self._callers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open the socket. Raises AlreadyRunning."""
        path = self._path or control_socket()
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(claim(path, self._started))
            bound = stack.enter_context(listening(path))
            server = await asyncio.start_unix_server(self._greet, sock=bound, limit=_MAX_LINE)
            stack.push_async_callback(self._close, server)
            stack.callback(path.unlink, missing_ok=True)  # before closing: nobody else comes in
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show everyone out and remove the socket."""
        await self._stack.aclose()

    async def _close(self, server: asyncio.Server) -> None:
        await _rounds()  # asyncio loses whoever was let in at the moment in which the server is closed
        server.close()
        for caller in self._callers:
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        await _rounds()  # transports close a round after they are told to

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = peer(writer.get_extra_info("socket"))
        stranger = caller is not None and caller[1] != os.geteuid()
        if stranger or len(self._callers) >= _MOST_CALLERS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="control caller")
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)
        # Also for a task that is cancelled before its first step, which runs no `finally` of its own.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(line: Mapping[str, Any]) -> None:
            writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            await writer.drain()

        try:
            await send(await self._answer(reader, send))
        except asyncio.CancelledError:
            writer.transport.abort()  # a caller who does not read must not hold up the end
            raise
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller is gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, send: _Send) -> Mapping[str, Any]:
        """Execute the request; returns the last line of the answer."""
        try:
            command, args = await _request(reader)
            await _while_connected(reader, self._execute(command, args, send))
        except ParleyError as error:
            return {"error": str(error), "exit_code": error.exit_code}
        except (ConnectionError, asyncio.IncompleteReadError):
            raise
        except Exception as error:  # the edge: a fault in one answer must not end the companion
            _LOGGER.exception("a command could not be answered")
            return {"error": f"the companion could not do it ({type(error).__name__}); see its log", "exit_code": 1}
        return {"done": True}

    async def _execute(self, command: str, args: Mapping[str, Any], send: _Send) -> None:
        companion = self._companion
        match command, dict(args):
            case "ask", {"text": str(text), **rest} if not rest:
                async with contextlib.aclosing(companion.ask(_encodable(text))) as sentences:
                    async for sentence in sentences:
                        await send({"result": sentence})
            case "say", {"text": str(text), **rest} if not rest:
                await companion.say(_encodable(text))
            case "why", {"count": int(count), **rest} if not rest and 0 < count <= 1000:
                await send({"result": await companion.why(count)})
            case "vram_free", {"seconds": None | float() | int() as seconds, **rest} if not rest and _is_length(
                seconds
            ):
                await companion.vram_free(seconds)
            case "status" | "devices" | "vram" | "vram_back", {**rest} if not rest:
                questions: dict[str, Callable[[], Awaitable[Any]]] = {
                    "status": companion.status,
                    "devices": companion.devices,
                    "vram": companion.vram,
                    "vram_back": companion.vram_back,
                }
                await send({"result": await questions[command]()})
            case "mute" | "unmute" | "stop", {**rest} if not rest:
                orders = {"mute": companion.mute, "unmute": companion.unmute, "stop": companion.stop}
                await orders[command]()
            case _:
                raise ParleyError("the running companion does not know this command; is it of another version?")


def _is_length(seconds: float | None) -> bool:
    return seconds is None or 0 < seconds <= _LONGEST_SECONDS


async def _rounds(count: int = 3) -> None:
    """Let the loop go round: a connection is accepted in one, made in the next, and told of in the third."""
    for _ in range(count):
        await asyncio.sleep(0)


_Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def _request(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, Any]]:
    """The command and its arguments. Raises ParleyError, IncompleteReadError."""
    try:
        async with asyncio.timeout(_REQUEST_SECONDS):
            line = await reader.readuntil(b"\n")
    except TimeoutError:
        raise ParleyError("no request came") from None
    except asyncio.LimitOverrunError:
        raise ParleyError("the request is too long; 64 KiB is the most") from None
    try:
        asked: Any = json.loads(line)
        match asked:
            case {"command": str(command), "args": dict()}:
                return command, cast("dict[str, Any]", asked["args"])
            case _:
                pass
    except (ValueError, RecursionError):
        pass
    raise ParleyError('a request is one line of JSON: {"command": …, "args": {…}}')


def _encodable(text: str) -> str:
    """The text without what no encoding knows (half a surrogate, from a terminal that is not UTF-8)."""
    return text.encode("utf-8", "replace").decode("utf-8")


async def _while_connected(reader: asyncio.StreamReader, work: Coroutine[Any, Any, None]) -> None:
    """Do the work unless the caller hangs up first. Raises ConnectionError when they did, or sent anything more."""
    working = asyncio.ensure_future(work)
    listening_on = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({working, listening_on}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ConnectionResetError
        working.result()
    finally:
        for task in (working, listening_on):
            task.cancel()
        await asyncio.gather(working, listening_on, return_exceptions=True)
