"""From days to figures, and from figures to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from scripts.bench_leases.companion import Outcome
from scripts.bench_response.figures import Round, Verdict, ratio_of_medians

BOUND_CARD: Final = "12 GB"
"""The desktop that Parley is for."""
WAIT_BOUNDS: Final = {"ollama": 0.25, "llama-swap": 0.6}
"""The most that Parley's interactive wait (p95) may be of another's."""
SWAPS_BOUND: Final = 1.1
"""The most that its swaps may be of llama-swap's."""
CHORE_BOUND_SECONDS: Final = 60.0
"""Of idleness until a chore is done, beyond its own work."""
LOCK_BOUND: Final = 4.0
"""The most that an uncontended lease may cost, in times of an `asyncio.Lock`."""
EXPLANATION: Final = (
    "The wait is the silence before the first sound of a reply, beyond what recogniser, language model and voice need "
    "with the card to themselves: queueing, loading, and what sharing the card costs. A gap is silence between the "
    "sentences of one reply. Swaps are loads of a model. A chore is served when it is done; its time runs while no "
    "user, remark or game is there, less its own work. All on virtual time, with fake models of published sizes "
    "(`scripts/bench_leases/hardware.py`) and days drawn from seeds (`day.py`): the figures compare policies and say "
    "nothing of a real card. *Tuned* is what the documentation of the other would advise for the card (`ollama.py`, "
    "`llama_swap.py`); it is held to the bounds of waiting, not of swaps, since to load ahead is to load more often."
)


def report(
    outcomes: Mapping[str, Mapping[str, Outcome]], costs: Mapping[str, Sequence[Round]]
) -> tuple[str, list[Verdict]]:
    """The report, and what it says of each bound. The outcomes are by card and policy, the costs of leases by kind."""
    verdicts = [verdict for card, found in outcomes.items() for verdict in _verdicts(card, found)]
    verdicts += [_lock_verdict(kind, costs) for kind in ("light", "heavy")]
    tables = [f"A card of {card}:\n\n{_table(found)}\n" for card, found in outcomes.items()]
    return "\n".join([*tables, EXPLANATION, "", _costs(costs), "", "```", *map(str, verdicts), "```"]), verdicts


def _verdicts(card: str, outcomes: Mapping[str, Outcome]) -> list[Verdict]:
    """Where mind and voice cannot both be loaded, no order of loads makes a wait short: there only swaps are bound."""
    ours = outcomes["parley"]
    answered = len(ours.waits) - ours.unanswered
    verdicts = [Verdict(f"{card}: Parley answered {answered} of {len(ours.waits)}", not ours.unanswered)]
    if card == BOUND_CARD:
        for name, theirs in outcomes.items():
            if bound := WAIT_BOUNDS.get(name.removesuffix(", tuned")):
                told = f"{card}: interactive wait p95, Parley / {name}"
                verdicts.append(_within(told, wait(ours, 95), wait(theirs, 95), bound, " s"))
    verdicts.append(
        _within(f"{card}: swaps, Parley / llama-swap", ours.loads, outcomes["llama-swap"].loads, SWAPS_BOUND)
    )
    late = sum(seconds > CHORE_BOUND_SECONDS for seconds in ours.chores)
    told = f"{len(ours.chores) - late} of {len(ours.chores)} chores served within {CHORE_BOUND_SECONDS:g} s of idleness"
    verdicts.append(Verdict(f"{card}: {told}, the last after {max(ours.chores):.1f} s", not late))
    return verdicts


def wait(outcome: Outcome, percentile: float) -> float:
    """Of the turns' waits; a turn that was not answered waits for ever."""
    return float(np.percentile(outcome.waits, percentile, method="higher"))


def _within(told: str, ours: float, theirs: float, bound: float, unit: str = "") -> Verdict:
    ratio = ours / theirs
    return Verdict(f"{told}: {ours:.4g}{unit} / {theirs:.4g}{unit} = {ratio:.2f} (bound {bound:g})", ratio <= bound)


def _table(outcomes: Mapping[str, Outcome]) -> str:
    heads = ("policy", "wait p50, s", "p95, s", "p99, s", "gaps p95, s", "unanswered", "swaps", "chores within 60 s")
    heads = (*heads, "longest chore, s", "longest wait of a game, s")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, outcome in outcomes.items():
        waits = " | ".join(f"{wait(outcome, percentile):.2f}" for percentile in (50, 95, 99))
        gaps = np.percentile(outcome.gaps, 95)
        soon = sum(seconds <= CHORE_BOUND_SECONDS for seconds in outcome.chores)
        chores = f"{soon} / {len(outcome.chores)} | {max(outcome.chores):.1f}"
        games = max(outcome.games, default=0.0)
        answered = f"{outcome.unanswered} / {len(outcome.waits)}"
        lines.append(f"| {name} | {waits} | {gaps:.2f} | {answered} | {outcome.loads} | {chores} | {games:.1f} |")
    return "\n".join(lines)


def _costs(rounds: Mapping[str, Sequence[Round]]) -> str:
    lines = ["| uncontended | median, µs |", "|---|---|"]
    for name, found in rounds.items():
        median = np.median([seconds for one in found for seconds in one.given])
        lines.append(f"| {_TOLD[name]} | {1e6 * median:.2f} |")
    return "\n".join(lines)


_TOLD: Final = {"lock": "`asyncio.Lock`", "light": "lease of a light model", "heavy": "lease of a heavy model"}


def _lock_verdict(name: str, rounds: Mapping[str, Sequence[Round]]) -> Verdict:
    ratio, low, high = ratio_of_medians(rounds[name], rounds["lock"])
    interval = f"95 % interval {low:.1f} to {high:.1f}"
    return Verdict(f"{_TOLD[name]}: {ratio:.1f} times a lock, {interval} (bound {LOCK_BOUND:g})", ratio <= LOCK_BOUND)
