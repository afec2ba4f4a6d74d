"""One room: Parley alone in it, then with a user who speaks over it; and what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from agent.engines.api import SAMPLE_RATE, Frame
from agent.sound.frame import Samples, from_bytes
from scripts.bench_echo.hearing import onsets
from scripts.bench_echo.scene import Line, Loop, Scene, scene
from scripts.bench_echo.through import frames

MUST_RECALL: Final = 0.95
MUST_BE_QUIET_UP_TO_DB: Final = -6.0
MAY_BE_LATER_MS: Final = 150.0
_WORD_SECONDS: Final = 0.4
"""How much of the user's line counts as its first word."""
_BLOCK: Final = SAMPLE_RATE // 50
_KEPT: Final = 10 ** (-12 / 20)
"""A piece of 20 ms of the user of which so much is left can be understood."""
_LAG: Final = SAMPLE_RATE // 50
"""By how much the canceller may delay."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one room."""

    loop: Loop
    minutes: float
    false_onsets: tuple[float, ...]
    """Moments at which the ear heard somebody while Parley was alone."""
    asked: int
    """How often the user spoke over it."""
    late_ms: tuple[float, ...]
    """Where they were heard: how much later than without echo."""
    first_word: float
    """Share of the user's first 0.4 s that is left, on average."""

    @property
    def recall(self) -> float:
        """Share of the interruptions that were heard."""
        return len(self.late_ms) / self.asked if self.asked else 1.0

    @property
    def holds(self) -> bool:
        """Whether it is as good as it must be."""
        quiet = not self.false_onsets or self.loop.gain_db > MUST_BE_QUIET_UP_TO_DB
        return quiet and self.recall >= MUST_RECALL and _percentile(self.late_ms, 95) <= MAY_BE_LATER_MS


def held(loop: Loop, minutes: float, *, cancel: bool = True) -> Result:
    """Both scenes of one room."""
    lonely = tuple(onsets(frames(scene(loop, minutes, user=False), cancel=cancel)))
    talk = scene(loop, minutes, user=True)
    given = frames(talk, cancel=cancel)
    told, alone = onsets(given), onsets(frames(replace(talk, microphone=talk.alone), cancel=False))
    late = [
        1000 * (first - without)
        for line in talk.theirs
        if (without := _heard(line, talk, alone)) is not None and (first := _heard(line, talk, told)) is not None
    ]
    asked = sum(_heard(line, talk, alone) is not None for line in talk.theirs)
    return Result(loop, minutes, lonely, asked, tuple(late), _first_words(talk, given))


def _heard(line: Line, talk: Scene, told: Sequence[float]) -> float | None:
    """When the ear noticed this line."""
    fast = SAMPLE_RATE * (1 + talk.loop.drift_ppm * 1e-6)
    return next((moment for moment in told if line.begins / fast <= moment <= line.ends / fast + 0.1), None)


def _first_words(talk: Scene, given: Sequence[Frame]) -> float:
    out = np.concatenate([from_bytes(frame.samples) for frame in given])
    return float(np.mean([_left(line, out) for line in talk.theirs])) if talk.theirs else 1.0


def _left(line: Line, out: Samples) -> float:
    """Which share of the first word's pieces is still in `out`, each looked up at the delay of the whole line."""
    user = line.samples.astype(np.float64)
    there = out[line.begins : line.begins + len(user) + _LAG].astype(np.float64)
    there = np.pad(there, (0, len(user) + _LAG - len(there)))
    lag = int(np.argmax(np.correlate(there, user, mode="valid")))
    count = round(_WORD_SECONDS * SAMPLE_RATE / _BLOCK)
    pieces = user[: count * _BLOCK].reshape(count, _BLOCK)
    found = there[lag : lag + count * _BLOCK].reshape(count, _BLOCK)
    powers = (pieces**2).sum(axis=1)
    audible = powers > powers.max() / 1000
    return float(((pieces * found).sum(axis=1) > _KEPT * powers)[audible].mean())


def table(results: Sequence[Result]) -> str:
    """For people."""
    lines = [
        "| loop | delay | drift | false onsets | per hour | heard / spoke over | later, p50 | p95 | first word left |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(result) for result in results]
    for gain in sorted({result.loop.gain_db for result in results}):
        lines.append(
            _row(_together([result for result in results if result.loop.gain_db == gain])).replace("nan", "all")
        )
    return "\n".join(lines)


def _row(result: Result) -> str:
    loop, false = result.loop, len(result.false_onsets)
    return (
        f"| {loop.gain_db:.0f} dB | {loop.delay_ms:.0f} ms | {loop.drift_ppm:.0f} ppm | {false} "
        f"| {60 * false / result.minutes:.1f} | {len(result.late_ms)} / {result.asked} "
        f"| {_percentile(result.late_ms, 50):.0f} ms | {_percentile(result.late_ms, 95):.0f} ms "
        f"| {result.first_word:.0%} |"
    )


def _together(results: Sequence[Result]) -> Result:
    nan = float("nan")
    return Result(
        loop=Loop(results[0].loop.gain_db, nan, nan),
        minutes=sum(result.minutes for result in results),
        false_onsets=tuple(moment for result in results for moment in result.false_onsets),
        asked=sum(result.asked for result in results),
        late_ms=tuple(late for result in results for late in result.late_ms),
        first_word=float(np.mean([result.first_word for result in results])),
    )


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("nan")
