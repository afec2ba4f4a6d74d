"""What crosses between the daemon and a worker: a 4-byte big-endian length, then msgpack.

Nothing else is ever written to the descriptor. Bodies are encoded apart (`Raw`), so that the envelope can be read
without knowing the engine. Both sides need only msgspec.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

LENGTH: Final = struct.Struct(">I")
MAX_BYTES: Final = 64 * 1024 * 1024
"""A longer frame is garbage: 64 MiB is half an hour of sound."""


class Load(Struct, frozen=True, tag="load"):
    """First message to a child: which engine to load, with which settings."""

    engine: str
    """`module:Class`."""
    settings: dict[str, Any]


class Request(Struct, frozen=True, tag="request"):
    """Do something; `Result`s and one `Done` or `Failed` answer it. Id 0 asks for no answer at all."""

    id: int
    generation: int
    """The turn or segment it belongs to; comes back with every result, so that old work is known."""
    body: Raw


class Cancel(Struct, frozen=True, tag="cancel"):
    """End a request early; it is answered by `Done` within 250 ms."""

    id: int


class Shutdown(Struct, frozen=True, tag="shutdown"):
    """Close the engine and end."""


ToChild = Load | Request | Cancel | Shutdown


class Ready(Struct, frozen=True, tag="ready"):
    """The engine is loaded."""

    facts: Raw
    seconds: float
    """How long loading took."""


class LoadFailed(Struct, frozen=True, tag="load_failed"):
    """The engine could not be loaded; the child ends."""

    error: str
    missing: bool
    """True if the model is not on this machine."""


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
    """The engine raised; the text names the error's type and where, never what was said."""

    id: int
    generation: int
    error: str


class Note(Struct, frozen=True, tag="note"):
    """Something the engine has to say unasked."""

    body: Raw


FromChild = Ready | LoadFailed | Result | Done | Failed | Note

_ENCODER = msgspec.msgpack.Encoder()


def encode(message: Struct) -> bytes:
    """One frame: length and msgpack."""
    body = _ENCODER.encode(message)
    return LENGTH.pack(len(body)) + body


def encode_body(body: Struct) -> Raw:
    """A body, to be put into an envelope."""
    return Raw(_ENCODER.encode(body))
