from __future__ import annotations

import os

import pytest

from agent.errors import DeviceError, EngineFailed, ModelMissing
from agent.workers.child import told


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_the_message_of_a_foreign_error_is_not_told_because_it_may_quote_the_user():
    assert told(raised(ValueError("cannot say 'my password is'"))).startswith("ValueError at workers/test_child.py:")
    assert "password" not in told(raised(ValueError("cannot say 'my password is'")))


def test_the_message_of_an_error_of_our_own_is_told():
    assert told(raised(EngineFailed("the disk is full"))).endswith(": the disk is full")


def test_of_an_operating_system_error_only_the_cause_is_told():
    error = raised(FileNotFoundError(2, os.strerror(2), "/home/someone/diary.txt"))
    assert told(error).endswith(": No such file or directory")


def test_a_missing_package_is_named():
    assert told(raised(ImportError("No module named 'kokoro'"))).endswith("No module named 'kokoro'")


def test_an_exit_is_told_like_an_error():
    assert told(raised(SystemExit(0))).startswith("SystemExit at ")


def test_an_error_that_was_never_raised_has_no_place():
    assert told(ModelMissing("put it there")) == "ModelMissing: put it there"
    assert told(DeviceError()) == "DeviceError"
