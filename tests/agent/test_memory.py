"""GPUs through the real pynvml over a fake library; RAM with real processes that take and free real memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from agent import cgroup, nvml
from agent.cgroup import Allowance
from agent.clock import Clock, run_virtual
from agent.errors import SettingsError
from agent.memory import Gpu, Ram, open_memory, wait_until_back
from agent.settings import VramSettings
from tests.fake_nvml import MIB, UNTOLD, FakeGpu, FakeNvml, install

# --- which memory ---------------------------------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch):
    """Two GPUs."""
    fake = FakeNvml(FakeGpu(uuid="GPU-a"), FakeGpu(uuid="GPU-b", total_mib=24576, free_mib=24000))
    install(monkeypatch, fake)
    monkeypatch.setattr(nvml, "_sees_every_process", lambda: True)
    return fake


@pytest.mark.usefixtures("library")
def test_the_gpu_of_the_settings_is_used_and_workers_are_told_its_uuid():
    first, second = open_memory(VramSettings()), open_memory(VramSettings(gpu=1))
    assert first.name == "GPU 0 (NVIDIA GeForce RTX 3060)"
    assert first.environment == {"CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert second.environment == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert (first.total_mib(), second.total_mib()) == (12288, 24576)
    assert first.versions() == "NVIDIA GeForce RTX 3060, driver 580.95.05, NVML 13.580.95.05"


@pytest.mark.usefixtures("library")
def test_a_gpu_that_is_not_there_is_refused_by_its_number():
    with pytest.raises(SettingsError, match=r"vram\.gpu is 2, and the highest number of a GPU here is 1"):
        open_memory(VramSettings(gpu=2))


def test_ram_is_used_if_the_settings_say_so_and_gpus_are_hidden_from_workers(library):
    memory = open_memory(VramSettings(gpu=-1))
    assert memory.name == "RAM"
    assert memory.environment == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert library.inits == 0


@pytest.mark.parametrize(
    "fake",
    [None, FakeNvml(), FakeNvml(init_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)],
    ids=["library", "gpu", "driver"],
)
def test_where_there_is_no_gpu_ram_is_used_and_nothing_is_said(monkeypatch, caplog, fake):
    install(monkeypatch, fake)
    assert open_memory(VramSettings()).name == "RAM"
    assert not caplog.text


@pytest.mark.parametrize(
    ("fake", "why"),
    [
        (FakeNvml(init_error=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH), "version mismatch"),
        (FakeNvml(FakeGpu(), init_error=pynvml.NVML_ERROR_NO_PERMISSION), "Insufficient Permissions"),
        (FakeNvml(FakeGpu(mig=True)), "divided by MIG"),
    ],
)
def test_a_gpu_that_cannot_be_read_is_not_used_and_the_log_says_why(monkeypatch, caplog, fake, why):
    install(monkeypatch, fake)
    memory = open_memory(VramSettings())
    assert memory.environment == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert "GPU 0 is not used" in caplog.text
    assert why in caplog.text


# --- a GPU ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def group():
    """A process and its child, as one group: pids of both, the leader's first."""
    script = "import subprocess; c = subprocess.Popen(['sleep', '60']); print(c.pid, flush=True); c.wait()"
    leader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    yield leader.pid, int(leader.stdout.readline())
    os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    leader.stdout.close()


def test_a_worker_counts_with_the_processes_it_started(library, group):
    leader, child = group
    library.gpus[0].compute = {leader: 3000, child: 500, os.getpid(): 70}
    library.gpus[0].graphics = {1: 400}
    library.gpus[0].free_mib = 12288 - 4500
    memory = Gpu(0)
    assert memory.used_by_mib(leader) == 3500
    assert memory.used_by_mib(child) == 0  # it leads no group
    assert memory.foreign_mib([leader]) == 1000
    assert memory.foreign_mib([]) == 4500


def test_a_worker_that_is_gone_uses_nothing(library):
    library.gpus[0].compute = {999_999_999: 3000}
    assert Gpu(0).used_by_mib(999_999_999) == 0
    assert Gpu(0).used_by_mib(0) == 0


def test_a_figure_that_the_driver_withholds_is_no_zero(library, group):
    leader, child = group
    library.gpus[0].compute = {leader: 3000, child: UNTOLD}
    assert Gpu(0).used_by_mib(leader) is None
    assert Gpu(0).foreign_mib([leader]) is None
    library.gpus[0].compute = {leader: 3000, os.getpid(): UNTOLD}
    assert Gpu(0).used_by_mib(leader) == 3000


def test_a_driver_that_tells_of_no_processes_still_tells_what_is_free(library, caplog):
    library.gpus[0].processes_error = pynvml.NVML_ERROR_NOT_SUPPORTED
    memory = Gpu(0)
    assert memory.used_by_mib(1) is None
    assert memory.foreign_mib([1]) is None
    assert memory.free_mib() == 11000
    assert not caplog.text


