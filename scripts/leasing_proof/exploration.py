"""Every state of every world, a process for each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from scripts.leasing_proof.worlds import WORLDS
from tests.agent.policy.lease_rules import Broken
from tests.agent.policy.lease_worlds import Explored, Explorer


@dataclass(frozen=True, slots=True)
class Journey:
    """What became of the exploration of one world."""

    name: str
    seconds: float
    seen: Explored | None
    broken: str = ""
    """The rule that does not hold, with the shortest story; empty if all do."""


def explore(jobs: int) -> Iterator[Journey]:
    """All worlds to their end, `jobs` at a time, each told as it is done."""
    with get_context("spawn").Pool(jobs, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_explore, WORLDS)


def _explore(name: str) -> Journey:
    start = time.monotonic()
    try:
        seen, broken = Explorer(WORLDS[name], told=partial(_tell, name)).explore(), ""
    except Broken as found:
        seen, broken = None, str(found)
    return Journey(name, time.monotonic() - start, seen, broken)


def _tell(name: str, worlds: int, ahead: int) -> None:
    print(f"  {name}: {worlds} states, {ahead} known ahead", flush=True)
