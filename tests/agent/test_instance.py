from __future__ import annotations

import datetime as dt
import os
import re
import socket
import stat

import pytest

from agent.errors import AlreadyRunning, ParleyError
from agent.instance import claim, control_socket, listening, peer

STARTED = dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    return tmp_path.__class__("control.sock")


def test_the_second_one_is_told_who_runs_and_since_when(path):
    expected = f"Parley already runs (pid {os.getpid()}, since 2026-01-05 09:00:00); end it with: parley stop"
    with claim(path, STARTED), pytest.raises(AlreadyRunning, match=re.escape(expected)), claim(path, STARTED):
        pytest.fail("two instances")


def test_the_next_one_may_start_when_the_first_has_ended(path):
    for _ in range(2):
        with claim(path, STARTED):
            pass


def test_a_link_in_place_of_the_lock_is_not_followed(path, tmp_path):
    (tmp_path / "control.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ParleyError, match="remove what is there"), claim(path, STARTED):
        pytest.fail("followed")
    assert not (tmp_path / "victim").exists()


def test_the_socket_is_for_the_user_alone_and_goes_with_its_block(path):
    path.write_text("left behind")
    with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.is_socket()
    assert not path.exists()


def test_a_place_where_no_socket_can_be_is_one_sentence(path):
    path.mkdir()
    with pytest.raises(ParleyError, match="cannot listen at"), listening(path):
        pytest.fail("listened")


def test_the_other_end_of_a_socket_is_known():
    left, right = socket.socketpair()
    with left, right:
        assert peer(left) == (os.getpid(), os.geteuid())


def test_a_directory_too_long_for_a_socket_is_told_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    with pytest.raises(ParleyError, match="set XDG_RUNTIME_DIR to a shorter directory"):
        control_socket()


def test_the_socket_lies_in_the_runtime_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control_socket() == tmp_path / "parley" / "control.sock"
