"""From the pieces that a model streams to the sentences that a voice can say, PASS recognised on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from agent.policy import sentences
from agent.policy.sentences import Splitter
from agent.policy.speakable import is_pass, speakable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A reply as far as it has been read."""

    splitter: Splitter = field(default_factory=Splitter)
    begun: bool = False
    """A sentence has come."""
    declined: bool = False
    """The reply begins with PASS: nothing of it is said."""


def read(reading: Reading, text: str) -> tuple[Reading, tuple[str, ...]]:
    """The reading after some more characters, and the speakable sentences that are now certain."""
    splitter, raw = sentences.feed(reading.splitter, text)
    return _spoken(replace(reading, splitter=splitter), raw)


def finish(reading: Reading) -> tuple[Reading, tuple[str, ...]]:
    """The reading at the end of the reply, and what was still held back."""
    return _spoken(replace(reading, splitter=Splitter()), sentences.finish(reading.splitter))


def _spoken(reading: Reading, raw: Iterable[str]) -> tuple[Reading, tuple[str, ...]]:
    spoken: list[str] = []
    for sentence in raw:
        if not reading.begun and is_pass(sentence, finished=True):
            reading = replace(reading, declined=True)
        reading = replace(reading, begun=True)
        if not reading.declined and (text := speakable(sentence)):
            spoken.append(text)
    return reading, tuple(spoken)
