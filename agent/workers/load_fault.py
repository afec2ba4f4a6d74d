"""What kept an engine from loading, as far as the scheduler has to know: above all, whether it was the memory.

Libraries have no common error for it, so it is known by their words:

    llama.cpp     cudaMalloc failed: out of memory · failed to allocate CUDA0 buffer · unable to allocate CUDA0 buffer ·
                  ErrorOutOfDeviceMemory (Vulkan) · insufficient memory (RAM)
    CTranslate2   CUDA failed with error out of memory · CUBLAS_STATUS_ALLOC_FAILED · std::bad_alloc, as MemoryError
    torch         OutOfMemoryError: CUDA out of memory · DefaultCPUAllocator: can't allocate memory · not enough memory
    ONNX Runtime  Failed to allocate memory for requested buffer
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Final

from agent.errors import DeviceError, ModelMissing, OutOfMemory
from agent.workers.wire import LoadFault

_WORDS: Final = re.compile(
    r"out ?of (device |host )?memory|OutOf(Device|Host)Memory|(failed|unable) to allocate|ALLOC_FAILED"
    r"|insufficient memory|not enough memory|can't allocate memory",
    re.IGNORECASE,
)


def load_fault(error: BaseException) -> LoadFault:
    """The kind of an error that a load ended with."""
    match error:
        case ModelMissing():
            return "missing_model"
        case DeviceError():
            return "device"
        case _:
            return "out_of_memory" if any(map(_is_out_of_memory, _with_causes(error))) else "failed"


def _is_out_of_memory(error: BaseException) -> bool:
    match error:
        case OutOfMemory() | MemoryError():
            return True
        case ImportError():  # "cannot allocate memory in static TLS block" is no lack of memory
            return False
        case OSError():
            return error.errno == errno.ENOMEM
        case _:
            return _WORDS.search(str(error)) is not None


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__
