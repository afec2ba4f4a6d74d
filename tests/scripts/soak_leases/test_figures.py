from __future__ import annotations

from typing import Any

import pytest

from scripts.soak_leases.figures import percentile, print_injections, print_unloads, print_yields
from scripts.soak_leases.injections import Fault, Outcome, Phase
from scripts.soak_leases.unloads import Unloaded
from scripts.soak_leases.yields import Yielded


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20)])
def test_a_percentile_is_one_of_the_values(share: float, expected: int):
    assert percentile([*range(20, 0, -1)], share) == expected


def outcomes(phase: Phase, fault: Fault, *free_seconds: float) -> list[Outcome]:
    return [Outcome(phase=phase, fault=fault, free_seconds=seconds, answered_seconds=1.0) for seconds in free_seconds]


@pytest.mark.parametrize(
    ("some", "missed"),
    [
        (outcomes("idle", "killed", *[0.001] * 19, 9.0), 0),
        (outcomes("idle", "killed", *[0.001] * 18, 9.0, 9.0), 1),
        (outcomes("loading", "never ready", 3.2, 3.3), 1),
        (outcomes("granted", "stopped", 0.7, 0.8), 1),
        (outcomes("granted", "will not cancel", 0.4, 0.6), 1),
        (outcomes("yielding", "will not end", 0.4, 0.6), 1),
    ],
)
def test_a_hang_misses_its_bound_alone_and_deaths_together(some: list[Outcome], missed: int):
    assert print_injections(some) == missed


def test_a_yield_within_a_second_is_soon_enough(capsys: pytest.CaptureFixture[str]):
    def yielded(seconds: float) -> Yielded:
        return Yielded(
            why="asked", mind="works", noticed_seconds=0.0, gone_seconds=seconds, told_seconds=seconds, wrong=()
        )

    assert print_yields([yielded(0.9), yielded(1.1)]) == 1
    assert "1100.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "missed"),
    [({}, 0), ({"after_mib": 1}, 1), ({"after_mib": None}, 1), ({"loaded_mib": 0}, 1), ({"is_gone": False}, 1)],
)
def test_an_unload_is_proven_by_memory_that_was_there_and_is_not(changed: dict[str, Any], missed: int):
    figures = {"engine": "e", "loaded_mib": 9, "after_mib": 0, "free_mib": (9, 0, 9), "seconds": 0.1, "is_gone": True}
    assert print_unloads([Unloaded(**{**figures, **changed}), "mind: not tried"]) == missed
