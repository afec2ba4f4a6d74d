"""What the driver says, through the real pynvml over a fake of the driver's library."""

from __future__ import annotations

import pynvml
import pytest

from agent import nvml
from tests.fake_nvml import MIB, UNTOLD, FakeGpu, FakeNvml, install


@pytest.fixture
def library(monkeypatch):
    fake = FakeNvml(FakeGpu(uuid="GPU-a", name="small"), FakeGpu(uuid="GPU-b", name="large", total_mib=24576))
    install(monkeypatch, fake)
    monkeypatch.setattr(nvml, "_sees_every_process", lambda: True)
    return fake


def test_gpus_are_counted_and_the_library_is_let_go_again(library):
    assert nvml.count() == 2
    assert library.users == 0


def test_without_a_library_there_is_no_gpu(monkeypatch):
    install(monkeypatch, None)
    assert nvml.count() == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "version mismatch"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"),
        (pynvml.NVML_ERROR_UNKNOWN, "Unknown Error"),
    ],
)
def test_a_driver_that_fails_is_not_taken_for_no_gpu(monkeypatch, code, words):
    install(monkeypatch, FakeNvml(init_error=code))
    with pytest.raises(nvml.Unreadable, match=words):
        nvml.count()


def test_an_installed_driver_that_is_not_loaded_is_no_gpu(monkeypatch):
    install(monkeypatch, FakeNvml(init_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED))
    assert nvml.count() == 0


def test_a_device_tells_what_it_is_and_what_is_free(library):
    library.gpus[1].free_mib = 20000
    device = nvml.Device(1)
    assert (device.name, device.uuid) == ("large", "GPU-b")
    assert device.versions == "driver 580.95.05, NVML 13.580.95.05"
    assert device.memory() == (24576 * MIB, 20000 * MIB)


@pytest.mark.usefixtures("library")
def test_a_device_that_is_not_there_is_unreadable():
    with pytest.raises(nvml.Unreadable, match="Invalid Argument"):
        nvml.Device(2)


def test_a_gpu_divided_by_mig_is_unreadable_and_one_that_could_be_is_not(library):
    library.gpus[0].mig, library.gpus[1].mig = True, False
    with pytest.raises(nvml.Unreadable, match="MIG"):
        nvml.Device(0)
    assert nvml.Device(1).memory()


def test_a_process_that_computes_and_draws_counts_once(library):
    library.gpus[0].compute = {10: 500, 11: UNTOLD}
    library.gpus[0].graphics = {10: 500, 12: 70}
    assert nvml.Device(0).processes() == {10: 500 * MIB, 11: None, 12: 70 * MIB}


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_NO_PERMISSION])
def test_a_driver_that_tells_of_no_processes_still_tells_of_memory(library, code):
    library.gpus[0].processes_error = code
    device = nvml.Device(0)
    assert device.processes() is None
    assert device.memory()


@pytest.mark.usefixtures("library")
def test_a_driver_too_old_to_list_processes_this_way_tells_of_none(monkeypatch):
    monkeypatch.delattr(FakeNvml, "nvmlDeviceGetComputeRunningProcesses_v3")
    assert nvml.Device(0).processes() is None


def test_in_a_container_the_numbers_of_processes_are_not_ours(library, monkeypatch, tmp_path):
    monkeypatch.undo()
    install(monkeypatch, library)
    monkeypatch.setattr(nvml, "_PID_NAMESPACE", tmp_path / "pid")
    library.gpus[0].compute = {10: 500}
    assert nvml.Device(0).processes() is None
    (tmp_path / "pid").symlink_to("pid:[4026532000]")
    assert nvml.Device(0).processes() is None
    (tmp_path / "pid").unlink()
    (tmp_path / "pid").symlink_to("pid:[4026531836]")
    assert nvml.Device(0).processes() == {10: 500 * MIB}


def test_after_a_reset_the_same_gpu_is_found_by_its_uuid_wherever_it_is_now(library):
    device = nvml.Device(0)
    library.reset()
    with pytest.raises(nvml.Unreadable, match="GPU is lost"):
        device.memory()
    library.gpus.reverse()
    device.reopen()
    assert device.memory().total == 12288 * MIB
    assert library.users == 1


def test_a_library_that_forgot_us_as_after_a_fork_is_unreadable_until_reopened(library):
    device = nvml.Device(0)
    library.users = 0
    with pytest.raises(nvml.Unreadable, match="Uninitialized"):
        device.memory()
    device.reopen()
    assert device.memory()
