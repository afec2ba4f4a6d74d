"""What the control groups around this process leave it: the limits of containers and of systemd's units.

Sources: the kernel's `admin-guide/cgroup-v2.rst`, and `cgroup-v1/memory.rst` for systems that still have that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_TREES: Final = Path("/sys/fs/cgroup")


class Allowance(NamedTuple):
    """What a group may take, in bytes."""

    total: int
    free: int
    """What of it may still be taken."""


@dataclass(frozen=True, slots=True)
class _Files:
    """What a version of control groups calls its files."""

    limits: tuple[str, ...]
    usage: str
    prefix: str
    mapped: str


_VERSION_1: Final = _Files(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_", "mapped_file")
# Beyond `high` nobody is refused, but made to wait for every page.
_VERSION_2: Final = _Files(("memory.max", "memory.high"), "memory.current", "", "file_mapped")


def allowances(membership: Path = _MEMBERSHIP, trees: Path = _TREES) -> Iterator[Allowance]:
    """One for each group with a limit, from our own outwards; none where there are no control groups.

    As for the whole machine, pages of files count as free unless they are mapped (see `agent.memory.Ram`).
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield from _of_tree(trees / "memory", path, _VERSION_1)
        elif number == "0":
            yield from _of_tree(trees, path, _VERSION_2)


def _of_tree(tree: Path, path: str, files: _Files) -> Iterator[Allowance]:
    """A container may see its own group as the root of the tree, under a path that is not there: it is passed over."""
    group = tree / path.lstrip("/")
    for directory in (group, *group.parents):
        limits = [limit for name in files.limits if (limit := _limit(directory / name)) is not None]
        if limits:
            yield Allowance(min(limits), min(limits) - _taken(directory, files))
        if directory == tree:
            return


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return None if text == "max" else int(text)


def _taken(directory: Path, files: _Files) -> int:
    """The usage without the pages of files that nobody has mapped."""
    stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
    cached = int(stat[f"{files.prefix}inactive_file"]) + int(stat[f"{files.prefix}active_file"])
    mapped = int(stat[f"{files.prefix}{files.mapped}"])
    return int((directory / files.usage).read_text()) - max(cached - mapped, 0)
