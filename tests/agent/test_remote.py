from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent import remote
from agent.errors import ModelMissing, NotRunning, ParleyError
from tests.scripted_companion import VERDICTS, running

ROOT = Path(__file__).parents[2]
PATH = Path("control.sock")


@pytest.fixture(autouse=True)
def short_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short


def process():
    """A companion in a process of its own, ready for commands."""
    command = [sys.executable, "-m", "tests.scripted_companion", str(PATH.absolute())]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert started.stdout
    assert started.stdout.readline() == b"up\n"
    return started


def test_results_come_one_by_one():
    with running(PATH):
        assert next(remote.request("ask", path=PATH, text="x")) == "You said x."
        assert remote.order("why", path=PATH, count=2) == VERDICTS
        assert remote.order("mute", path=PATH) is None


def test_an_error_comes_back_with_its_exit_code():
    with running(PATH), pytest.raises(ParleyError, match="there is no voice") as raised:
        remote.order("say", path=PATH, text="miss")
    assert raised.value.exit_code == ModelMissing.exit_code


def test_where_none_runs_the_user_is_told_how_to_start_one():
    with pytest.raises(NotRunning, match="start it with: parley run"):
        remote.order("status", path=PATH)
    PATH.write_text("no socket")
    with pytest.raises(NotRunning):
        remote.order("status", path=PATH)
    assert not remote.is_running(PATH)


def test_a_companion_that_hangs_is_given_up():
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(PATH))
        deaf.listen()
        with pytest.raises(ParleyError, match="does not answer"):
            list(remote.request("status", path=PATH, patience_seconds=0.01))


def test_a_companion_that_ends_in_the_middle_is_told():
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(PATH))
        rude.listen()

        def hang_up():
            connection, _ = rude.accept()
            connection.recv(1000)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NotRunning, match="ended before it could answer"):
            remote.order("status", path=PATH)
        thread.join()


def test_stop_returns_when_the_process_has_ended():
    with process() as companion:
        assert remote.stop(PATH)
        assert companion.wait(1) == 0
    assert not PATH.exists()


def test_a_killed_companion_is_not_running_and_the_next_one_replaces_its_socket():
    with process() as companion:
        companion.send_signal(signal.SIGKILL)
        companion.wait()
    assert PATH.exists()
    assert not remote.is_running(PATH)
    with running(PATH):
        assert remote.is_running(PATH)
