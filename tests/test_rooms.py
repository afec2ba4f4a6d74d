"""Who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("agent/**/*.py"), *ROOT.glob("routines/*.py")]
)
MODEL_LIBRARIES = {
    "RealtimeSTT", "RealtimeTTS", "TTS", "ctranslate2", "faster_whisper", "llama_cpp", "livekit", "numpy", "onnxruntime",
    "pocketsphinx", "pyaudio", "silero_vad", "soundfile", "soxr", "torch",
}  # fmt: skip
FORBIDDEN_IN_POLICY = {"asyncio", "logging", "time", "os", "pathlib", "socket", "subprocess", "threading", "random"}
FORBIDDEN_FOR_ROUTINES = (
    "agent.app",
    "agent.supervisor",
    "agent.journal",
    "agent.terminal",
    "agent.control",
    "agent.workers",
    "routines",
)
THE_DAEMON_IMPORTS = "agent/app.py"


def imports(module: str) -> set[str]:
    """Everything imported anywhere in the module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def in_room(room: str) -> list[str]:
    return [module for module in MODULES if module.startswith(room)]


@pytest.mark.parametrize("module", in_room("agent/policy/"))
def test_a_policy_imports_only_events_policies_and_the_standard_library(module: str):
    for name in imports(module):
        if name.startswith(("agent", "routines")):
            assert name.startswith(("agent.events", "agent.policy")), name
        else:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "typing_extensions"}, name
    assert not top(imports(module)) & FORBIDDEN_IN_POLICY


@pytest.mark.parametrize("module", [module for module in MODULES if module != "agent/clock.py"])
def test_only_the_clock_imports_time(module: str):
    assert "time" not in top(imports(module))


@pytest.mark.parametrize("module", in_room("routines/"))
def test_a_routine_knows_neither_another_routine_nor_an_engine_nor_a_device(module: str):
    for name in imports(module):
        assert not name.startswith(FORBIDDEN_FOR_ROUTINES), name
        if name.startswith(("agent.engines", "agent.sound")):
            assert ".api" in name, name
    assert not top(imports(module)) & MODEL_LIBRARIES


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(("agent/engines/", "agent/sound/"))])
def test_only_workers_import_model_libraries(module: str):
    assert not top(imports(module)) & MODEL_LIBRARIES


@pytest.mark.parametrize("module", [module for module in MODULES if module != "agent/sound/portaudio.py"])
def test_only_one_room_touches_portaudio(module: str):
    assert "pyaudio" not in top(imports(module))


@pytest.mark.parametrize("module", [m for m in MODULES if m not in {THE_DAEMON_IMPORTS, "agent/cli.py"}])
def test_only_the_composition_root_knows_everything(module: str):
    assert not {name for name in imports(module) if name.startswith("agent.app")}


def test_the_daemon_imports_no_model_library():
    """What `agent.app` pulls in, module by module."""
    seen: set[str] = set()
    waiting = [THE_DAEMON_IMPORTS]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        assert not top(imports(module)) & MODEL_LIBRARIES, module
        for name in imports(module):
            path = name.replace(".", "/") + ".py"
            if path in MODULES:
                waiting.append(path)


def test_no_pickle_anywhere():
    for module in MODULES:
        assert not top(imports(module)) & {"pickle", "shelve", "marshal"}
