"""From answers to a table and verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.bench_heavy.answers import Answer, cut
from scripts.bench_heavy.stage import CASES, TEXT
from scripts.bench_response.figures import Round, Verdict, ratio_of_medians

BOUNDS: Final = {"fit": 0.5, "slow": 1.0, "quick": 1.1}
"""The most that Parley's first sound may take of the other's; where it does the same as the other, noise is allowed."""
_MOST_APART: Final = 0.02
"""Of the time until the first sound: so much may belong to no stage."""
_STAGES: Final = ("lease_wait_ms", "model_load_ms", "first_token_ms", "first_sentence_ms", "first_audio_ms")
_HEAD: Final = "| {title} | first sound, s | last sound, s | loads | underruns |\n|---|---|---|---|---|"
EXPLANATION: Final = (
    "`parley` alternates between the two models, one heavy lease at a time; `whole` takes the whole reply and then "
    "makes its sound. Both have the same engines in worker processes: the mind is llama.cpp with a model that computes "
    "like one of its size and recites six sentences, the voice espeak through RealtimeTTS, the loudspeaker a WAV file "
    "in real time. Fakes are the sizes that the scheduler is told, and an ear and a recogniser that have nothing to "
    "do. Medians; the first request of each session, before anything was measured, does not count."
)

Found = Mapping[str, Mapping[str, Sequence[Answer]]]
"""By case and contestant."""


@dataclass(frozen=True, slots=True)
class Leases:
    """What the journals of a case say of heavy leases."""

    intervals: int = 0
    overlapping: int = 0


def report(found: Found, leases: Mapping[str, Leases]) -> tuple[str, list[Verdict]]:
    """The section's text, and what it says of each bound."""
    parts = [EXPLANATION]
    verdicts: list[Verdict] = []
    for case, answers in found.items():
        parts += [_table(CASES[case].title, answers), _stages(answers["parley"])]
        verdicts += _verdicts(case, answers, leases[case])
    return "\n\n".join([*parts, "```\n" + "\n".join(map(str, verdicts)) + "\n```"]), verdicts


def _table(title: str, answers: Mapping[str, Sequence[Answer]]) -> str:
    lines = [_HEAD.format(title=title)]
    for name, given in answers.items():
        first, last, loads = (_median(given, figure) for figure in ("first_sound", "last_sound", "loads"))
        underruns = " ".join(str(answer.underruns) for answer in given)
        lines.append(f"| {name} | {first:.2f} | {last:.1f} | {loads:g} | {underruns} |")
    return "\n".join(lines)


def _stages(given: Sequence[Answer]) -> str:
    """Where Parley's time went, and the last word on swapping."""
    parts = [f"{stage.removesuffix('_ms').replace('_', ' ')} {_stage(given, stage):.0f}" for stage in _STAGES]
    told = f"Until Parley's first sound, ms: {', '.join(parts)}."
    return f"{told} Parley says: {given[-1].weighed[0]}" if given[-1].weighed else told


def _verdicts(case: str, answers: Mapping[str, Sequence[Answer]], leases: Leases) -> list[Verdict]:
    ours = answers["parley"]
    complete = sum(answer.spoken == " ".join(cut(TEXT)) for answer in ours)
    verdicts = [
        Verdict(f"{case}: every word sounded, once and in order, in {complete} of {len(ours)}", complete == len(ours)),
        Verdict(
            f"{case}: {leases.overlapping} of {leases.intervals} heavy leases began before another had ended",
            leases.intervals > 0 and not leases.overlapping,
        ),
    ]
    return verdicts + (_of_alternating(ours, answers) if CASES[case].both_fit else _of_swapping(case, ours, answers))


def _of_alternating(ours: Sequence[Answer], answers: Mapping[str, Sequence[Answer]]) -> list[Verdict]:
    soon = sum(answer.second_sentence is not None and answer.first_sound < answer.second_sentence for answer in ours)
    dry = sum(answer.underruns for answer in ours)
    verdicts = [
        Verdict(f"fit: it sounded before the second sentence was written in {soon} of {len(ours)}", soon == len(ours)),
        Verdict(f"fit: {dry} underruns", not dry),
    ]
    if "whole" in answers:
        ratio, low, high = ratio_of_medians(_rounds(ours), _rounds(answers["whole"]))
        bound = BOUNDS["fit"]
        told = f"first sound, parley / whole: {ratio:.2f}, 95 % interval {low:.2f} to {high:.2f} (bound {bound:g})"
        verdicts.append(Verdict(f"fit: {told}", ratio <= bound))
    return verdicts


def _of_swapping(case: str, ours: Sequence[Answer], answers: Mapping[str, Sequence[Answer]]) -> list[Verdict]:
    loads = CASES[case].loads
    expected = sum(answer.loads == loads for answer in ours)
    apart = [sum(answer.stages[stage] for stage in _STAGES) / (1000 * answer.first_sound) for answer in ours]
    verdicts = [
        Verdict(f"{case}: {loads} loads in {expected} of {len(ours)}", expected == len(ours)),
        Verdict(
            f"{case}: waiting, loading and computing make up {min(apart):.1%} to {max(apart):.1%} of the time",
            all(abs(1 - share) <= _MOST_APART for share in apart),
        ),
    ]
    if "whole" in answers:
        ratio = _median(ours, "first_sound") / _median(answers["whole"], "first_sound")
        bound = BOUNDS[case]
        verdicts.append(Verdict(f"{case}: first sound, parley / whole: {ratio:.2f} (bound {bound:g})", ratio <= bound))
    return verdicts


def _rounds(answers: Sequence[Answer]) -> list[Round]:
    return [Round((answer.first_sound,)) for answer in answers]


def _median(answers: Sequence[Answer], figure: str) -> float:
    return statistics.median(getattr(answer, figure) for answer in answers)


def _stage(answers: Sequence[Answer], stage: str) -> float:
    return statistics.median(answer.stages[stage] for answer in answers)
