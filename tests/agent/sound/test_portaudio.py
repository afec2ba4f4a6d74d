"""PyAudio for real, through a PulseAudio without hardware."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from agent.engines.api import Frame
from agent.errors import DeviceError
from agent.sound.api import Close, Finish, Found, Lost, Open, Play, PlaybackEnded, PlaybackStarted
from agent.sound.frame import from_bytes, to_bytes
from agent.sound.portaudio import devices
from agent.sound.worker import SoundEngine
from tests.pulse import Pulse


def tone(hertz: float, seconds: float):
    return (np.sin(2 * np.pi * hertz * np.arange(round(seconds * 16_000)) / 16_000) * 8000).astype(np.int16)


def strongest_hertz(samples: Any) -> float:
    loud = samples[np.abs(samples) > 2000]
    assert len(loud) > 2000, "nothing was heard"
    middle = samples[np.flatnonzero(np.abs(samples) > 2000)[0] :][:8000]
    return float(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))))) * 16_000 / len(middle)


class Worker:
    """An engine and its notes."""

    def __init__(self, **settings: Any):
        self.notes: queue.Queue[Any] = queue.Queue()
        self.engine = SoundEngine(settings)
        self.facts = self.engine.load(self.notes.put).engine

    def ask(self, request: Any):
        list(self.engine.handle(request, lambda: False))

    def until(self, kind: type[Any]) -> Any:
        while not isinstance(note := self.notes.get(timeout=20), kind):
            pass
        return note


@pytest.fixture
def worker(pulse: Pulse, monkeypatch: pytest.MonkeyPatch):
    pulse.use(monkeypatch)
    worker = Worker(stall_seconds=0.4)
    yield worker
    worker.engine.close()


def test_a_tone_is_heard_and_a_tone_is_played(pulse: Pulse, worker: Worker, tmp_path: Path):
    soundfile.write(tmp_path / "user.wav", tone(600, 0.8), 16_000)
    assert '"default"' in worker.facts
    worker.ask(Open())
    worker.until(Frame)
    speaking = pulse.speak(tmp_path / "user.wav", wait=False)
    heard = np.concatenate([from_bytes(worker.until(Frame).samples) for _ in range(40)])
    assert speaking.wait(20) == 0
    assert strongest_hertz(heard) == pytest.approx(600, abs=5)

    recording = pulse.record()
    worker.ask(Play(turn=1, samples=to_bytes(tone(900, 0.6))))
    worker.ask(Finish(turn=1))
    began, ended = worker.until(PlaybackStarted), worker.until(PlaybackEnded)
    assert (began.turn, ended) == (1, PlaybackEnded(turn=1, samples_played=9600, stopped=False))
    worker.ask(Play(turn=2, samples=to_bytes(np.zeros(3200, dtype=np.int16))))
    worker.ask(Finish(turn=2))
    worker.until(PlaybackEnded)
    assert strongest_hertz(recording.stop()) == pytest.approx(900, abs=5)
    worker.ask(Close())


def test_a_microphone_that_falls_silent_is_lost_and_found(pulse: Pulse, worker: Worker):
    worker.ask(Open())
    worker.until(Frame)
    pulse.pactl("suspend-source", "virtmic", "1")
    assert worker.until(Lost) == Lost(device='microphone "default"', error="it stopped delivering")
    pulse.pactl("suspend-source", "virtmic", "0")
    worker.until(Found)
    worker.until(Frame)


def test_the_server_is_listed_and_a_name_that_is_not_there_is_refused(pulse: Pulse, monkeypatch: pytest.MonkeyPatch):
    pulse.use(monkeypatch)
    assert "default" in {device.name for device in devices()}
    with pytest.raises(DeviceError, match=r'no microphone "defualt".*did you mean "default"'):
        Worker(microphone="defualt")


@pytest.mark.skipif(Path("/dev/snd").exists(), reason="this machine has a sound device")
def test_a_machine_without_a_sound_device_says_so_and_alsa_says_nothing():
    load = "from agent.sound.worker import SoundEngine; SoundEngine({}).load(print)"
    env = {**os.environ, "PULSE_SERVER": "unix:/nowhere"}
    ended = subprocess.run([sys.executable, "-c", load], env=env, capture_output=True, text=True, check=False)
    assert "DeviceError: there is no microphone: this machine has no sound device" in ended.stderr.splitlines()[-1]
    assert "ALSA" not in ended.stderr
