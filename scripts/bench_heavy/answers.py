"""What came of a request, and what a journal tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.policy import sentences
from agent.policy.sentences import Splitter

Line = dict[str, Any]
"""An event as the journal has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request; times are seconds since it."""

    first_sound: float
    last_sound: float
    loads: int
    """Of models, while the request was answered."""
    underruns: int
    spoken: str
    """All that was played."""
    second_sentence: float | None = None
    """When the reply's second sentence was written, where that is told."""
    stages: dict[str, float] = field(default_factory=dict[str, float])
    """Where the time went until the first sound, in milliseconds: `TurnMeasured`, where there is one."""
    weighed: tuple[str, ...] = ()
    """What was said of swapping in the middle."""


def cut(text: str) -> list[str]:
    """Its sentences, as Parley cuts them."""
    splitter, ready = sentences.feed(Splitter(), text)
    return [*ready, *sentences.finish(splitter)]


def answered(journal: Sequence[Line]) -> list[Answer]:
    """The answers to typed requests, each made before the next came. Raises ValueError for one that has no end."""
    starts = [place for place, line in enumerate(journal) if line["event"] == "UtteranceHeard"]
    return [_answered(journal[start:end]) for start, end in zip(starts, [*starts[1:], len(journal)], strict=True)]


def _answered(lines: Sequence[Line]) -> Answer:
    asked_at = lines[0]["at"]
    ends = [place for place, line in enumerate(lines) if line["event"] == "SpeakingEnded"]
    if len(ends) != 1:
        raise ValueError(f"there is no answer among {[line['event'] for line in lines]}")
    lines = lines[: ends[0] + 1]

    def told(event: str) -> list[Line]:
        return [line for line in lines if line["event"] == event]

    ended, (measured,) = lines[-1], told("TurnMeasured")
    return Answer(
        first_sound=told("SpeakingStarted")[0]["at"] - asked_at,
        last_sound=ended["at"] - asked_at,
        loads=len(told("ModelLoaded")),
        underruns=ended["underruns"],
        spoken=ended["spoken"],
        second_sentence=next((line["at"] - asked_at for line in told("SentenceReady") if line["index"] == 1), None),
        stages={name: value for name, value in measured.items() if name.endswith("_ms")},
        weighed=tuple(line["reason"] for line in told("SwapWeighed")),
    )


def overlaps(journal: Sequence[Line]) -> tuple[int, int]:
    """How many intervals of heavy leases there are, and how many of them began before another had ended."""
    held: set[tuple[str, str]] = set()
    intervals = early = 0
    for line in journal:
        if line["event"] == "LeaseGranted" and not line["light"]:
            intervals += 1
            early += bool(held)
            held.add((line["model"], line["owner"]))
        elif line["event"] == "LeaseReleased":
            held.discard((line["model"], line["owner"]))
    return intervals, early
