"""The command line of `scripts/bench leases`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.clock import run_virtual
from scripts.bench_leases import figures, overhead
from scripts.bench_leases.companion import Companion, Outcome
from scripts.bench_leases.day import draw
from scripts.bench_leases.hardware import CARDS, Card
from scripts.bench_leases.llama_swap import LlamaSwap, matrix
from scripts.bench_leases.ollama import Ollama
from scripts.bench_leases.parley import Parley
from scripts.bench_leases.policy import Policy
from scripts.bench_response.figures import machine, section, write

POLICIES: Final[dict[str, Callable[[Card], Policy]]] = {
    "parley": Parley,
    "ollama": Ollama,
    "ollama, tuned": lambda card: Ollama(card, keep_alive_seconds=None, parallel=4),
    "llama-swap": LlamaSwap,
    "llama-swap, tuned": lambda card: LlamaSwap(card, matrix(card)),
}


def main() -> int:
    """Live the days under every policy, and time the leases; the exit status."""
    asked = _parser().parse_args()
    seeds = range(asked.seed, asked.seed + asked.days)
    outcomes = {card: {name: _live(policy, CARDS[card], seeds) for name, policy in POLICIES.items()} for card in CARDS}
    body, verdicts = figures.report(outcomes, overhead.measure())
    print(f"\n{body}")
    if asked.write:
        command = shlex.join(["scripts/bench", "leases", *sys.argv[1:]])
        write(asked.write, "Waiting for the GPU", section("Waiting for the GPU", command, asked.machine, body))
    return 1 if asked.check and not all(verdict.holds for verdict in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench leases",
        description="How long a user waits for the GPU under Parley's leases and under two other policies, on virtual "
        "time; and what an uncontended lease costs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--days", type=int, default=7, help="how many are lived under each policy")
    parser.add_argument("--seed", type=int, default=1, help="of the first day; each further day has the next")
    parser.add_argument("--check", action="store_true", help="end with 1 if a bound does not hold")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also put the report into this document")
    parser.add_argument("--machine", default=machine(), help="how the report calls this computer")
    return parser


def _live(policy: Callable[[Card], Policy], total_mib: int, seeds: range) -> Outcome:
    outcome = Outcome()
    for seed in seeds:
        outcome += run_virtual(_day(policy, total_mib, seed))
    return outcome


async def _day(policy: Callable[[Card], Policy], total_mib: int, seed: int) -> Outcome:
    card = Card(total_mib)
    return await Companion(card, policy(card), draw(seed)).live()


if __name__ == "__main__":
    sys.exit(main())
