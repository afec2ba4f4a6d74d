"""NVML, the driver's own account of a GPU: the only importer of pynvml.

NVML counts GPUs along the PCI bus, CUDA the fastest first, so number 0 of one may be number 1 of the other. What is
opened here is therefore known by its UUID, which CUDA_VISIBLE_DEVICES takes as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import pynvml

_NVML: Final[Any] = pynvml  # it has no types
_NO_GPU: Final = {pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED}
_NOT_TOLD: Final = {
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
}
"""A figure that this driver, or this place, never gives; the GPU itself is well."""
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
"""Linux's `PROC_PID_INIT_INO`: the namespace in which everyone's process has the number that the driver knows."""


class Unreadable(Exception):
    """What NVML says instead of a figure."""


class MemoryBytes(NamedTuple):
    """The memory of a GPU."""

    total: int
    free: int


def count() -> int:
    """How many GPUs the driver knows; 0 without a driver or its library. Raises Unreadable."""
    try:
        _NVML.nvmlInit()
    except pynvml.NVMLError as error:
        if _code(error) in _NO_GPU:
            return 0
        raise Unreadable(str(error)) from None
    try:
        with _failing_as_unreadable():
            return _NVML.nvmlDeviceGetCount()
    finally:
        _shut_down()


class Device:
    """One GPU. Everything raises Unreadable; then `reopen` is to be called before anything else."""

    def __init__(self, index: int) -> None:
        """Open GPU number `index`. One that MIG divides is unreadable: a model would see only a part of it."""
        with _failing_as_unreadable():
            _NVML.nvmlInit()
            self._handle: Any = _NVML.nvmlDeviceGetHandleByIndex(index)
            self.uuid: Final[str] = _NVML.nvmlDeviceGetUUID(self._handle)
            self.name: Final[str] = _NVML.nvmlDeviceGetName(self._handle)
            self.versions: Final = (
                f"driver {_NVML.nvmlSystemGetDriverVersion()}, NVML {_NVML.nvmlSystemGetNVMLVersion()}"
            )
            self._refuse_mig()

    def reopen(self) -> None:
        """Open the same GPU afresh, and see that it answers: after a reset of the driver the old handle is void."""
        _shut_down()
        with _failing_as_unreadable():
            _NVML.nvmlInit()
            self._handle = _NVML.nvmlDeviceGetHandleByUUID(self.uuid)
            self._refuse_mig()
        self.memory()

    def memory(self) -> MemoryBytes:
        """What there is, and what is free now."""
        with _failing_as_unreadable():
            found = _NVML.nvmlDeviceGetMemoryInfo(self._handle)
            return MemoryBytes(found.total, found.free)

    def processes(self) -> dict[int, int | None] | None:
        """Pid to bytes, of every process that uses the GPU; None where the driver does not tell.

        It tells nothing under WSL, None for each process under Windows, and in a container it has other numbers for
        the processes than the container.
        """
        if not _sees_every_process():
            return None
        used: dict[int, int | None] = {}
        try:
            listings = (
                *_NVML.nvmlDeviceGetComputeRunningProcesses_v3(self._handle),
                *_NVML.nvmlDeviceGetGraphicsRunningProcesses_v3(self._handle),
            )
        except pynvml.NVMLError as error:
            if _code(error) in _NOT_TOLD:
                return None
            raise Unreadable(str(error)) from None
        for process in listings:  # one that both computes and draws is in both, with the same figure
            used[process.pid] = process.usedGpuMemory
        return used

    def _refuse_mig(self) -> None:
        try:
            divided, _ = _NVML.nvmlDeviceGetMigMode(self._handle)
        except pynvml.NVMLError as error:
            if _code(error) in _NOT_TOLD:  # no card for a desktop has MIG
                return
            raise
        if divided:
            raise Unreadable("it is divided by MIG")


@contextlib.contextmanager
def _failing_as_unreadable() -> Generator[None]:
    try:
        yield
    except pynvml.NVMLError as error:
        raise Unreadable(str(error)) from None


def _shut_down() -> None:
    with contextlib.suppress(pynvml.NVMLError):
        _NVML.nvmlShutdown()


def _code(error: pynvml.NVMLError) -> int:
    return cast("Any", error).value


def _sees_every_process() -> bool:
    try:
        return str(_PID_NAMESPACE.readlink()) == _FIRST_PID_NAMESPACE
    except OSError:
        return False
