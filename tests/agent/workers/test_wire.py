from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.api import Piece
from agent.workers import wire

MESSAGES = [
    wire.Result(7, 3, wire.encode_body(Piece("hello"))),
    wire.Note(wire.encode_body(Piece(""))),
    wire.Done(7, 3, cancelled=False),
    wire.Pong(),
]


def frames() -> wire.FrameReader[wire.FromChild]:
    return wire.FrameReader(wire.FromChild)


@given(st.lists(st.integers(1, 20), min_size=1))
def test_messages_come_out_whole_wherever_the_stream_was_cut(lengths: list[int]):
    stream = b"".join(map(wire.encode, MESSAGES))
    reader = frames()
    received: list[wire.FromChild] = []
    start = 0
    for length in (*lengths, len(stream)):
        received += reader.feed(stream[start : start + length])
        start += length
    assert received == MESSAGES


def test_an_absurd_length_is_garbage_before_it_is_waited_for():
    with pytest.raises(wire.Garbage, match="4294967295 bytes"):
        list(frames().feed(b"\xff" * 4))


def test_a_frame_of_another_shape_is_garbage_and_its_contents_are_not_told():
    with pytest.raises(wire.Garbage) as caught:
        list(frames().feed(wire.encode(Piece("a secret"))))
    assert "secret" not in str(caught.value)


def test_a_message_for_the_other_side_is_garbage():
    with pytest.raises(wire.Garbage):
        list(frames().feed(wire.encode(wire.Shutdown())))
