"""The GPU check: what it skips and why, what it makes of the driver's words, and its tables. The figures here are made up."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engines.catalog import STARTER, Choice
from agent.errors import ModelMissing
from agent.memory import Gpu, Ram
from scripts.gpu_checks import page_cache, report, subjects
from scripts.gpu_checks.abilities import Ability, Skipped, ability, why_no_gpu, why_not
from scripts.gpu_checks.loading import Life, Measured
from scripts.gpu_checks.subjects import Given, Subject
from scripts.gpu_checks.swapping import HandOver, footprint_mib, room_for_one, why_no_swap
from tests.fake_nvml import FakeGpu, FakeNvml, install

LIFE = Life(
    load_seconds=2.0,
    own_mib=900,
    difference_mib=950,
    first_seconds=0.05,
    worked_mib=1000,
    ended_seconds=0.1,
    back_seconds=0.2,
    left_mib=0,
)


def measured(organ="mind", cold=LIFE, warm=(LIFE,), *, small=False, dropped="the whole page cache"):
    subject = Subject(organ, Choice("engine", "module:Class", {"model": "/models/m"}), "library 1.0", small=small)
    return Measured(subject, f"{organ}'s engine", dropped, cold, warm)


def row(table, told):
    return next(line for line in table.splitlines() if line.startswith(f"| {told} |"))


# --- what is skipped, and why ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("organ", ["mind", "stt", "voice"])
def test_an_engine_that_finds_no_gpu_is_skipped_on_one_with_what_to_do(organ):
    reason = why_not(organ, Ability("library 1.0"), on_gpu=True)
    assert reason.startswith("library 1.0 finds no GPU that it can use: ")
    assert ("-DGGML_CUDA=on" in reason) == (organ == "mind")


@pytest.mark.parametrize(
    ("found", "on_gpu", "reason"),
    [
        (Ability("library 1.0", finds_gpu=True), True, ""),
        (Ability("library 1.0"), False, ""),
        (Ability(missing="not here"), False, "not here"),
        (Ability(missing="not here"), True, "not here"),
    ],
)
def test_an_engine_is_measured_where_its_libraries_can_compute(found, on_gpu, reason):
    assert why_not("mind", found, on_gpu=on_gpu) == reason


@pytest.mark.parametrize(
    ("library", "gpu", "reason"),
    [
        (None, 0, "NVIDIA's driver knows none, or is not here"),
        (FakeNvml(), 0, "NVIDIA's driver knows none, or is not here"),
        (FakeNvml(FakeGpu()), -1, "--gpu -1 asks for none"),
        (FakeNvml(FakeGpu(mig=True)), 0, "its memory cannot be read: it is divided by MIG"),
    ],
)
def test_why_there_is_no_gpu_is_said(monkeypatch, library, gpu, reason):
    install(monkeypatch, library)
    assert why_no_gpu(gpu) == reason


def test_without_its_interpreter_an_engine_is_not_installed():
    assert ability("voice", "/nowhere/python", {}).missing.endswith("./scripts/setup coqui installs them")


@pytest.fixture
def interpreter(tmp_path):
    """A program in the place of an interpreter: what it writes, and the status it ends with."""

    def make(writes: str, status: int = 0) -> str:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\necho noise of a library\n{writes}\nexit {status}\n")
        path.chmod(0o700)
        return str(path)

    return make


def test_what_the_probe_says_last_is_taken(interpreter):
    python = interpreter(f"echo '{json.dumps({'versions': 'torch 2', 'finds_gpu': True})}'")
    assert ability("voice", python, {}) == Ability("torch 2", finds_gpu=True)


def test_the_probe_sees_the_gpu_that_the_worker_will_see(interpreter):
    python = interpreter("""echo "{\\"versions\\": \\"$CUDA_VISIBLE_DEVICES\\"}" """)
    assert ability("stt", python, {"CUDA_VISIBLE_DEVICES": "GPU-a"}).versions == "GPU-a"


def test_a_probe_that_crashes_is_told_with_its_last_words(interpreter):
    python = interpreter("echo first >&2; echo libcudart.so.12: not found >&2", status=134)
    missing = "its libraries cannot be imported (exit status 134, libcudart.so.12: not found)"
    assert ability("mind", python, {}).missing == missing


def test_the_real_llama_cpp_answers_for_itself():
    import llama_cpp

    found = ability("mind", "", {"CUDA_VISIBLE_DEVICES": "-1"})
    assert found.versions == f"llama-cpp-python {llama_cpp.__version__}"
    assert not found.finds_gpu


def test_mind_and_voice_are_swapped_only_if_both_take_memory():
    nothing = replace(LIFE, own_mib=0, difference_mib=0)
    voice = measured("voice")
    assert why_no_swap([measured("stt"), voice]) == "no mind was measured"
    assert why_no_swap([measured("mind")]) == "no voice was measured"
    reason = "the voice takes nothing of this memory, so the two always fit together"
    assert why_no_swap([measured("mind"), measured("voice", nothing, (nothing,))]) == reason
    assert why_no_swap([measured("mind"), voice]) == ""


@pytest.mark.parametrize(("mind", "voice"), [(5000, 3000), (3000, 5000), (40, 97), (700, 700), (1, 4000)])
def test_a_budget_for_one_has_room_for_either_and_not_for_both(mind, voice):
    assert max(mind, voice) <= room_for_one(mind, voice) < mind + voice


def test_a_footprint_is_the_most_that_was_seen_and_by_difference_where_the_process_is_not_told():
    assert footprint_mib(measured(warm=(replace(LIFE, own_mib=940),))) == 940
    untold = replace(LIFE, own_mib=None)
    assert footprint_mib(measured(cold=untold, warm=(untold,))) == 950


# --- which models ---------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Every engine's libraries, no model but the starter, and scripts that make no model but say that they were asked."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(
        subjects, "ability", lambda _organ, _python, _environment: Ability("library 1.0", finds_gpu=True)
    )
    files = {"make_tiny_whisper.py": "model.bin", "make_tiny_xtts.py": "speakers_xtts.pth"}

    def make(script, path, _python=""):
        path.mkdir(exist_ok=True)
        (path / files[script]).touch()
        return path

    monkeypatch.setattr(subjects, "_make", make)
    return tmp_path


@pytest.mark.parametrize("on_gpu", [True, False])
def test_where_no_model_is_small_ones_are_taken_and_called_so(installed, on_gpu):
    found, skipped = subjects.subjects(Given(), {}, installed, on_gpu=on_gpu)
    assert skipped == []
    assert [(one.organ, one.model, one.small) for one in found] == [
        ("mind", STARTER, True),
        ("stt", installed / "tiny-whisper", True),
        ("voice", installed / "tiny-xtts", True),
    ]
    mind, stt, voice = (one.choice.settings for one in found)
    assert mind["gpu_layers"] == (-1 if on_gpu else 0)
    assert stt["device"] == voice["device"] == ("cuda" if on_gpu else "cpu")


def test_a_model_of_ones_own_is_not_called_small(installed):
    model = installed / "model.gguf"
    model.touch()
    found, _skipped = subjects.subjects(Given(mind=str(model)), {}, installed, on_gpu=True)
    assert (found[0].model, found[0].small) == (model, False)


def test_a_model_that_was_given_and_is_not_there_is_no_reason_to_take_another(installed):
    with pytest.raises(ModelMissing, match="nowhere"):
        subjects.subjects(Given(stt="nowhere"), {}, installed, on_gpu=False)


def xtts(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "speakers_xtts.pth").touch()
    return folder


def test_xtts_weights_are_not_loaded_before_their_licence_is_agreed_to(installed):
    given = Given(voice=str(xtts(installed / "xtts")))
    found, skipped = subjects.subjects(given, {}, installed, on_gpu=True)
    assert [one.organ for one in found] == ["mind", "stt"]
    assert [one.what for one in skipped] == ["XTTS"]
    assert "--coqui-licence" in skipped[0].why
    found, skipped = subjects.subjects(given._replace(coqui_licence=True), {}, installed, on_gpu=True)
    assert (found[-1].model, found[-1].small, skipped) == (installed / "xtts", False, [])


def test_weights_in_the_models_directory_wait_for_their_licence_too(installed):
    here = xtts(installed / "data" / "parley" / "models" / "xtts")
    found, _skipped = subjects.subjects(Given(), {}, installed, on_gpu=True)
    assert found[-1].model == installed / "tiny-xtts"
    found, _skipped = subjects.subjects(Given(coqui_licence=True), {}, installed, on_gpu=True)
    assert found[-1].model == here


@pytest.mark.parametrize("on_gpu", [True, False])
def test_without_xtts_the_built_in_voice_stands_in_for_it_where_it_takes_memory(installed, monkeypatch, on_gpu):
    def only_ours(organ, _python, _environment):
        return Ability(missing="not here") if organ == "voice" else Ability("library 1.0", finds_gpu=True)

    monkeypatch.setattr(subjects, "ability", only_ours)
    found, skipped = subjects.subjects(Given(), {}, installed, on_gpu=on_gpu)
    assert skipped == [Skipped("XTTS", "not here")]
    assert [one.choice.engine for one in found[2:]] == ([] if on_gpu else ["espeak"])


# --- the page cache -------------------------------------------------------------------------------------------------


def test_root_drops_the_whole_page_cache(tmp_path):
    everything = tmp_path / "drop_caches"
    assert page_cache.drop(tmp_path, everything) == "the whole page cache"
    assert everything.read_text() == "1\n"


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no posix_fadvise")
def test_who_is_not_root_drops_the_files_of_the_model(tmp_path, monkeypatch):
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (model / name).write_text("weights")
    dropped = []
    monkeypatch.setattr(os, "posix_fadvise", lambda descriptor, *_rest: dropped.append(os.fstat(descriptor).st_ino))
    assert page_cache.drop(model, tmp_path / "no" / "drop_caches").startswith("the model's files only")
    assert sorted(dropped) == sorted((model / name).stat().st_ino for name in ("a", "deep/b"))


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_title_says_whether_there_was_a_gpu(monkeypatch):
    assert report.title(Ram()) == "On the processor, in RAM, without a GPU"
    install(monkeypatch, FakeNvml(FakeGpu()))
    assert report.title(Gpu(0)) == "On GPU 0 (NVIDIA GeForce RTX 3060)"


@pytest.mark.parametrize("seen", ["no GPU", "an NVIDIA GPU (not used)"])
def test_the_machine_is_told_with_the_gpu_and_its_driver(monkeypatch, seen):
    monkeypatch.setattr(
        report.figures, "machine", lambda: f"8-core machine (Some Processor), {seen}, Linux, Python 3.12.1"
    )
    install(monkeypatch, FakeNvml(FakeGpu()))
    told = "8-core machine (Some Processor), NVIDIA GeForce RTX 3060, driver 580.95.05, NVML 13.580.95.05, Linux, Python 3.12.1"
    assert report.machine(Gpu(0)) == told
    assert report.machine(Ram()) == f"8-core machine (Some Processor), {seen}, Linux, Python 3.12.1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--write", "docs/gpu.md"], "scripts/gpu_check --write docs/gpu.md"),
        (["--mind", "/home/me/models/a.gguf"], "scripts/gpu_check --mind a.gguf"),
        (["--stt=/home/me/whisper/", "--voice", "~/xtts"], "scripts/gpu_check --stt=whisper --voice xtts"),
    ],
)
def test_the_command_is_told_without_where_files_lie(arguments, told):
    assert report.command(arguments) == told


def test_a_row_has_the_median_and_the_range_of_each_engine():
    warm = tuple(replace(LIFE, load_seconds=seconds) for seconds in (1.0, 3.0, 1.5))
    slow = replace(LIFE, load_seconds=9.0)
    table = report.body([measured("mind", slow, warm), measured("voice")], {}, [], [], Ram())
    assert row(table, "load, cold, s") == "| load, cold, s | 9.00 | 2.00 |"
    assert row(table, "load, warm, s") == "| load, warm, s | 1.50 (1.00–3.00) | 2.00 |"  # noqa: RUF001  # a range
    assert row(table, "first result") == "| first result | first token | first sound |"


def test_memory_that_the_driver_does_not_tell_and_memory_that_is_not_back_are_called_so():
    untold = replace(LIFE, own_mib=None, back_seconds=None)
    table = report.body([measured(cold=untold)], {}, [], [], Ram())
    assert row(table, "loaded: its processes, MiB") == "| loaded: its processes, MiB | not told |"
    assert row(table, "loaded: less is free than before, MiB").endswith("| 950 |")
    assert "| 0.200; 1 of 2 times not within 5 s |" in row(table, "its memory seen back after that, s")
    table = report.body([measured(cold=untold, warm=(untold,))], {}, [], [], Ram())
    assert "| 2 of 2 times not within 5 s |" in row(table, "its memory seen back after that, s")


def test_a_swap_is_told_in_its_parts_and_its_loads_are_counted():
    made = [
        HandOver(to="voice", waited_seconds=3.0, load_seconds=2.5, first_seconds=0.25),
        HandOver(to="mind", waited_seconds=0.001, load_seconds=0.0, first_seconds=0.02),
    ]
    table = report.body([], {"room for one": made}, [], [], Ram())
    voice = "| room for one, to the voice | 3.00 | 0.500 | 2.50 | 0.250 | 3.25 | 1 / 1 |"
    mind = "| room for one, to the mind | 0.001 | 0.001 | 0.000 | 0.020 | 0.021 | 0 / 1 |"
    assert [row(table, "room for one, to the voice"), row(table, "room for one, to the mind")] == [voice, mind]


def test_what_is_small_what_was_skipped_and_what_failed_is_said(monkeypatch):
    install(monkeypatch, FakeNvml(FakeGpu()))
    skipped, failed = [Skipped("XTTS", "not here")], [Skipped("stt", "it crashed")]
    text = report.body([measured(small=True), measured("voice", dropped="nothing")], {}, skipped, failed, Gpu(0))
    assert "- mind: mind's engine (library 1.0); **a small model**" in text
    assert "- voice: voice's engine (library 1.0)\n" in text
    assert "as NVML tells" in text
    assert "the whole page cache (mind); nothing (voice)" in text
    assert text.endswith("Skipped:\n\n- XTTS: not here\n\nFailed:\n\n- stt: it crashed")


def test_where_all_is_skipped_the_report_is_the_list_of_that():
    assert report.body([], {}, [Skipped("XTTS", "not here")], [], Ram()) == "Skipped:\n\n- XTTS: not here"


def test_a_document_keeps_the_sections_of_other_machines(tmp_path):
    document = tmp_path / "docs" / "gpu.md"
    report.write(document, "On GPU 0 (A)", "## On GPU 0 (A)\n\none\n")
    report.write(document, "On GPU 0 (B)", "## On GPU 0 (B)\n\ntwo\n")
    report.write(document, "On GPU 0 (A)", "## On GPU 0 (A)\n\nthree\n")
    text = document.read_text()
    assert text.startswith("# On a GPU\n\nWhat `scripts/gpu_check` measured")
    assert [line for line in text.splitlines() if line in {"one", "two", "three"}] == ["three", "two"]
