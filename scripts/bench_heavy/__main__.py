"""The command line of `scripts/bench heavy`."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import tempfile
from pathlib import Path

from scripts.bench_heavy import contestants, figures, reciter
from scripts.bench_heavy.answers import Answer, overlaps
from scripts.bench_heavy.figures import Leases
from scripts.bench_heavy.stage import CASES, TEXT, Case, stage
from scripts.bench_response.figures import machine, section, write
from tests.conversation import read_journal

_TITLE = "Two heavy models"
_CONTESTANTS = ("parley", "whole")


def main() -> int:
    """Measure what is asked for; the exit status."""
    asked = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        bench = _Bench(Path(folder), asked.mind_mib)
        for number in range(1, asked.rounds + 1):
            for case in asked.cases:
                for contestant in _CONTESTANTS:
                    bench.hold(case, contestant, number)
    body, verdicts = figures.report(bench.found, bench.leases)
    print(f"\n{body}")
    if asked.write:
        command = shlex.join(["scripts/bench", "heavy", *sys.argv[1:]])
        write(asked.write, _TITLE, section(_TITLE, command, asked.machine, body))
    return 1 if asked.check and not all(verdict.holds for verdict in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench heavy",
        description="How soon a reply of six sentences sounds when mind and voice are heavy: where both fit, and where "
        "only one does; beside a pipeline that takes the whole reply first.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="each is one session of each contestant in each case")
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES), metavar="CASE")
    parser.add_argument("--mind-mib", type=int, default=1200, help="how large the mind's file is: so slow it is")
    parser.add_argument("--check", action="store_true", help="end with 1 if a bound does not hold")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also put the report into this document")
    parser.add_argument("--machine", default=machine(), help="how the report calls this computer")
    return parser


class _Bench:
    """Sessions one after the other, and what came of them."""

    def __init__(self, folder: Path, mind_mib: int) -> None:
        self._folder = folder
        self._mind_mib = mind_mib
        self.found: dict[str, dict[str, list[Answer]]] = {}
        self.leases: dict[str, Leases] = {}

    def hold(self, case: str, contestant: str, number: int) -> None:
        """One session of two requests, of which the second counts."""
        folder = self._folder / f"{number}-{case}-{contestant}"
        folder.mkdir()
        answer = asyncio.run(self._session(CASES[case], contestant, folder))[-1]
        print(
            f"round {number}  {case:<6}{contestant:<7} first sound {answer.first_sound:.2f} s, "
            f"last {answer.last_sound:.1f} s, {answer.loads} loads, {answer.underruns} underruns",
            flush=True,
        )
        self.found.setdefault(case, {}).setdefault(contestant, []).append(answer)
        if contestant == "parley":
            intervals, early = overlaps(read_journal(folder / "journal.jsonl"))
            so_far = self.leases.get(case, Leases())
            self.leases[case] = Leases(so_far.intervals + intervals, so_far.overlapping + early)

    async def _session(self, case: Case, contestant: str, folder: Path) -> list[Answer]:
        async with stage(case, self._model(case), folder) as built:
            if contestant == "parley":
                return await contestants.parley(built, 2, folder / "journal.jsonl")
            return await contestants.whole(built, 2)

    def _model(self, case: Case) -> Path:
        """The language model of a case, written when it is first asked for."""
        mib = round(self._mind_mib * case.share)
        path = self._folder / f"reciter-{mib}.gguf"
        return path if path.exists() else reciter.write(path, TEXT, mib=mib)


if __name__ == "__main__":
    sys.exit(main())
