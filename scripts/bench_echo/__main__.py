"""The command line of `scripts/bench echo`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

from scripts.bench_echo.scene import Loop
from scripts.bench_echo.trial import Result, held, table

GAINS_DB = (-20.0, -12.0, -6.0, 0.0)
DELAYS_MS = (20.0, 60.0, 120.0, 200.0)
DRIFTS_PPM = (0.0, 60.0)


def main() -> int:
    """Hold all scenes, print what came of them; 1 if Parley heard itself or did not hear the user, where it must."""
    asked = _parser().parse_args()
    loops = [Loop(*figures) for figures in product(asked.gains, asked.delays, asked.drifts)]
    with ProcessPoolExecutor(asked.jobs) as pool:
        results = list(_told(pool.map(partial(held, minutes=asked.minutes, cancel=not asked.bypass), loops)))
    print(table(results))
    return 0 if all(result.holds for result in results) else 1


def _told(results: Iterable[Result]) -> Iterable[Result]:
    for result in results:
        print(".", end="", file=sys.stderr, flush=True)
        yield result
    print(file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench echo",
        description="Parley's voice comes back into its microphone through made-up rooms: how often the ear takes it "
        "for a user, and whether a user who speaks over it is heard. Needs espeak-ng and flite.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of each room, once alone and once with a user")
    parser.add_argument("--gains", type=float, nargs="+", default=GAINS_DB, metavar="DB")
    parser.add_argument("--delays", type=float, nargs="+", default=DELAYS_MS, metavar="MS")
    parser.add_argument("--drifts", type=float, nargs="+", default=DRIFTS_PPM, metavar="PPM")
    parser.add_argument("--bypass", action="store_true", help="without echo cancellation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rooms at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())
