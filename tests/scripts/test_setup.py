"""The scripts that a fresh clone starts with, as far as that shows without installing anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What the scripts call that every Debian has; python3 and sudo are not among it.
PLAIN_TOOLS = "bash cat chmod comm cp cut dirname env flock grep mkdir mktemp mv rm sed sha256sum sort tail touch uname"
# A fake Python: `-m venv --clear DIR` puts itself into DIR, `-m pip wheel` makes an empty wheel; it notes its calls, and can fail in pip.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2 $3" in
    --version*) echo Python 3.12.0 ;;
    "-m venv"*) echo venv >>"$HOME/calls"; rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
    "-m pip"*) echo "pip $*" >>"$HOME/calls"; [ ! -e "$HOME/no-network" ] || exit 1
        case "$*" in *" wheel "*) mkdir -p "$7"; touch "$7/fake.whl" ;; esac ;;
esac
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    plain = [line.split("#")[0].strip() for line in lines]
    return {canonical(name): version for name, version in (line.split("==") for line in plain if line)}


def locked(name: str) -> dict[str, str]:
    return pins((SCRIPTS / f"{name}.lock").read_text().splitlines())


def built_apart() -> dict[str, str]:
    """Torch and llama-cpp-python, whose versions stand in scripts/setup itself."""
    found = dict(re.findall(r"^(torch|llama)=(\S+)$", (SCRIPTS / "setup").read_text(), re.MULTILINE))
    return {"torch": found["torch"], "llama-cpp-python": found["llama"]}


def write_tool(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """A clone, and the environment of a user who may not install anything on a Debian that has nothing."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in PLAIN_TOOLS.split():
        (tools / name).symlink_to(shutil.which(name) or name)
    write_tool(tools / "id", "#!/bin/sh\necho 1000\n")
    write_tool(tools / "dpkg-query", "#!/bin/sh\nexit 1\n")
    write_tool(tools / "apt-get", "#!/bin/sh\necho apt-get was called >&2\n")
    (tmp_path / "clone/scripts").mkdir(parents=True)
    for name in ("setup", "run", "run.lock", "test", "test.lock", "coqui.lock"):
        shutil.copy(SCRIPTS / name, tmp_path / "clone/scripts")
    return {"PATH": str(tools), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


@pytest.fixture
def furnished_machine(bare_machine: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The same where every Debian package is installed, and Python is a fake."""
    write_tool(tmp_path / "bin/dpkg-query", '#!/bin/sh\nfor name; do echo "ii  $name"; done\n')
    write_tool(tmp_path / "bin/python3.12", FAKE_PYTHON)
    return bare_machine


def start(script: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(script), *arguments]
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["scripts/setup", "scripts/run", "scripts/test", ".ci/run"])
def test_every_script_is_executable_bash_without_syntax_errors(name: str) -> None:
    script = ROOT / name
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False).returncode == 0


def test_an_unknown_purpose_is_refused_with_the_usage() -> None:
    done = start(SCRIPTS / "setup", "everything")
    assert done.returncode == 2
    assert done.stderr == "usage: scripts/setup [run|test|coqui]\n"


@pytest.mark.parametrize("script", ["run", "test"])
def test_without_root_it_prints_the_command_that_root_must_run_and_installs_nothing(
    bare_machine: dict[str, str], tmp_path: Path, script: str
) -> None:
    done = start(tmp_path / "clone/scripts" / script, env=bare_machine)
    assert done.returncode == 1
    assert "only root may install them" in done.stderr
    command = re.search(r"^    apt-get install --yes --no-install-recommends (.*)$", done.stderr, re.MULTILINE)
    assert command
    wanted = {"espeak-ng", "g++", "portaudio19-dev", "python3-dev", "python3-venv"}
    assert wanted | ({"flite", "pulseaudio"} if script == "test" else set()) <= set(command[1].split())
    assert "apt-get was called" not in done.stderr
    assert not (tmp_path / "clone/.venv").exists()


def test_a_second_set_up_does_nothing(furnished_machine: dict[str, str], tmp_path: Path) -> None:
    setup, calls = tmp_path / "clone/scripts/setup", tmp_path / "calls"
    assert start(setup, "test", env=furnished_machine).stderr.endswith("parley setup: ready\n")
    calls.unlink()
    for purpose in ("test", "run"):
        done = start(setup, purpose, env=furnished_machine)
        assert (done.returncode, done.stderr, calls.exists()) == (0, "", False)


def test_xtts_gets_an_environment_of_its_own_once(furnished_machine: dict[str, str], tmp_path: Path) -> None:
    setup, calls = tmp_path / "clone/scripts/setup", tmp_path / "calls"
    assert start(setup, "coqui", env=furnished_machine).stderr.endswith("parley setup: ready\n")
    assert "--requirement scripts/coqui.lock" in calls.read_text()
    assert (tmp_path / "clone/.venv-coqui/bin/python").exists()
    assert not (tmp_path / "clone/.venv").exists()
    calls.unlink()
    done = start(setup, "coqui", env=furnished_machine)
    assert (done.returncode, done.stderr, calls.exists()) == (0, "", False)


def test_what_both_environments_hold_has_one_version() -> None:
    xtts, others = locked("coqui"), locked("run")
    assert {name: version for name, version in xtts.items() if others.get(name, version) != version} == {}
    assert not xtts.keys() & built_apart().keys()


def test_what_an_interrupted_set_up_left_behind_is_made_anew(furnished_machine: dict[str, str], tmp_path: Path) -> None:
    setup, calls, no_network = tmp_path / "clone/scripts/setup", tmp_path / "calls", tmp_path / "no-network"
    no_network.touch()
    assert start(setup, env=furnished_machine).returncode == 1
    no_network.unlink()
    assert start(setup, env=furnished_machine).returncode == 0
    assert calls.read_text().count("venv\n") == 2


def test_a_changed_lock_is_installed_into_the_venv_that_is_there(
    furnished_machine: dict[str, str], tmp_path: Path
) -> None:
    setup, calls = tmp_path / "clone/scripts/setup", tmp_path / "calls"
    start(setup, env=furnished_machine)
    (tmp_path / "clone/scripts/run.lock").write_text("PyYAML==6.0.3\n")
    calls.unlink()
    assert start(setup, env=furnished_machine).returncode == 0
    assert "--requirement scripts/run.lock" in calls.read_text()
    assert "venv" not in calls.read_text().splitlines()
    assert " wheel " not in calls.read_text()  # llama-cpp-python is built once


def test_a_failing_step_shows_what_it_said(furnished_machine: dict[str, str], tmp_path: Path) -> None:
    write_tool(tmp_path / "bin/python3.12", "#!/bin/sh\n[ $1 != -m ] || { echo the disk is full; exit 1; }\n")
    done = start(tmp_path / "clone/scripts/setup", env=furnished_machine)
    assert done.returncode == 1
    assert done.stderr.endswith("the disk is full\nparley setup: that failed\n")


def test_every_package_that_parley_asks_for_is_locked_to_the_same_version() -> None:
    assert pins(PROJECT["dependencies"]).items() <= (locked("run") | built_apart()).items()
    assert pins(PROJECT["optional-dependencies"]["test"]).items() <= locked("test").items()


def test_no_package_is_locked_twice() -> None:
    assert not locked("run").keys() & locked("test").keys()
    assert not locked("run").keys() & built_apart().keys()


def test_torchaudio_which_does_not_import_beside_the_small_torch_stays_out() -> None:
    assert "torchaudio" not in locked("run") | locked("test")


def test_what_a_locked_package_needs_is_locked_too() -> None:
    from packaging.requirements import Requirement

    known = locked("run") | locked("test") | built_apart()
    left_out = {"torchaudio"}  # named by RealtimeSTT, never imported
    for name in known:
        for line in metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            other = canonical(need.name)
            if other in left_out or other.startswith(("nvidia-", "cuda-", "triton")):
                continue  # the big build of torch brings its own
            assert other in known, f"{name} needs {need}, which no lock names"
            assert need.specifier.contains(known[other], prereleases=True), f"{name} needs {need}, not {known[other]}"
