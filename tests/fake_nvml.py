"""A fake of NVIDIA's library libnvidia-ml.so.1, below the real pynvml: it fills the same structures, by the same calls.

It behaves as NVIDIA's documentation of NVML says, failures included: nothing works before `nvmlInit`, a lost GPU fails
until the driver is reset, and after the reset every old handle is void until the library is initialised anew.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

import pynvml
import pytest

MIB = 1024 * 1024
UNTOLD = 2**64 - 1
"""NVML_VALUE_NOT_AVAILABLE."""


@dataclass
class FakeGpu:
    """One GPU; a test sets what it likes."""

    uuid: str = "GPU-00000000"
    name: str = "NVIDIA GeForce RTX 3060"
    total_mib: int = 12288
    free_mib: int = 11000
    compute: dict[int, int] = field(default_factory=dict)
    """Pid to MiB, or UNTOLD."""
    graphics: dict[int, int] = field(default_factory=dict)
    mig: bool | None = None
    """None: it knows no MIG."""
    memory_error: int = 0
    """What is returned instead of the memory."""
    processes_error: int = 0


class FakeNvml:
    """The library. Its methods have the names of the C functions, and return their codes."""

    def __init__(self, *gpus: FakeGpu, init_error: int = 0) -> None:
        self.gpus = list(gpus)
        self.init_error = init_error
        self.users = 0
        """`nvmlInit` less `nvmlShutdown`."""
        self.resets = 0
        self.inits = 0

    def reset(self) -> None:
        """The driver was reset, or a GPU with it: handles of before are void until the library starts anew."""
        self.resets += 1

    def nvmlInitWithFlags(self, _flags):  # noqa: N802
        if self.init_error:
            return self.init_error
        self.users += 1
        self.inits += 1
        if self.users == 1:
            self.known_resets = self.resets
        return 0

    def nvmlShutdown(self):  # noqa: N802
        if not self.users:
            return pynvml.NVML_ERROR_UNINITIALIZED
        self.users -= 1
        return 0

    def nvmlSystemGetDriverVersion(self, text, _length):  # noqa: N802
        return self._say(text, "580.95.05")

    def nvmlSystemGetNVMLVersion(self, text, _length):  # noqa: N802
        return self._say(text, "13.580.95.05")

    def nvmlDeviceGetCount_v2(self, count):  # noqa: N802
        count._obj.value = len(self.gpus)
        return self._state()

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):  # noqa: N802
        if error := self._state():
            return error
        if index.value >= len(self.gpus):
            return pynvml.NVML_ERROR_INVALID_ARGUMENT
        return self._give_handle(handle, index.value)

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):  # noqa: N802
        if error := self._state():
            return error
        for index, gpu in enumerate(self.gpus):
            if gpu.uuid.encode() == uuid.value:
                return self._give_handle(handle, index)
        return pynvml.NVML_ERROR_NOT_FOUND

    def nvmlDeviceGetUUID(self, handle, text, _length):  # noqa: N802
        return self._say(text, self._gpu(handle).uuid)

    def nvmlDeviceGetName(self, handle, text, _length):  # noqa: N802
        return self._say(text, self._gpu(handle).name)

    def nvmlDeviceGetMigMode(self, handle, current, pending):  # noqa: N802
        mig = self._gpu(handle).mig
        if mig is None:
            return pynvml.NVML_ERROR_NOT_SUPPORTED
        current._obj.value = pending._obj.value = mig
        return self._state(handle)

    def nvmlDeviceGetMemoryInfo(self, handle, memory):  # noqa: N802
        if error := self._state(handle) or self._gpu(handle).memory_error:
            return error
        gpu = self._gpu(handle)
        memory._obj.total, memory._obj.free = gpu.total_mib * MIB, gpu.free_mib * MIB
        memory._obj.used = memory._obj.total - memory._obj.free
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle, count, listing):  # noqa: N802
        return self._list(handle, self._gpu(handle).compute, count, listing)

    def nvmlDeviceGetGraphicsRunningProcesses_v3(self, handle, count, listing):  # noqa: N802
        return self._list(handle, self._gpu(handle).graphics, count, listing)

    def _state(self, handle=None):
        if not self.users:
            return pynvml.NVML_ERROR_UNINITIALIZED
        stale = self.known_resets != self.resets or (handle and _address(handle) // 100 != self.resets)
        return pynvml.NVML_ERROR_GPU_IS_LOST if stale else 0

    def _list(self, handle, processes, count, listing):
        if error := self._state(handle) or self._gpu(handle).processes_error:
            return error
        room, count._obj.value = count._obj.value, len(processes)
        if room < len(processes):
            return pynvml.NVML_ERROR_INSUFFICIENT_SIZE
        for index, (pid, used) in enumerate(processes.items()):
            listing[index].pid = pid
            listing[index].usedGpuMemory = used if used == UNTOLD else used * MIB
        return 0

    def _give_handle(self, handle, index):
        """An address that says which GPU it is, and after how many resets it was made."""
        ctypes.cast(ctypes.pointer(handle._obj), ctypes.POINTER(ctypes.c_void_p))[0] = self.resets * 100 + index + 1
        return 0

    def _gpu(self, handle):
        return self.gpus[_address(handle) % 100 - 1]

    def _say(self, text, words):
        text.value = words.encode()
        return self._state()


def _address(handle):
    return ctypes.cast(handle, ctypes.c_void_p).value


def install(monkeypatch: pytest.MonkeyPatch, library: FakeNvml | None) -> None:
    """Have pynvml use this library; None: the machine has none."""
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    if library is None:
        monkeypatch.setattr(pynvml, "CDLL", _no_library)


def _no_library(name):
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")
