"""The tables, and what in them missed its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scripts.soak_leases.injections import DEATH_SECONDS, DEATHS, INJECTIONS, Outcome
from scripts.soak_leases.unloads import Unloaded
from scripts.soak_leases.yields import YIELD_SECONDS, YIELDS, Yielded


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed (nearest rank)."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def print_injections(outcomes: Sequence[Outcome]) -> int:
    """By phase and fault; how many missed a bound, all deaths together counted as one."""
    print(f"\n{'phase':13} {'fault':15}   n   bound | lease free (ms): p50, p95, max | next turn (s): p50, p95, max")
    missed = 0
    for phase, fault in INJECTIONS:
        if some := [outcome for outcome in outcomes if (outcome.phase, outcome.fault) == (phase, fault)]:
            free = [outcome.free_seconds for outcome in some]
            answered = [outcome.answered_seconds for outcome in some]
            late = sum(outcome.free_seconds > outcome.bound_seconds for outcome in some)
            missed += 0 if fault in DEATHS else late
            print(
                f"{phase:13} {fault:15} {len(some):3} {some[0].bound_seconds * 1000:7.0f} | {_spread(free, 1000)} | "
                f"{_spread(answered, 1)}{f'   {late} late' if late else ''}"
            )
    return missed + _judge_deaths([outcome.free_seconds for outcome in outcomes if outcome.fault in DEATHS])


def _judge_deaths(free: Sequence[float]) -> int:
    if not free:
        return 0
    is_late = percentile(free, 0.95) > DEATH_SECONDS
    print(f"all {len(free)} deaths: {_spread(free, 1000)} ms; p95 {'MISSED' if is_late else 'held'}")
    return int(is_late)


def print_yields(outcomes: Sequence[Yielded]) -> int:
    """By who wanted the memory and the state of the mind; how many took too long."""
    print(f"\n{'memory wanted':13} {'the mind':10}   n   bound | nobody left (ms): p50, p95, max | memory back (ms)")
    for why, mind in YIELDS:
        if some := [outcome for outcome in outcomes if (outcome.why, outcome.mind) == (why, mind)]:
            gone = _spread([outcome.gone_seconds for outcome in some], 1000)
            told = _spread([outcome.told_seconds for outcome in some], 1000)
            noticed = f"   noticed after {percentile([outcome.noticed_seconds for outcome in some], 0.5):.1f} s"
            print(
                f"{why:13} {mind:10} {len(some):3} {YIELD_SECONDS * 1000:7.0f} | {gone} | "
                f"{told}{noticed if why == 'pressure' else ''}"
            )
    return sum(outcome.gone_seconds > YIELD_SECONDS for outcome in outcomes)


def print_unloads(outcomes: Sequence[Unloaded | str]) -> int:
    """Engine by engine; how many left something."""
    print(
        "\nRAM of the processes (MiB): used, after | unloaded in | free on the machine: before, with it, after | engine"
    )
    for outcome in outcomes:
        if isinstance(outcome, str):
            print(outcome)
            continue
        verdict = "" if outcome.is_proven else "   NOT PROVEN"
        print(
            f"{outcome.loaded_mib!s:>32} {outcome.after_mib!s:>6} | {outcome.seconds * 1000:8.0f} ms | "
            f"{' '.join(f'{free!s:>13}' for free in outcome.free_mib)} | {outcome.engine}{verdict}"
        )
    return sum(isinstance(outcome, Unloaded) and not outcome.is_proven for outcome in outcomes)


def _spread(values: Sequence[float], scale: float) -> str:
    """Median, 95th of a hundred and largest."""
    figures = (percentile(values, 0.5), percentile(values, 0.95), max(values))
    return " ".join(f"{figure * scale:7.1f}" for figure in figures)
