from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import DeviceError, EngineFailed, ModelMissing, OutOfMemory
from agent.workers.load_fault import load_fault

STARTER = Path(__file__).parents[3] / "agent" / "starter" / "starter.gguf"
ROOM_MIB = 300
CONTEXT_TOKENS = 1_000_000
"""As much context as would take 1.2 GB."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemory("there is no room"),
        MemoryError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        EngineFailed(
            "llama.cpp cannot load a.gguf: allocating 5480.00 MiB on device 0: cudaMalloc failed: out of memory"
        ),
        EngineFailed("llama.cpp cannot load a.gguf: error loading model: unable to allocate CUDA0 buffer"),
        EngineFailed(
            "llama.cpp cannot load a.gguf: failed to initialize the context: failed to allocate buffer for kv cache"
        ),
        EngineFailed("llama.cpp cannot load a.gguf: ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory"),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA out of memory. Tried to allocate 26.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
        caused(EngineFailed("it cannot be loaded"), MemoryError()),
    ],
)
def test_a_lack_of_memory_is_known_by_what_libraries_say_of_it(error: BaseException):
    assert load_fault(error) == "out_of_memory"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ModelMissing("put it there"), "missing_model"),
        (DeviceError("there is none"), "device"),
        (ImportError("libgomp.so.1: cannot allocate memory in static TLS block"), "failed"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "failed"),
        (RuntimeError("CUDA driver version is insufficient for CUDA runtime version"), "failed"),
        (EngineFailed("llama.cpp cannot load a.gguf: invalid magic characters"), "failed"),
    ],
)
def test_what_else_keeps_an_engine_from_loading_is_no_lack_of_memory(error: BaseException, fault: str):
    assert load_fault(error) == fault


def test_llama_cpp_itself_says_so_in_a_process_that_may_have_no_more_memory():
    code = f"""
import re, resource
from pathlib import Path
import llama_cpp, numpy
from agent.engines.llama_cpp import LlamaCpp
from agent.workers.load_fault import load_fault

kib = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_AS, (kib * 1024 + {ROOM_MIB} * 2**20,) * 2)
try:
    LlamaCpp({{"model": {str(STARTER)!r}, "context_tokens": {CONTEXT_TOKENS}, "gpu_layers": 0}}).load(print)
except Exception as error:
    print(load_fault(error), type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("out_of_memory EngineFailed llama.cpp cannot load"), done
    assert "failed to allocate" in done.stdout
