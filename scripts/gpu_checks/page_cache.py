"""So that a load is cold: what was read before leaves the kernel's page cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_EVERYTHING: Final = Path("/proc/sys/vm/drop_caches")
"""Linux, Documentation/admin-guide/sysctl/vm.rst: 1 frees all pages that are clean and that nobody has mapped."""


def drop(model: Path, everything: Path = _EVERYTHING) -> str:
    """Drop the whole cache where root may, else the pages of the model's files; what was dropped, for a person."""
    os.sync()
    try:
        everything.write_text("1\n")
    except OSError:
        return _drop_files(model)
    return "the whole page cache"


def _drop_files(model: Path) -> str:
    if not hasattr(os, "posix_fadvise"):  # macOS
        return "nothing, for this system lets nobody but root"
    for path in model.rglob("*") if model.is_dir() else [model]:
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return "the model's files only, for the whole page cache is root's to drop"
