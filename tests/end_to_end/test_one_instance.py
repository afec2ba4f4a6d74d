"""One companion at a time, and what can be asked of it from another terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conversation import record
from tests.end_to_end.companion import Companion, new_home


@pytest.fixture(scope="module")
def companion() -> Iterator[Companion]:
    """One that listens to silence."""
    with new_home() as home:
        record([], tail_seconds=2.0).write(home.folder / "in.wav")
        files = ("--microphone", f"wav:{home.folder}/in.wav", "--loudspeaker", f"wav:{home.folder}/out.wav")
        with Companion(home, "run", *files) as running:
            yield running.is_ready()


def test_a_second_one_says_who_runs_and_disturbs_nobody(companion: Companion):
    family = companion.home.family()
    second = companion.home.parley("run", "--microphone", "wav:in.wav", "--loudspeaker", "wav:other.wav")
    assert second.returncode == 5
    assert f"Parley already runs (pid {companion.process.pid}, since " in second.stderr
    assert "parley stop" in second.stderr
    assert companion.home.family() == family
    assert not (companion.home.folder / "other.wav").exists()


def test_a_typed_turn_is_answered_word_for_word_as_it_is_spoken(companion: Companion):
    before = companion.count()
    asked = companion.home.parley("ask", "what", "is", "your", "name")
    assert (asked.returncode, asked.stderr) == (0, "")
    prompt = companion.wait_for("PromptIssued", after=before)
    assert prompt["heard"] == "what is your name"
    spoken = companion.wait_for("SpeakingEnded", after=before, turn=prompt["turn"])
    assert asked.stdout.split() == spoken["spoken"].split() != []


def test_a_text_is_said_as_it_is(companion: Companion):
    before = companion.count()
    assert companion.home.parley("say", "The soup is ready.").returncode == 0
    assert companion.wait_for("SpeakingEnded", after=before)["spoken"] == "The soup is ready."


def test_it_tells_why_it_is_silent(companion: Companion):
    in_force = [event for event in companion.events() if event["event"] == "Decided"][-1]
    why = companion.home.parley("why")
    assert why.returncode == 0
    assert in_force["reason"] in why.stdout
    assert len(companion.home.parley("why", "3").stdout.splitlines()) >= 3


def test_muted_it_says_so_and_hears_again_afterwards(companion: Companion):
    before = companion.count()
    assert "closed" in companion.home.parley("mute").stdout
    companion.wait_for("MuteChanged", after=before, muted=True)
    assert "muted" in companion.home.parley("status").stdout
    assert "open" in companion.home.parley("unmute").stdout
    companion.wait_for("MuteChanged", after=before, muted=False)
    status = companion.home.parley("status").stdout
    assert "open" in status
    assert str(companion.process.pid) in status
    for model in ("stt", "mind", "voice"):
        assert model in status


def test_asked_for_nothing_it_does_nothing(companion: Companion):
    for command in ("say", "ask"):
        empty = companion.home.parley(command, " ")
        assert empty.returncode == 1
        assert "give a text" in empty.stderr


def test_stop_returns_when_it_has_ended(companion: Companion):
    stopped = companion.home.parley("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "Parley has ended.\n")
    assert companion.ends() == 0
    companion.leaves_nobody()
    companion.closes_what_it_opened()
    assert companion.home.parley("status").returncode == 6
