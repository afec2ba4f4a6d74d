"""From turns to figures, and from figures to text."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from typing_extensions import override

from scripts.bench_response.overhead import EXPLANATION, Turn

BOUNDS: Final = {"neuro": 0.6, "speechbot": 0.3}
"""The most that Parley's median may be of another's."""
OVERHEAD_BOUND_MS: Final = 5.0
NOISY: Final = 0.10
"""A coefficient of variation of the rounds' medians above this makes a run worthless as a comparison."""
_RESAMPLES: Final = 10_000
_STAGES: Final = ("silence", "ear", "stt", "wait", "mind", "voice", "overhead")


@dataclass(frozen=True, slots=True)
class Round:
    """One session of one contestant: seconds for each request, None where no answer came."""

    seconds: tuple[float | None, ...]
    over_the_user: int = 0
    """How often it sounded while the user spoke."""

    @property
    def given(self) -> list[float]:
        """The answers."""
        return [seconds for seconds in self.seconds if seconds is not None]


Rounds = Mapping[str, Sequence[Round]]


def ratio_of_medians(ours: Sequence[Round], theirs: Sequence[Round], seed: int = 0) -> tuple[float, float, float]:
    """The ratio and its bootstrap 95 % interval; whole rounds are drawn, because turns of a round hang together."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(ours), size=(_RESAMPLES, len(ours)))
    ratios = [_median(ours, rounds) / _median(theirs, rounds) for rounds in drawn]
    low, high = np.percentile(ratios, [2.5, 97.5])
    everything = range(len(ours))
    return _median(ours, everything) / _median(theirs, everything), float(low), float(high)


def variation(rounds: Sequence[Round]) -> float:
    """Of the rounds' medians: standard deviation by mean."""
    medians = [float(np.median(one.given)) for one in rounds if one.given]
    return float(np.std(medians) / np.mean(medians)) if medians else float("inf")


def _median(rounds: Sequence[Round], drawn: Sequence[int] | range | np.ndarray) -> float:
    return float(np.median([seconds for index in drawn for seconds in rounds[index].given] or [np.nan]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bound, and whether it holds."""

    text: str
    holds: bool

    @override
    def __str__(self) -> str:
        """A line of the report."""
        return f"{'pass' if self.holds else 'FAIL'}  {self.text}"


def response(rounds: Rounds, turns: Sequence[Turn]) -> tuple[str, list[Verdict]]:
    """The report, and what it says of each bound."""
    verdicts = [_ratio_verdict(rounds, other) for other in BOUNDS if other in rounds and "parley" in rounds]
    text = [_table(rounds), ""]
    if turns:
        overheads = _ms(turn.overhead for turn in turns)
        p50, p95 = np.percentile(overheads, [50, 95])
        held = f"Parley's own overhead p50 {p50:.1f} ms, p95 {p95:.1f} ms (bound: p50 {OVERHEAD_BOUND_MS:g} ms)"
        verdicts.append(Verdict(held, bool(p50 <= OVERHEAD_BOUND_MS)))
        text += [_stages(turns), "", EXPLANATION, ""]
    given, asked = _counts(rounds.get("parley", ()))
    verdicts.append(Verdict(f"Parley answered {given} of {asked}", given == asked))
    noise = {name: variation(found) for name, found in rounds.items()}
    told = ", ".join(f"{name} {value:.0%}" for name, value in noise.items())
    verdicts.append(
        Verdict(f"quiet enough to compare: variation of the rounds' medians {told}", max(noise.values()) <= NOISY)
    )
    return "\n".join([*text, "```", *map(str, verdicts), "```"]), verdicts


def _ratio_verdict(rounds: Rounds, other: str) -> Verdict:
    ratio, low, high = ratio_of_medians(rounds["parley"], rounds[other])
    interval = f"95 % interval {low:.2f} to {high:.2f}"
    text = f"Parley / {other}: ratio of medians {ratio:.2f}, {interval} (bound {BOUNDS[other]:g})"
    return Verdict(text, ratio <= BOUNDS[other])


def _table(rounds: Rounds) -> str:
    lines = ["| ms | p50 | p95 | min | max | answered / asked | over the user |", "|---|---|---|---|---|---|---|"]
    for name, found in rounds.items():
        given, asked = _counts(found)
        over = sum(one.over_the_user for one in found)
        figures = _summary(_ms(seconds for one in found for seconds in one.given))
        lines.append(f"| {name} | {figures} | {given} / {asked} | {over} |")
    return "\n".join(lines)


def _summary(values: Sequence[float]) -> str:
    if not values:
        return "- | - | - | -"
    p50, p95 = np.percentile(values, [50, 95])
    return f"{p50:.0f} | {p95:.0f} | {min(values):.0f} | {max(values):.0f}"


def _stages(turns: Sequence[Turn]) -> str:
    lines = ["| Parley's turns, ms | p50 | p95 |", "|---|---|---|"]
    for stage in ("total", *_STAGES):
        p50, p95 = np.percentile(_ms(getattr(turn, stage) for turn in turns), [50, 95])
        lines.append(f"| {_TOLD[stage]} | {p50:.1f} | {p95:.1f} |")
    for hop, told in _HOPS.items():
        p50, p95 = np.percentile(_ms(getattr(turn.hops, hop) for turn in turns), [50, 95])
        lines.append(f"| — {told} | {p50:.1f} | {p95:.1f} |")
    return "\n".join(lines)


_HOPS: Final = {
    "frame": "last frame to the ear",
    "words": "ear to recogniser to bus",
    "prompt": "words, or the end of the wait, to the language model",
    "sentence": "language model to bus",
    "handover": "sentence to the voice",
    "play": "voice to the loudspeaker",
}
_TOLD: Final = {
    "total": "last voiced sample (by the detector) to first sample played",
    "silence": "silence until the ear ends the segment",
    "ear": "the ear's work on the last frame",
    "stt": "recogniser, from there to the transcript",
    "wait": "wait for the user to go on, beyond all that",
    "mind": "language model, to the first whole sentence",
    "voice": "voice, to the first chunk",
    "overhead": "own overhead: what is left",
}


def _ms(seconds: Iterable[float]) -> list[float]:
    return [1000 * value for value in seconds]


def _counts(rounds: Sequence[Round]) -> tuple[int, int]:
    return sum(len(one.given) for one in rounds), sum(len(one.seconds) for one in rounds)


# --- where it was measured, and where it is written -----------------------------------------------------------------


def machine() -> str:
    """What a reader must know of the computer."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    virtual = "virtual machine" if re.search(r"^flags.*\bhypervisor\b", facts, re.MULTILINE) else "machine"
    model = re.search(r"^model name\s*: (.*)$", facts, re.MULTILINE)
    gpu = "an NVIDIA GPU (not used)" if Path("/dev/nvidia0").exists() else "no GPU"
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()}-core {virtual} ({model[1] if model else platform.machine()}), {gpu}, "
        f"{platform.system()}, Python {platform.python_version()}{load}"
    )


def section(title: str, command: str, where: str, body: str) -> str:
    """A section of the document."""
    return f"## {title}\n\n{dt.datetime.now().astimezone().date()}, {where}\n\n```\n{command}\n```\n\n{body}\n"


def write(path: Path, title: str, text: str) -> None:
    """Put a section into the document, in the place of the one with its title."""
    before = path.read_text() if path.exists() else "# Figures\n\nWhat `scripts/bench` measured, as it wrote it down.\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    known = pattern.search(before)
    after = pattern.sub(lambda _: text + "\n", before) if known else f"{before.rstrip()}\n\n{text}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(after.rstrip() + "\n")
