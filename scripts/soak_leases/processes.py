"""What is left of a worker's process group."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Final

import psutil

from agent.clock import monotonic

GONE_SECONDS: Final = 0.25
"""A killed process that is still seen after this is left over."""
_LOOK_SECONDS: Final = 0.002


def group(leader: int) -> set[int]:
    """The processes of the group that `leader` leads or led, itself included."""
    return {pid for pid in psutil.pids() if _group_of(pid) == leader}


def alive(pids: Iterable[int]) -> set[int]:
    """Those that have not ended; one that only its parent has not asked after has."""
    return {pid for pid in pids if _runs(pid)}


async def end(pids: Iterable[int], seconds: float) -> float | None:
    """Wait until all have ended; how long that took, or None if some have not within `seconds`."""
    began = monotonic()
    while left := alive(pids):
        if monotonic() - began > seconds:
            return None
        pids = left
        await asyncio.sleep(_LOOK_SECONDS)
    return monotonic() - began


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
