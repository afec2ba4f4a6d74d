"""The command line of `scripts/prove_leasing`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

from scripts.bench_response.figures import machine
from scripts.leasing_proof import exploration, mutation, report, walking
from scripts.leasing_proof.equivalent import EQUIVALENT
from scripts.leasing_proof.exploration import Journey
from scripts.leasing_proof.mutants import MODULES, mutants
from scripts.leasing_proof.mutation import Outcome
from scripts.leasing_proof.report import Part

_PARTS = ("explore", "walk", "mutate")


def main() -> int:
    """Show what is asked for; the exit status."""
    asked = _parser().parse_args()
    start = time.monotonic()
    shown = {"explore": _explore, "walk": _walk, "mutate": _mutate}
    parts = [shown[what](asked) for what in asked.what or _PARTS]
    command = shlex.join(["scripts/prove_leasing", *sys.argv[1:]])
    text = report.document(parts, command, asked.machine, time.monotonic() - start)
    print(f"\n{text}")
    if asked.write:
        asked.write.write_text(text)
    return 0 if all(holds for part in parts for holds, _claim in part.claims) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/prove_leasing",
        description="Shows that the scheduler of heavy models keeps its rules. explore: in every state of small "
        "worlds. walk: on long walks of chance. mutate: the tests see nearly every small change of its code. Ends with "
        "1 if anything of it fails.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("what", nargs="*", metavar="PART", help="some of explore, walk, mutate; all if none is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="processes at a time")
    parser.add_argument("--steps", type=int, default=105_000, help="of the walks, about")
    parser.add_argument("--every", type=int, default=3, metavar="N", help="test every N-th mutant; 1: all of them")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also write the report into this document")
    parser.add_argument("--machine", default=machine(), help="how the report calls this computer")
    return parser


def _explore(asked: argparse.Namespace) -> Part:
    print("every state of small worlds", flush=True)
    journeys = list[Journey]()
    for one in exploration.explore(asked.jobs):
        print(f"{one.name}: {f'{one.seen.worlds:,} states' if one.seen else one.broken}", flush=True)
        journeys.append(one)
    return report.exploration(journeys)


def _walk(asked: argparse.Namespace) -> Part:
    print("long walks", flush=True)
    try:
        return report.walks(walking.walk(asked.steps), "")
    except AssertionError as broken:
        return report.walks(None, "\n".join([str(broken), *getattr(broken, "__notes__", [])]))


def _mutate(asked: argparse.Namespace) -> Part:
    made = [mutant for module in MODULES for mutant in mutants(module)]
    chosen = made[:: asked.every]
    print(f"{len(chosen)} mutants", flush=True)

    def told(outcome: Outcome, done: int) -> None:
        if outcome.fate == "survived" and outcome.mutant.change not in EQUIVALENT:
            print(f"survived: {outcome.mutant.place} {outcome.mutant.change}", flush=True)
        if done % 20 == 0:
            print(f"  {done} of {len(chosen)}", flush=True)

    share = (
        f"{len(chosen)} of {len(made)} mutants were tested, every {asked.every}. of them in the order of the source."
    )
    part = report.mutation(mutation.judge(chosen, asked.jobs, told), share)
    stale = sorted(EQUIVALENT.keys() - {mutant.change for mutant in made})
    part.claims.append((not stale, f"all that is said to be equivalent is there{''.join(f'; {one}' for one in stale)}"))
    return part


if __name__ == "__main__":
    sys.exit(main())
