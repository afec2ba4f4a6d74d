"""The desk, on files and without waiting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from agent.engines.api import Frame
from agent.sound.api import Close, Exhausted, Finish, Open, Play, PlaybackEnded, PlaybackStarted, SoundNote, Stop
from agent.sound.desk import Desk
from agent.sound.echo import EchoCanceller
from agent.sound.frame import from_bytes, to_bytes
from agent.sound.reference import Reference
from agent.sound.timeline import TimeLine
from agent.sound.wav_file import WavLoudspeaker, WavMicrophone

NOISE = np.random.default_rng(5).integers(-9000, 9000, 32_000, dtype=np.int16)


@pytest.fixture(params=["headphones", "auto"])
def desk(request: pytest.FixtureRequest, tmp_path: Path):
    soundfile.write(tmp_path / "in.wav", NOISE, 16_000)
    line, reference = TimeLine(), Reference()
    canceller = EchoCanceller(reference) if request.param == "auto" else None
    desk = Desk(
        WavMicrophone(tmp_path / "in.wav", line),
        WavLoudspeaker(tmp_path / "out.wav", line, reference.played),
        canceller,
    )
    yield desk
    desk.close(0.0)


def run(desk: Desk, now: float, until: float) -> tuple[list[SoundNote], int]:
    """Do what is due, and count how often that is."""
    notes, wakes = list[SoundNote](), 0
    while (due := desk.due()) is not None and due <= until:
        now = max(now, due)
        notes += desk.advance(now)
        wakes += 1
    return notes, wakes


def test_frames_come_on_time_and_complete(desk: Desk):
    assert desk.take(Open(), 10.0) == []
    notes, wakes = run(desk, 10.0, 12.1)
    frames = [note for note in notes if isinstance(note, Frame)]
    assert wakes == len(frames) == 65
    assert [frame.position for frame in frames] == list(range(0, 65 * 512, 512))
    assert [frame.captured_at for frame in frames] == pytest.approx([10 + (k + 1) * 0.032 for k in range(65)])
    assert np.array_equal(np.concatenate([from_bytes(frame.samples) for frame in frames])[:32_000], NOISE)
    assert notes.count(Exhausted()) == 1


def test_nothing_is_due_when_nothing_is_open(desk: Desk):
    assert desk.due() is None
    desk.take(Open(), 10.0)
    desk.take(Close(), 10.1)
    assert desk.due() is None


def test_frames_stay_complete_while_parley_speaks(desk: Desk):
    desk.take(Open(), 10.0)
    desk.take(Play(turn=1, samples=to_bytes(NOISE[:16_000])), 10.0)
    desk.take(Finish(turn=1), 10.0)
    notes, _ = run(desk, 10.0, 13.0)
    frames = [note for note in notes if isinstance(note, Frame)]
    assert [frame.position for frame in frames] == list(range(0, 93 * 512, 512))
    assert [frame.captured_at for frame in frames] == pytest.approx([10 + (k + 1) * 0.032 for k in range(93)])


def test_the_loudspeaker_works_while_the_microphone_is_closed(desk: Desk):
    notes = desk.take(Play(turn=1, samples=to_bytes(NOISE[:1600])), 10.0)
    notes += desk.take(Finish(turn=1), 10.0)
    notes += run(desk, 10.0, 11.0)[0]
    assert notes == [
        PlaybackStarted(turn=1, started_at=10.0),
        PlaybackEnded(turn=1, samples_played=1600, stopped=False),
    ]


def test_a_stop_is_told_once_silence_is_there(desk: Desk):
    desk.take(Play(turn=1, samples=to_bytes(NOISE)), 10.0)
    desk.take(Stop(turn=1), 10.5)
    notes, _ = run(desk, 10.5, 10.52)
    assert notes == [PlaybackEnded(turn=1, samples_played=8256, stopped=True)]


def test_opening_twice_opens_once(desk: Desk):
    desk.take(Open(), 10.0)
    desk.take(Open(), 10.5)
    (frame, *_) = run(desk, 10.5, 10.6)[0]
    assert isinstance(frame, Frame)
    assert frame.position == 0
