"""Where models are loaded into: the memory of a GPU, or RAM where there is none; what is free, and who uses the rest.

What cannot be read is None, and None means no: a GPU that is there and cannot be read when Parley starts is not used
at all, one that fails later takes no model until it can be read again.

A worker is counted as a whole, by the process group that it leads: what it starts belongs to that and ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeVar

import psutil
from typing_extensions import override

from agent import cgroup, nvml
from agent.clock import Clock
from agent.errors import SettingsError
from agent.settings import VramSettings

_LOGGER = logging.getLogger(__name__)
_MIB: Final = 1024 * 1024
_LOOK_SECONDS: Final = 0.02
"""Between two looks at memory that is to come back."""
_MEMINFO: Final = Path("/proc/meminfo")

T = TypeVar("T")


class Memory(Protocol):
    """Memory that models are loaded into. Every figure is None if it cannot be read."""

    name: str
    """For a person."""
    environment: Mapping[str, str]
    """Variables for a worker, so that its models go here and nowhere else."""
    lags: bool
    """What an ended process held is free a moment later, not at once."""

    def free_mib(self) -> int | None:
        """What could be taken now."""
        ...

    def total_mib(self) -> int | None:
        """What there is."""
        ...

    def used_by_mib(self, pid: int) -> int | None:
        """What the process group of the worker `pid` uses; 0 if it is gone."""
        ...

    def foreign_mib(self, own_pids: Iterable[int]) -> int | None:
        """What is used by others than these workers; the system's own share is in it."""
        ...

    def versions(self) -> str:
        """What a footprint measured here depends on."""
        ...


def open_memory(settings: VramSettings) -> Memory:
    """The GPU of the settings if there is a driver and it can be read, else RAM; the log says why.

    Raises SettingsError if there are GPUs, and not this one.
    """
    if settings.gpu < 0:
        return Ram()
    try:
        count = nvml.count()
        if settings.gpu < count:
            return Gpu(settings.gpu)
    except nvml.Unreadable as reason:
        _LOGGER.warning("GPU %d is not used, because its memory cannot be read: %s", settings.gpu, reason)
        return Ram()
    if count:
        raise SettingsError(f"vram.gpu is {settings.gpu}, and the highest number of a GPU here is {count - 1}")
    return Ram()


async def wait_until_back(memory: Memory, at_least_mib: int, *, seconds: float, clock: Clock) -> float | None:
    """Wait until so much is free; the seconds that took, or None if it is not so within `seconds`.

    For memory that an ended process held: a driver gives it back a moment after the process is gone.
    """
    began = clock.now()
    while True:
        free_mib = memory.free_mib()
        waited = clock.now() - began
        if free_mib is not None and free_mib >= at_least_mib:
            return waited
        if waited >= seconds:
            return None
        await asyncio.sleep(min(_LOOK_SECONDS, seconds - waited))


class Gpu(Memory):
    """The memory of one NVIDIA GPU, as its driver tells."""

    def __init__(self, index: int) -> None:
        """Open GPU number `index`, counted along the PCI bus as nvidia-smi does. Raises nvml.Unreadable."""
        self._device = nvml.Device(index)
        self._readable = True
        self.name = f"GPU {index} ({self._device.name})"
        self.environment = {"CUDA_VISIBLE_DEVICES": self._device.uuid}
        self.lags = True

    @override
    def free_mib(self) -> int | None:
        memory = self._read(self._device.memory)
        return None if memory is None else memory.free // _MIB

    @override
    def total_mib(self) -> int | None:
        memory = self._read(self._device.memory)
        return None if memory is None else memory.total // _MIB

    @override
    def used_by_mib(self, pid: int) -> int | None:
        used = self._used_by([pid])
        return None if used is None else _mib(used)

    @override
    def foreign_mib(self, own_pids: Iterable[int]) -> int | None:
        memory, own = self._read(self._device.memory), self._used_by(own_pids)
        if memory is None or own is None:
            return None
        return _mib(max(memory.total - memory.free - own, 0))

    @override
    def versions(self) -> str:
        return f"{self._device.name}, {self._device.versions}"

    def _used_by(self, pids: Iterable[int]) -> int | None:
        processes = self._read(self._device.processes)
        if processes is None:
            return None
        figures = [processes.get(member, 0) for member in _members(pids)]
        known = [figure for figure in figures if figure is not None]
        return sum(known) if len(known) == len(figures) else None

    def _read(self, figure: Callable[[], T]) -> T | None:
        """The figure, from a device that is opened afresh if it could not be read the last time."""
        try:
            if not self._readable:
                self._device.reopen()
            found = figure()
        except nvml.Unreadable as reason:
            if self._readable:
                _LOGGER.warning("%s cannot be read, so nothing is loaded into it: %s", self.name, reason)
            self._readable = False
            return None
        if not self._readable:
            _LOGGER.warning("%s can be read again", self.name)
        self._readable = True
        return found


