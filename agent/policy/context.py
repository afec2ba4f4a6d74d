"""Which of the oldest messages no longer fit the model's context.

The model keeps what it has read, and reads only what is new, for as long as the beginning of the prompt stays the
same. So messages are not dropped one by one, which would change the beginning in every turn, but many at a time:
once the room is full, half of it is cleared, and then nothing is dropped for many turns.
"""

from __future__ import annotations

from collections.abc import Sequence


def fit(lengths: Sequence[int], budget: int, *, head: int = 1) -> int:
    """How many messages to leave out, right after the first `head` ones, which are always kept.

    `lengths` are in tokens, oldest first; the last message is always kept. What remains is at most `budget` tokens,
    unless the head and the last message alone are more than that: cutting those is up to the caller.

    The whole conversation is gone through anew, so that a conversation which only grew is cut where it was before.
    """
    room = max(budget - sum(lengths[:head]), 0)
    rest = lengths[head:]
    dropped, held = 0, 0
    for last, length in enumerate(rest):
        held += length
        if held <= room:
            continue
        while dropped < last and held > room // 2:
            held -= rest[dropped]
            dropped += 1
    return dropped
