"""A fake of `agent.memory.Memory`: so much of it, less what scripted models take, and nobody else there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

PLENTY_MIB = 1 << 20


class FakeMemory:
    """Says at once what is free; `foreign` is taken by others."""

    name = "fake memory"
    environment: Mapping[str, str] = {}
    lags = False

    def __init__(self, total_mib: int = PLENTY_MIB, used_by: Callable[[int], int] = lambda _pid: 0):
        """`used_by` tells what the process of a pid takes; pid 0 stands for all of ours."""
        self.total, self.foreign = total_mib, 0
        self._used_by = used_by

    def free_mib(self) -> int | None:
        return max(self.total - self.foreign - self._used_by(0), 0)

    def total_mib(self) -> int | None:
        return self.total

    def used_by_mib(self, pid: int) -> int | None:
        return self._used_by(pid)

    def foreign_mib(self, own_pids: Iterable[int]) -> int | None:  # noqa: ARG002  # all others are foreign
        return self.foreign

    def versions(self) -> str:
        return self.name