@pytest.mark.usefixtures("library")
def test_figures_are_rounded_to_the_safe_side(monkeypatch):
    memory = Gpu(0)
    monkeypatch.setattr(memory._device, "memory", lambda: nvml.MemoryBytes(total=10 * MIB, free=3 * MIB - 1))
    assert memory.free_mib() == 2
    assert memory.foreign_mib([]) == 8


@pytest.mark.parametrize(
    "code", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_UNKNOWN]
)
def test_a_gpu_that_fails_later_has_no_figures_until_it_can_be_read_again(library, caplog, code):
    caplog.set_level(logging.WARNING)
    memory = Gpu(0)
    assert memory.free_mib() == 11000
    library.gpus[0].memory_error = code
    assert [memory.free_mib(), memory.total_mib(), memory.foreign_mib([])] == [None] * 3
    assert len(caplog.records) == 1
    library.gpus[0].memory_error = 0
    library.reset()
    assert [memory.free_mib(), memory.total_mib(), memory.foreign_mib([])] == [11000, 12288, 1288]
    assert [record.message.split(")")[1] for record in caplog.records] == [
        f" cannot be read, so nothing is loaded into it: {pynvml.NVMLError(code)}",
        " can be read again",
    ]


def test_a_gpu_whose_driver_was_replaced_under_it_stays_unreadable(library):
    memory = Gpu(0)
    library.reset()
    library.init_error = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    assert [memory.free_mib() for _ in range(3)] == [None] * 3
    assert library.users == 0


# --- RAM ------------------------------------------------------------------------------------------------------------

TAKE_MIB = 200
TAKER = """
import mmap, os, signal, subprocess, sys
kind, mib = sys.argv[1], int(sys.argv[2])
if kind == "child":
    sys.exit(subprocess.run([sys.executable, "-c", sys.argv[3], "anonymous", str(mib), ""]).returncode)
def say(word):
    print(word, flush=True)
    sys.stdin.readline()
say("began")
if kind == "file":
    with open(sys.argv[3], "rb") as file:
        held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    total = sum(held[at] for at in range(0, len(held), 4096))
else:
    held = mmap.mmap(-1, mib << 20)
    for at in range(0, len(held), 4096):
        held[at] = 1
    if kind == "shared" and os.fork() == 0:
        total = sum(held[at] for at in range(0, len(held), 4096))
        print("took", flush=True)
        signal.pause()
if kind != "shared":
    print("took", flush=True)
sys.stdin.readline()
held.close()
say("freed")
"""


class Taker:
    """A process that takes memory, and frees it, when it is told to."""

    def __init__(self, kind="anonymous", path=""):
        given = TAKER if kind == "child" else str(path)
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKER, kind, str(TAKE_MIB), given],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "began\n"

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.read()  # ends with the last of the group, whose memory is free by then
        self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def taker(*args):
    made = Taker(*args)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def weights(tmp_path):
    """A file like a model's, which llama.cpp maps and does not read."""
    path = tmp_path / "weights"
    with path.open("wb") as file:
        file.truncate(TAKE_MIB * MIB)
    return path


def near(mib, within_mib=TAKE_MIB / 8):
    return pytest.approx(mib, abs=within_mib)


def test_what_a_process_takes_and_frees_is_seen():
    ram = Ram()
    with taker() as process:
        before = ram.used_by_mib(process.pid)
        process.go_on()
        assert ram.used_by_mib(process.pid) - before == near(TAKE_MIB)
        process.go_on()
        assert ram.used_by_mib(process.pid) == near(before)


def test_mapped_weights_are_seen_as_used(weights):
    ram = Ram()
    with taker("file", weights) as process:
        before = ram.used_by_mib(process.pid)
        process.go_on()
        assert ram.used_by_mib(process.pid) - before == near(TAKE_MIB)


def test_what_processes_of_a_worker_share_counts_once():
    with taker("shared") as process:
        process.go_on()
        assert Ram().used_by_mib(process.pid) == near(TAKE_MIB)


def test_what_the_child_of_a_worker_takes_is_the_workers_also_after_the_worker_died():
    ram = Ram()
    with taker("child") as process:
        before = ram.used_by_mib(process.pid)
        process.go_on()
        assert ram.used_by_mib(process.pid) - before == near(TAKE_MIB)
        process.process.kill()
        process.process.wait()
        assert ram.used_by_mib(process.pid) >= TAKE_MIB
    assert ram.used_by_mib(process.pid) == 0


@pytest.mark.parametrize("kind", ["anonymous", "file"])
def test_what_a_process_takes_is_not_free_until_it_ends(kind, weights):
    """Others on this machine take and free memory too: one trial in many that they disturb little will do."""
    for _ in range(30):
        if _moves_what_is_free(kind, weights):
            return
    pytest.fail("what is free never moved with what was taken")


