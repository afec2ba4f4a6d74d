"""The first minute with it: nothing set up, no sound card, and settings with mistakes in them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.end_to_end.companion import Companion, Home, new_home

NO_SOUND = {"PULSE_SERVER": "unix:/nonexistent"}
CARDS = Path("/dev/snd")


@pytest.fixture
def home() -> Iterator[Home]:
    with new_home() as made:
        yield made


@pytest.mark.skipif(CARDS.exists(), reason="there is a sound card, and it would listen to the room")
def test_without_a_sound_device_it_says_so_and_holds_the_demo(home: Home):
    with Companion(home, "run", **NO_SOUND) as companion:
        companion.wait_for("CompanionStarted")
        companion.wait_for("UtteranceHeard")
        companion.wait_for("SpeakingStarted")
        assert "the built-in demo conversation instead" in companion.terminal.read_text()
        companion.interrupt()
        assert companion.ends(20.0) == 0
        companion.leaves_nobody()
        companion.closes_what_it_opened()
        assert stat.S_IMODE(companion.journal.stat().st_mode) == 0o600
    recording, _rate = soundfile.read(home.folder / "parley-demo.wav", always_2d=True)
    assert recording.shape[1] == 2
    assert abs(recording).max() > 0.1


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        (("--set", "voice.sped=1.2"), 2, ("voice.sped", "speed")),
        (("--set", "mind.context_tokens=many"), 2, ("mind.context_tokens",)),
        (("--personality", "nobody"), 2, ("nobody", "parley")),
        (("--set", "mind.model=no-such-model"), 3, ("no-such-model",)),
        (("--set", "stt.engine=faster_whisper", "--set", "stt.model=no-such-model"), 3, ("no-such-model",)),
    ],
    ids=["unknown setting", "ill-typed", "personality", "language model", "speech model"],
)
def test_a_mistake_is_told_in_a_line_with_what_was_meant(
    home: Home, settings: tuple[str, ...], status: int, words: tuple[str, ...]
):
    ended = home.parley("run", *settings, **NO_SOUND)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    told = ended.stderr[ended.stderr.index("parley: ") :]
    for word in words:
        assert word in told
    assert not home.family()


@pytest.mark.parametrize("option", ["--microphone", "--loudspeaker"])
def test_a_device_that_was_asked_for_by_name_is_told_to_be_missing_instead_of_holding_the_demo(home: Home, option: str):
    ended = home.parley("run", option, "No Such Device", **NO_SOUND)
    assert ended.returncode == 4, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("parley: ")
    assert "Traceback" not in ended.stderr
    assert not list(home.folder.glob("parley-demo*"))


def test_a_mistake_in_the_file_is_told_with_its_place(home: Home):
    config = home.folder / "config.toml"
    config.write_text('[sound]\nmicrofone = "default"\n')
    ended = home.parley("run", **NO_SOUND)
    assert ended.returncode == 2
    for words in (str(config.name), "sound.microfone", "microphone"):
        assert words in ended.stderr
