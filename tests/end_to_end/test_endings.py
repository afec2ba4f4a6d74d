"""However it is ended, the companion ends soon, in order, and alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conversation import record
from tests.end_to_end.companion import ORPHAN_SECONDS, Companion, Home, new_home

LONG = "Once upon a time a very old clock lived in a tower by the sea, and nobody could remember who had built it."


@pytest.fixture
def home() -> Iterator[Home]:
    with new_home() as made:
        yield made


def companion(home: Home, *, spoken: bool = False) -> Companion:
    """On files: silence, or a sentence that soon begins."""
    microphone = home.folder / "in.wav"
    if spoken:
        record([(0.3, "Every morning I walk along the river until I am tired and the sun is high", "rms")]).write(
            microphone
        )
    else:
        silent(microphone)
    return Companion(home, "run", "--microphone", f"wav:{microphone}", "--loudspeaker", f"wav:{home.folder}/out.wav")


def silent(path: Path) -> None:
    """Two seconds; what comes after the end of a file is silence."""
    record([], tail_seconds=2.0).write(path)


def interrupt(running: Companion) -> None:
    running.interrupt()


def terminate(running: Companion) -> None:
    running.process.terminate()


def is_starting(home: Home) -> Companion:
    running = companion(home)
    running.worker("sound")
    return running


def is_listening(home: Home) -> Companion:
    return companion(home).is_ready()


def is_hearing(home: Home) -> Companion:
    running = companion(home, spoken=True)
    running.wait_for("SpeechStarted")
    return running


def is_thinking(home: Home) -> Companion:
    """With a mind that has stopped in the middle of a thought, so that it surely thinks."""
    running = companion(home).is_ready()
    os.kill(running.worker("mind"), signal.SIGSTOP)
    with running.asking("What do you think of rain?") as asking:
        running.wait_for("LeaseGranted", model="mind")
        asking.kill()
    return running


def is_speaking(home: Home) -> Companion:
    running = companion(home).is_ready()
    before = running.count()
    assert home.parley("say", LONG).returncode == 0
    running.wait_for("SpeakingStarted", after=before)
    return running


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (is_starting, interrupt),
        (is_starting, terminate),
        (is_listening, terminate),
        (is_hearing, interrupt),
        (is_thinking, interrupt),
        (is_thinking, terminate),
        (is_speaking, terminate),
    ],
)  # `scripts/soak endings` has the other pairs too
def test_asked_to_end_it_ends_in_time_and_in_order_whatever_it_does(
    home: Home, state: Callable[[Home], Companion], end: Callable[[Companion], None]
):
    with state(home) as running:
        end(running)
        assert running.ends() == 0, running.last_words()
        running.leaves_nobody()
        running.closes_what_it_opened()


def test_two_quick_ctrl_c_end_it_at_once_and_leave_nobody(home: Home):
    with is_speaking(home) as running:
        running.interrupt()
        running.interrupt()
        assert running.ends() in {0, 1}
        running.leaves_nobody(ORPHAN_SECONDS)


def test_killed_it_takes_its_workers_and_what_they_started_along(home: Home):
    with is_speaking(home) as running:
        os.kill(running.grandchild("espeak-ng"), signal.SIGSTOP)
        os.kill(running.worker("mind"), signal.SIGSTOP)
        assert running.workers().keys() == {"sound", "ear", "stt", "mind", "voice"}
        running.process.kill()
        running.process.wait()
        running.leaves_nobody(ORPHAN_SECONDS)
    with is_listening(home) as again:
        again.process.terminate()
        assert again.ends() == 0
