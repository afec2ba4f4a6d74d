"""Someone speaks, is understood, and is answered without being interrupted: the real engines, files for devices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.conversation import record
from tests.end_to_end.companion import Companion, Home, assert_closed, new_home
from tests.end_to_end.held import QUIET_SECONDS, on_files
from tests.speech import SAMPLE_RATE, word_error_rate

SENTENCE = "where did you grow up"


@pytest.fixture
def home() -> Iterator[Home]:
    with new_home() as made:
        yield made


def run(home: Home, microphone: str) -> Companion:
    files = ("--microphone", f"wav:{home.folder}/{microphone}", "--loudspeaker", f"wav:{home.folder}/out.wav")
    return Companion(home, "run", *files, "--exit-after-silence", str(QUIET_SECONDS))


def spoken(gap_seconds: float = 1.5) -> npt.NDArray[np.float64]:
    """The sentence, between -1 and 1."""
    return record([(gap_seconds, SENTENCE, "rms")]).samples / 32768.0


def higher(samples: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    """The same sound at a higher rate, by straight lines."""
    moments = np.arange(round(len(samples) / SAMPLE_RATE * rate)) / rate
    return np.interp(moments, np.arange(len(samples)) / SAMPLE_RATE, samples)


def test_every_request_is_heard_and_answered_and_nobody_is_interrupted(home: Home):
    requests = (
        (6.0, "Can you help me with something?", "slt"),
        (6.5, "Do you like the rain?", "rms"),
        (6.5, "Tell me about your day.", "slt"),
    )
    held = on_files(home, requests)
    assert held.status == 0
    assert held.mean_word_error_rate < 0.25, held.verdict.texts
    assert None not in held.verdict.gaps, held.verdict
    assert held.verdict.overlap_seconds == 0.0
    assert_closed(held.events)


def test_44_khz_stereo_is_understood(home: Home):
    clip = higher(spoken(), 44_100)
    soundfile.write(home.folder / "in.wav", np.stack([clip, clip * 0.5], axis=1), 44_100, subtype="PCM_16")
    with run(home, "in.wav") as companion:
        heard = companion.wait_for("UtteranceHeard")
        assert word_error_rate(SENTENCE, heard["text"]) < 0.25
        companion.wait_for("SpeakingStarted", after=companion.events().index(heard))
        companion.process.terminate()
        assert companion.ends() == 0


def test_8_bit_cut_short_in_a_second_sentence_is_understood(home: Home):
    whole = home.folder / "whole.wav"
    soundfile.write(whole, np.concatenate([spoken(), spoken(3.0)]), SAMPLE_RATE, subtype="PCM_U8")
    (home.folder / "in.wav").write_bytes(whole.read_bytes()[: -SAMPLE_RATE * 3 // 2])
    with run(home, "in.wav") as companion:
        heard = companion.wait_for("UtteranceHeard")
        assert word_error_rate(SENTENCE, heard["text"]) < 0.25
        companion.wait_for("SpeakingStarted", after=companion.events().index(heard))
        companion.process.terminate()
        assert companion.ends() == 0
        companion.closes_what_it_opened()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"RIFX is not what this is, and it is no sound either", "is not a WAV file"),
        (b"", "is not a WAV file"),
        (
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\0\0\0",
            "holds no sound",
        ),
        (None, "is no file"),
    ],
    ids=["not a WAV", "empty file", "no samples", "no file"],
)
def test_what_is_no_recording_is_refused_in_one_line(home: Home, content: bytes | None, words: str):
    if content is not None:
        (home.folder / "in.wav").write_bytes(content)
    with run(home, "in.wav") as companion:
        assert companion.ends(60.0) == 4
        companion.leaves_nobody()
        told = [line for line in companion.terminal.read_text().splitlines() if line.startswith("parley: ")]
        assert len(told) == 1
        assert words in told[0]
        assert "in.wav" in told[0]
        assert "Traceback" not in companion.terminal.read_text()
