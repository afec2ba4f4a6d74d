"""A PulseAudio of its own with no hardware: `spk` takes what Parley plays, `virtmic` is the microphone it hears.

The fixture `pulse` starts it and points ALSA's default device at it, so that PyAudio goes through it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

SAMPLE_RATE = 16_000
PATIENCE_SECONDS = 20
# A null sink that can rewind plays in blocks of two seconds; without rewinds in blocks of 50 ms, as a card does.
MODULES = (
    "module-native-protocol-unix auth-anonymous=1",
    "module-null-sink sink_name=spk rate=48000 norewinds=1",
    "module-null-sink sink_name=mic rate=48000 norewinds=1",
    "module-remap-source master=mic.monitor source_name=virtmic",
)
ALSA = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"
RAW = ("--raw", "--format=s16le", f"--rate={SAMPLE_RATE}", "--channels=1", "--latency-msec=20")


class Recording:
    """What a source delivers, from the construction to `stop`."""

    def __init__(self, env: dict[str, str], source: str):
        self._parec = subprocess.Popen(["parec", f"--device={source}", *RAW], env=env, stdout=subprocess.PIPE)
        self._bytes = bytearray()
        self._begun = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._begun.wait(PATIENCE_SECONDS), "parec recorded nothing"

    def stop(self) -> npt.NDArray[np.int16]:
        """Everything, 16 kHz mono."""
        self._parec.terminate()
        self._reader.join(PATIENCE_SECONDS)
        self._parec.wait(PATIENCE_SECONDS)
        return np.frombuffer(bytes(self._bytes[: len(self._bytes) // 2 * 2]), dtype=np.int16)

    def _read(self) -> None:
        assert self._parec.stdout is not None
        with self._parec.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 4096):
                self._bytes += chunk
                self._begun.set()


class Pulse:
    """The running server."""

    def __init__(self, env: dict[str, str]):
        self.env = env
        """The environment in which a process hears `virtmic` and plays to `spk`, also through PyAudio."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this process such a process."""
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)

    def speak(self, wav: Path, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Play a WAV file into the virtual microphone."""
        process = subprocess.Popen(["paplay", "--device=mic", "--latency-msec=20", str(wav)], env=self.env)
        if wait:
            assert process.wait(PATIENCE_SECONDS + 600) == 0
        return process

    def record(self, source: str = "spk.monitor") -> Recording:
        """Record what Parley plays."""
        return Recording(self.env, source)

    def pactl(self, *arguments: str) -> str:
        """Run pactl; what it prints."""
        return subprocess.run(["pactl", *arguments], env=self.env, check=True, capture_output=True, text=True).stdout

    def echo(self, latency_ms: int = 60) -> str:
        """Let the loudspeaker be heard by the microphone; the number for `pactl unload-module`."""
        route = ("source=spk.monitor", "sink=mic", f"latency_msec={latency_ms}")
        return self.pactl("load-module", "module-loopback", *route).strip()


def environment(home: Path) -> dict[str, str]:
    """Everything PulseAudio and ALSA look at, under `home`."""
    alsa = home / "asound.conf"
    alsa.write_text(ALSA)
    pulse = {
        "XDG_RUNTIME_DIR": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PULSE_RUNTIME_PATH": str(home / "pulse"),
        "PULSE_SERVER": f"unix:{home / 'pulse' / 'native'}",
        "PULSE_SOURCE": "virtmic",
        "PULSE_SINK": "spk",
        "ALSA_CONFIG_PATH": str(alsa),
    }
    return {**os.environ, **pulse}


def start(env: dict[str, str]) -> subprocess.Popen[str]:
    """The server, ready."""
    options = ("-n", "-v", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes")
    modules = [part for module in MODULES for part in ("-L", module)]
    server = subprocess.Popen(["pulseaudio", *options, *modules], env=env, stderr=subprocess.PIPE, text=True)
    ready = threading.Event()

    def read() -> None:
        assert server.stderr is not None
        with server.stderr as lines:
            for line in lines:
                if "startup complete" in line:
                    ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(PATIENCE_SECONDS):
        server.kill()
        pytest.fail("pulseaudio did not start; is it installed?")
    return server


@pytest.fixture(scope="module")
def pulse() -> Iterator[Pulse]:
    """A server for the tests of one module."""
    # The path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="pulse-", dir="/tmp") as home:
        env = environment(Path(home))
        server = start(env)
        yield Pulse(env)
        server.terminate()
        server.wait(PATIENCE_SECONDS)