class Ram(Memory):
    """The memory of the machine, or what the containers around Parley leave of it. Hides GPUs from the workers.

    *Free* is what the kernel calls available, less the pages of files that somebody has mapped: a language model's
    weights are such pages, and whoever takes them makes it read them from the disk again for every token.

    *Used by a group* is the sum of the proportional set sizes: mapped weights count, pages that the group shares among
    itself count once, and of libraries that others use too it bears its part. The resident set size would count shared
    pages for each who has them, the unique set size for nobody.
    """

    def __init__(self) -> None:
        self.name = "RAM"
        self.environment = {"CUDA_VISIBLE_DEVICES": "-1"}
        self.lags = False

    @override
    def free_mib(self) -> int | None:
        free = _readable(_free_bytes)
        return None if free is None else free // _MIB

    @override
    def total_mib(self) -> int | None:
        total = _readable(_total_bytes)
        return None if total is None else total // _MIB

    @override
    def used_by_mib(self, pid: int) -> int | None:
        used = _readable(lambda: _set_size_bytes([pid]))
        return None if used is None else _mib(used)

    @override
    def foreign_mib(self, own_pids: Iterable[int]) -> int | None:
        foreign = _readable(lambda: _total_bytes() - _free_bytes() - _set_size_bytes(own_pids))
        return None if foreign is None else _mib(max(foreign, 0))

    @override
    def versions(self) -> str:
        return self.name


def _readable(figure: Callable[[], int]) -> int | None:
    try:
        return figure()
    except (OSError, psutil.Error):
        return None


def _free_bytes() -> int:
    machine = psutil.virtual_memory().available - _mapped_bytes()
    return max(min([machine, *(allowance.free for allowance in cgroup.allowances())]), 0)


def _total_bytes() -> int:
    return min([psutil.virtual_memory().total, *(allowance.total for allowance in cgroup.allowances())])


def _mapped_bytes() -> int:
    """The `Mapped` of /proc/meminfo, which psutil leaves out; 0 on macOS, which has no such file."""
    if not psutil.LINUX:
        return 0
    rows = (line.split() for line in _MEMINFO.read_text().splitlines())
    return next(int(kib) * 1024 for name, kib, *_ in rows if name == "Mapped:")


def _set_size_bytes(pids: Iterable[int]) -> int:
    """The proportional set sizes of the groups. Raises psutil.Error, but not for who ends meanwhile."""
    total = 0
    for member in _members(pids):
        try:
            found = psutil.Process(member).memory_full_info()
        except psutil.NoSuchProcess:
            continue
        total += found.pss if psutil.LINUX else found.uss
    return total


def _members(pids: Iterable[int]) -> list[int]:
    """The processes of the groups that these lead. Who leads none has no members."""
    leaders = set(pids)
    return [pid for pid in psutil.pids() if _group(pid) in leaders]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):  # it is gone; macOS says so by the second
        return None


def _mib(amount_bytes: int) -> int:
    """Rounded up, as is right for what is used."""
    return -(-amount_bytes // _MIB)
