"""Run by an engine's own interpreter: which versions its libraries have, and whether they find a GPU that they can use.

The last line it prints is JSON. Imports nothing of Parley, whose packages that interpreter may not have.
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# Each interpreter has some of these libraries, none has types for all.

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

PACKAGES = {
    "mind": ("llama-cpp-python",),
    "stt": ("faster-whisper", "ctranslate2"),
    "voice": ("coqui-tts", "RealtimeTTS", "torch"),
}


def finds_gpu(organ: str) -> bool:
    """By the word of the library that would compute there."""
    library: Any
    if organ == "mind":
        import llama_cpp as library  # noqa: PLC0415  # only the one that is asked for

        return bool(library.llama_supports_gpu_offload())
    if organ == "stt":
        import ctranslate2 as library  # noqa: PLC0415  # as above

        return library.get_cuda_device_count() > 0
    import torch as library  # noqa: PLC0415  # as above

    return bool(library.cuda.is_available())


def main(organ: str) -> None:
    """Print what is found."""
    try:
        versions = [f"{package} {metadata.version(package)}" for package in PACKAGES[organ]]
        found = {"versions": ", ".join(versions), "finds_gpu": finds_gpu(organ)}
    except (ImportError, OSError) as error:  # OSError: a library that the library needs
        found = {"missing": f"{type(error).__name__}: {error}"}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
