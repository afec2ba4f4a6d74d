"""What the installed engines can do here, by their own word, and why one is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agent import nvml

Organ = Literal["mind", "stt", "voice"]

_PROBE: Final = Path(__file__).with_name("probe.py")
_PROBE_SECONDS: Final = 300.0
"""torch alone takes half a minute from a slow disk."""
_REMEDIES: Final[dict[Organ, str]] = {
    "mind": "what scripts/setup builds is for the processor; with NVIDIA's CUDA toolkit here, install it anew from its "
    "source with CMAKE_ARGS=-DGGML_CUDA=on",
    "stt": "CTranslate2 needs NVIDIA's driver for CUDA 12",
    "voice": "the torch that is installed may be one for the processor, or too new for the driver",
}


@dataclass(frozen=True, slots=True)
class Ability:
    """One engine's libraries in the interpreter that its worker will have."""

    versions: str = ""
    finds_gpu: bool = False
    missing: str = ""
    """Why it cannot be used at all; empty if it can."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not measured."""

    what: str
    why: str


def ability(organ: Organ, python: str, environment: Mapping[str, str]) -> Ability:
    """Ask the libraries, in a process of their own that sees what the worker will see: `environment` names the GPU."""
    if not Path(python or sys.executable).exists():
        return Ability(missing="its packages are not here; ./scripts/setup coqui installs them")
    command = [python or sys.executable, str(_PROBE), organ]
    try:
        asked = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Ability(missing=f"its libraries were not imported within {_PROBE_SECONDS:g} s")
    if asked.returncode:
        words = asked.stderr.strip().splitlines()[-1:] or ["no word why"]
        return Ability(missing=f"its libraries cannot be imported (exit status {asked.returncode}, {words[0]})")
    return Ability(**json.loads(asked.stdout.splitlines()[-1]))


def why_not(organ: Organ, found: Ability, *, on_gpu: bool) -> str:
    """Why the engine is left out; empty if it can be measured where the check runs."""
    if found.missing:
        return found.missing
    if on_gpu and not found.finds_gpu:
        return f"{found.versions} finds no GPU that it can use: {_REMEDIES[organ]}"
    return ""


def why_no_gpu(gpu: int) -> str:
    """Why `agent.memory.open_memory` took RAM for this number of a GPU."""
    if gpu < 0:
        return "--gpu -1 asks for none"
    try:
        if nvml.count():
            nvml.Device(gpu)
    except nvml.Unreadable as reason:
        return f"its memory cannot be read: {reason}"
    return "NVIDIA's driver knows none, or is not here"