def _moves_what_is_free(kind, weights):
    ram, noise_mib = Ram(), TAKE_MIB / 2
    with taker(kind, weights) as process:
        before, foreign = ram.free_mib(), ram.foreign_mib([process.pid])
        process.go_on()
        taken, others = before - ram.free_mib(), ram.foreign_mib([process.pid])
    back = ram.free_mib()
    return taken == near(TAKE_MIB, noise_mib) and others == near(foreign, noise_mib) and back == near(before, noise_mib)


def test_available_pages_of_files_that_are_mapped_are_not_free(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text(f"MemTotal:  1 kB\nMapped:  {300 * 1024} kB\nShmem:  1 kB\n")
    machine = SimpleNamespace(total=2000 * MIB, available=1000 * MIB, free=500 * MIB)
    monkeypatch.setattr("agent.memory._MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    monkeypatch.setattr(cgroup, "allowances", list)
    assert (Ram().free_mib(), Ram().total_mib(), Ram().foreign_mib([])) == (700, 2000, 1300)


def test_a_worker_that_ends_while_it_is_measured_uses_nothing(monkeypatch):
    with taker() as process:
        monkeypatch.setattr(psutil, "pids", lambda: [999_999_999, process.pid])
        monkeypatch.setattr(psutil.Process, "memory_full_info", _gone)
        assert Ram().used_by_mib(process.pid) == 0


def _gone(process):
    raise psutil.NoSuchProcess(process.pid)


def test_a_worker_that_may_not_be_read_is_no_zero(monkeypatch):
    def forbidden(process):
        raise psutil.AccessDenied(process.pid)

    with taker() as process:
        monkeypatch.setattr(psutil.Process, "memory_full_info", forbidden)
        assert Ram().used_by_mib(process.pid) is None
        assert Ram().foreign_mib([process.pid]) is None


def test_memory_that_cannot_be_read_has_no_figures(monkeypatch):
    def broken():
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    assert [Ram().free_mib(), Ram().total_mib(), Ram().foreign_mib([])] == [None] * 3


def test_a_container_leaves_less(monkeypatch):
    monkeypatch.setattr(
        cgroup, "allowances", lambda: [Allowance(800 * MIB, 300 * MIB), Allowance(900 * MIB, 100 * MIB)]
    )
    assert (Ram().total_mib(), Ram().free_mib(), Ram().foreign_mib([])) == (800, 100, 700)


def test_a_container_over_its_limit_leaves_nothing(monkeypatch):
    monkeypatch.setattr(cgroup, "allowances", lambda: [Allowance(800 * MIB, -5 * MIB)])
    assert Ram().free_mib() == 0


def test_without_limits_it_is_the_machines(monkeypatch):
    monkeypatch.setattr(cgroup, "allowances", list)
    assert Ram().total_mib() == psutil.virtual_memory().total // MIB
    assert 0 < Ram().free_mib() < Ram().total_mib()


# --- coming back ----------------------------------------------------------------------------------------------------


class ReturningMemory:
    """So much is free from so many seconds on; None stands for a figure that cannot be read."""

    def __init__(self, clock, *figures):
        self.clock, self.figures = clock, figures
        self.looks = 0

    def free_mib(self):
        self.looks += 1
        return [mib for at, mib in self.figures if at <= self.clock.now()][-1]


def waiting(*figures, at_least_mib=5000, seconds=2.0):
    async def main():
        clock = Clock()
        memory = ReturningMemory(clock, *figures)
        waited = await wait_until_back(memory, at_least_mib, seconds=seconds, clock=clock)
        return waited, clock.now(), memory.looks

    return run_virtual(main())


def test_memory_that_is_back_is_not_waited_for():
    assert waiting((0, 5000)) == (0, 0, 1)


def test_memory_that_comes_back_is_noticed_soon_and_without_a_busy_wait():
    waited, now, looks = waiting((0, 1000), (0.5, 4999), (0.7, 5000))
    assert waited == now == pytest.approx(0.7, abs=0.021)
    assert looks <= 37


def test_memory_that_does_not_come_back_is_waited_for_no_longer_than_the_bound():
    waited, now, looks = waiting((0, 1000), (2.1, 5000), seconds=2.01)
    assert waited is None
    assert now == pytest.approx(2.01)
    assert looks <= 103


def test_memory_that_is_back_in_the_last_moment_is_back():
    assert waiting((0, 1000), (1.995, 5000))[0] == pytest.approx(2.0)


def test_memory_that_cannot_be_read_is_not_back_but_may_be_read_again():
    assert waiting((0, None))[0] is None
    assert waiting((0, None), (1.0, 9000))[0] == pytest.approx(1.0, abs=0.021)


def test_waiting_for_memory_can_be_cancelled():
    async def main():
        clock = Clock()
        memory = ReturningMemory(clock, (0, 0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await wait_until_back(memory, 1, seconds=100.0, clock=clock)
        return clock.now()

    assert run_virtual(main()) == pytest.approx(0.1)
