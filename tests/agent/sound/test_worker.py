"""The sound worker's engine in real time, on files."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from msgspec import Struct

from agent.engines.api import Frame
from agent.errors import DeviceError, EngineFailed
from agent.sound.api import Close, Exhausted, Finish, Open, Play, PlaybackEnded, PlaybackStarted, SoundRequest, Stop
from agent.sound.frame import from_bytes, to_bytes
from agent.sound.worker import SoundEngine

NOISE = np.random.default_rng(13).integers(-9000, 9000, 4_000, dtype=np.int16)


class Worker:
    """An engine and the notes it sends."""

    def __init__(self, **settings: Any):
        self.engine = SoundEngine(settings)
        self.sent: queue.Queue[Struct] = queue.Queue()
        self.notes: list[Any] = []

    def load(self) -> str:
        return self.engine.load(self.sent.put).engine

    def ask(self, request: SoundRequest) -> None:
        assert list(self.engine.handle(request, lambda: False)) == []

    def until(self, arrived: Callable[[Any], bool]) -> Any:
        """Read notes up to the one that is meant."""
        while True:
            note = self.sent.get(timeout=20)
            self.notes.append(note)
            if arrived(note):
                return note


@pytest.fixture
def files(tmp_path: Path):
    soundfile.write(tmp_path / "in.wav", NOISE, 16_000)
    return {"microphone": f"wav:{tmp_path / 'in.wav'}", "loudspeaker": f"wav:{tmp_path / 'out.wav'}"}


def test_a_conversation_on_files_keeps_one_time_line(files: dict[str, str], tmp_path: Path):
    worker = Worker(**files)
    facts = worker.load()
    assert "in.wav" in facts
    assert "echo cancelled" in facts
    worker.ask(Open())
    first = worker.until(lambda note: isinstance(note, Frame))
    worker.ask(Play(turn=1, samples=to_bytes(NOISE[:2000])))
    began = worker.until(lambda note: isinstance(note, PlaybackStarted))
    worker.ask(Finish(turn=1))
    worker.until(lambda note: isinstance(note, PlaybackEnded))
    worker.until(lambda note: isinstance(note, Exhausted))
    worker.ask(Stop(turn=2))
    worker.until(lambda note: note == PlaybackEnded(turn=2, samples_played=0, stopped=True))
    worker.ask(Close())
    worker.engine.close()
    frames = [note for note in worker.notes if isinstance(note, Frame)]
    assert [frame.position for frame in frames] == [512 * k for k in range(len(frames))]
    assert np.array_equal(from_bytes(first.samples), NOISE[:512])
    played, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    started = round((began.started_at - first.captured_at) * 16_000) + 512
    assert not played[:started].any()
    assert np.array_equal(played[started : started + 2000], NOISE[:2000])


@pytest.mark.parametrize("broken", ["microphone", "loudspeaker"])
def test_a_device_that_cannot_be_used_fails_the_load_with_its_own_error(files: dict[str, str], broken: str):
    worker = Worker(**{**files, broken: "wav:/nowhere/at/all.wav"})
    with pytest.raises(DeviceError, match=r"wav:/nowhere/at/all\.wav"):
        worker.load()
    worker.engine.close()
    with pytest.raises(EngineFailed):
        worker.ask(Open())


def test_half_a_sample_is_refused_before_it_reaches_the_device(files: dict[str, str]):
    worker = Worker(**files)
    worker.load()
    with pytest.raises(EngineFailed, match="half a sample"):
        worker.ask(Play(turn=1, samples=b"abc"))
    worker.engine.close()


def test_headphones_need_no_canceller(files: dict[str, str]):
    worker = Worker(**files, echo="headphones")
    assert "echo left in" in worker.load()
    worker.engine.close()
