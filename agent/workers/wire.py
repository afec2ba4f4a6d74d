"""What crosses between the daemon and a worker: a 4-byte big-endian length, then msgpack.

Nothing else is ever written to the descriptor. Bodies are encoded apart (`Raw`), so that the envelope can be read
without knowing the engine. Both sides need only msgspec.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

M = TypeVar("M")

LENGTH: Final = struct.Struct(">I")
MAX_BYTES: Final = 64 * 1024 * 1024
"""A longer frame is garbage: 64 MiB is half an hour of sound."""
LOG_MARK: Final = "parley-log:"
"""Begins a line on a child's stderr that is a log record of ours; the level follows."""
ONE_WAY: Final = 0
"""The id of a request that asks for no answer."""

LoadFault = Literal["failed", "missing_model", "device", "out_of_memory"]
"""Why an engine did not load: it raised, its model is not on this machine, its device cannot be used, or it does not
fit into memory."""


# --- daemon to worker -----------------------------------------------------------------------------------------------


class Load(Struct, frozen=True, tag="load"):
    """First message to a child: which engine to load, with which settings."""

    engine: str
    """`module:Class`."""
    settings: dict[str, Any]
    environment: dict[str, str] = {}
    """Variables that libraries read when they are imported."""


class Request(Struct, frozen=True, tag="request"):
    """Do something; `Result`s and one `Done` or `Failed` answer it, unless the id is `ONE_WAY`."""

    id: int
    generation: int
    """The turn or segment it belongs to; comes back with every result, so that old work is known."""
    body: Raw


class Cancel(Struct, frozen=True, tag="cancel"):
    """End a request early; it is answered by `Done` within 250 ms."""

    id: int


class Pause(Struct, frozen=True, tag="pause"):
    """Stand still between two results, or in front of the next request, until `Resume`; answered by `Paused`."""

    number: int
    """Counts up from 1."""


class Resume(Struct, frozen=True, tag="resume"):
    """Go on; without a pause before it, nothing."""


class Ping(Struct, frozen=True, tag="ping"):
    """Answer with a `Pong` when all that was asked before is done: a sign that the engine is not stuck."""


class Shutdown(Struct, frozen=True, tag="shutdown"):
    """Close the engine and end."""


ToChild = Load | Request | Cancel | Pause | Resume | Ping | Shutdown


# --- worker to daemon -----------------------------------------------------------------------------------------------


class Ready(Struct, frozen=True, tag="ready"):
    """The engine is loaded."""

    facts: Raw


class LoadFailed(Struct, frozen=True, tag="load_failed"):
    """The engine could not be loaded; the child ends."""

    error: str
    fault: LoadFault


class Result(Struct, frozen=True, tag="result"):
    """One result of a request."""

    id: int
    generation: int
    body: Raw


class Done(Struct, frozen=True, tag="done"):
    """The request has ended."""

    id: int
    generation: int
    cancelled: bool


class Failed(Struct, frozen=True, tag="failed"):
    """The engine raised; the text names the error's type and where, never what was said.

    For a one-way request nobody waits, so the child ends after it.
    """

    id: int
    generation: int
    error: str


class Note(Struct, frozen=True, tag="note"):
    """Something the engine has to say unasked."""

    body: Raw


class Paused(Struct, frozen=True, tag="paused"):
    """The engine stands still, and no result comes until `Resume`."""

    number: int
    """That of the `Pause`, so that an answer that crossed with a `Resume` is known."""


class Pong(Struct, frozen=True, tag="pong"):
    """The answer to a `Ping`."""


FromChild = Ready | LoadFailed | Result | Done | Failed | Note | Paused | Pong


# --- frames ---------------------------------------------------------------------------------------------------------

_ENCODER = msgspec.msgpack.Encoder()


def encode(message: Struct) -> bytes:
    """One frame: length and msgpack."""
    body = _ENCODER.encode(message)
    return LENGTH.pack(len(body)) + body


def encode_body(body: Struct) -> Raw:
    """A body, to be put into an envelope."""
    return Raw(_ENCODER.encode(body))


class Garbage(Exception):
    """What came is not a frame of this wire; nothing after it can be trusted."""


class FrameReader(Generic[M]):
    """Cuts a stream of bytes into messages, wherever it was broken apart on the way."""

    def __init__(self, messages: Any) -> None:
        """`messages` is the union that may come: `ToChild` or `FromChild`."""
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(messages)
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[M]:
        """The messages that are now complete. Raises Garbage."""
        self._buffer += chunk
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            if length > MAX_BYTES:
                raise Garbage(f"a frame of {length} bytes was announced")
            end = LENGTH.size + length
            if len(self._buffer) < end:
                return
            # bytes(), because the message's Raw fields go on pointing into what was decoded.
            frame = bytes(memoryview(self._buffer)[LENGTH.size : end])
            del self._buffer[:end]
            yield self._decode(frame)

    def _decode(self, frame: bytes) -> M:
        try:
            return self._decoder.decode(frame)
        except msgspec.MsgspecError:
            # Not the decoder's words: they may quote what was in the frame.
            raise Garbage(f"a frame of {len(frame)} bytes could not be decoded") from None
