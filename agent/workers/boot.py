"""The first file of a worker process: gives its interpreter `agent`, and nothing else of the daemon's environment.

A worker may run under another interpreter, whose packages must not mix with the daemon's. PYTHONPATH would bring in
the whole directory that `agent` lies in (all of site-packages, once installed); this brings in the one package.
It is done at import too, so that a process which an engine spawns through multiprocessing finds `agent` again.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def adopt(name: str, directory: Path) -> None:
    """Make the package in `directory` importable as `name`."""
    spec = importlib.util.spec_from_file_location(
        name, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no package {name} in {directory}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)


if "agent" not in sys.modules:
    adopt("agent", Path(__file__).resolve().parent.parent)

if __name__ == "__main__":
    from agent.workers.child import main

    main(sys.argv[1:])
