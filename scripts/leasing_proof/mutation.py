"""Whether the tests of the scheduler see its mutants: each is tested in a process of its own."""

from __future__ import annotations

import importlib
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, Literal

import hypothesis
import pytest
from typing_extensions import override

from scripts.leasing_proof.mutants import ROOT, Mutant

Fate = Literal["killed", "endless", "survived"]
"""`endless`: its process was ended, after so much of the processor's time that it would go on for ever."""

_LONGEST_SECONDS: Final = 90
"""Of the processor's time; the tests and the exploration take about ten."""
_MOST_BYTES: Final = 3 << 30
_SHORT: Final = 400
"""Worlds of each start that are looked at when the tests have not killed it."""
_TESTS: Final = sorted(
    (
        path.relative_to(ROOT).as_posix()
        for pattern in ("test_lease*.py", "test_leasing.py", "test_swapping.py")
        for path in (ROOT / "tests/agent/policy").glob(pattern)
    ),
    key=lambda path: ("test_leasing" in path, path),  # that one explores and walks: it comes last
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant."""

    mutant: Mutant
    fate: Fate


def judge(mutants: Sequence[Mutant], jobs: int, told: Callable[[Outcome, int], None]) -> list[Outcome]:
    """Test them all, `jobs` at a time; `told` of each as it is done, with the number of those that are."""
    _begin(None)
    if _fate(os.wait()[1]) != "survived":
        raise RuntimeError("The tests of the scheduler fail without any mutant: look at them first.")
    outcomes, running, waiting = list[Outcome](), dict[int, Mutant](), list(reversed(mutants))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[_begin(mutant)] = mutant
        child, status = os.wait()
        outcomes.append(Outcome(running.pop(child), _fate(status)))
        told(outcomes[-1], len(outcomes))
    return outcomes


def _begin(mutant: Mutant | None) -> int:
    """Start a process that tests it; the number of the process."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status: int = pytest.ExitCode.TESTS_FAILED  # as it is if memory runs out
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST_SECONDS, _LONGEST_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        status = _test(mutant)
    finally:
        os._exit(status)


def _test(mutant: Mutant | None) -> int:
    """The exit status of pytest, and after that of a short exploration."""
    for name in [name for name in sys.modules if name.startswith(("agent.policy", "tests", "scripts.leasing_proof.w"))]:
        del sys.modules[name]  # the parent knows them without the change
    if mutant:
        sys.meta_path.insert(0, _Changed(f"agent.policy.{mutant.module}", mutant.code))
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True, phases=[hypothesis.Phase.generate])
    hypothesis.settings.load_profile("mutants")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--noconftest", *_TESTS])
    return status or _explore_shortly()


def _explore_shortly() -> int:
    worlds = importlib.import_module("scripts.leasing_proof.worlds").WORLDS
    explorer = importlib.import_module("tests.agent.policy.lease_worlds").Explorer
    try:
        for world in worlds.values():
            explorer(world).explore(_SHORT)
    except Exception:  # noqa: BLE001  # whatever it is, the mutant is seen
        return pytest.ExitCode.TESTS_FAILED
    return pytest.ExitCode.OK


def _fate(status: int) -> Fate:
    if os.WIFSIGNALED(status):
        return "endless"
    match os.WEXITSTATUS(status):
        case pytest.ExitCode.OK:
            return "survived"
        case pytest.ExitCode.TESTS_FAILED | pytest.ExitCode.INTERRUPTED:  # interrupted: a module cannot be imported
            return "killed"
        case other:
            raise RuntimeError(f"pytest could not be run: exit status {other}.")


class _Changed(MetaPathFinder, Loader):
    """Gives one module other code than its file has."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    @override
    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._name else None

    @override
    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102  # it is our own
