"""A spoken conversation with the real program, on files or through PulseAudio, and what came of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tests.conversation import AUDIBLE, Recording, Verdict, compare, judge, record
from tests.end_to_end.companion import PATIENCE_SECONDS, Companion, Event, Home, Unseen, until
from tests.pulse import RAW, Pulse
from tests.speech import SAMPLE_RATE, Samples, Voice

Script = Sequence[tuple[float, str, Voice]]

QUIET_SECONDS = 4.0
"""Silence after which the companion ends the conversation."""
PULSE_QUIET_SECONDS = 6.0
"""The same where no end of a file tells when the user is done: so much longer than any pause of theirs."""


@dataclass(frozen=True)
class Held:
    """What came of it."""

    recording: Recording
    verdict: Verdict
    events: list[Event]
    status: int
    """How the companion ended."""

    @property
    def mean_word_error_rate(self) -> float:
        """Of all lines."""
        return sum(self.verdict.word_error_rates) / len(self.verdict.word_error_rates)


def on_files(home: Home, script: Script) -> Held:
    """WAV files stand in for both devices."""
    recording = record(script)
    theirs, ours = home.folder / "in.wav", home.folder / "out.wav"
    recording.write(theirs)
    files = ("--microphone", f"wav:{theirs}", "--loudspeaker", f"wav:{ours}")
    with Companion(home, "run", *files, "--exit-after-silence", str(QUIET_SECONDS)) as companion:
        status = companion.ends(len(recording.samples) / SAMPLE_RATE + PATIENCE_SECONDS)
        companion.leaves_nobody()
        return Held(recording, judge(recording, ours, companion.journal), companion.events(), status)


def on_pulse(home: Home, pulse: Pulse, script: Script) -> Held:
    """The default devices are PulseAudio's null sinks; both sides are recorded there."""
    recording = record(script)
    theirs = recording.write(home.folder / "in.wav")
    longest = max(gap for gap, _text, _voice in script) + PULSE_QUIET_SECONDS
    with Companion(home, "run", "--exit-after-silence", str(longest)) as companion:
        companion.is_ready()
        with Tape(pulse, "mic.monitor") as user, Tape(pulse, "spk.monitor") as parley:
            pulse.speak(theirs)
            status = companion.ends(len(recording.samples) / SAMPLE_RATE + PATIENCE_SECONDS)
        companion.leaves_nobody()
        # The user's first sample is the first that can be heard in a sink into which nobody else plays.
        zero = user.first_audible() - recording.lines[0].begins
        verdict = compare(recording, parley.since(zero), companion.events(), zero - _started(companion))
        return Held(recording, verdict, companion.events(), status)


def _started(companion: Companion) -> float:
    """The wall clock at second 0 of the journal."""
    header = json.loads(companion.journal.read_text().split("\n", 1)[0])
    return dt.datetime.fromisoformat(header["started"]).timestamp()


class Tape:
    """A recording of a monitor whose samples have a time of day, so that two tapes can be laid side by side."""

    def __init__(self, pulse: Pulse, source: str) -> None:
        """Begins when the block is entered."""
        self._pulse = pulse
        self._source = source
        self._bytes = bytearray()
        self._begun = float("inf")
        """When the first sample was played: of all pieces, the one that was least on its way tells best."""

    def __enter__(self) -> Self:
        command = ("parec", f"--device={self._source}", *RAW)
        self._parec = subprocess.Popen(command, env=self._pulse.env, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: bool(self._bytes), f"sound from {self._source}")
        return self

    def __exit__(self, *_: object) -> None:
        self._parec.terminate()
        self._reader.join(PATIENCE_SECONDS)
        self._parec.wait(PATIENCE_SECONDS)

    def first_audible(self) -> float:
        """The time of day of the first sound. Raises Unseen."""
        loud = np.flatnonzero(np.abs(self._samples().astype(np.int32)) > AUDIBLE)
        if not len(loud):
            raise Unseen(f"nothing to be heard from {self._source}")
        return self._begun + int(loud[0]) / SAMPLE_RATE

    def since(self, moment: float) -> Samples:
        """What was recorded from a time of day on."""
        skipped = round((moment - self._begun) * SAMPLE_RATE)
        lead = np.zeros(max(0, -skipped), dtype=np.int16)
        return np.concatenate([lead, self._samples()[max(0, skipped) :]])

    def _samples(self) -> Samples:
        return np.frombuffer(bytes(self._bytes[: len(self._bytes) // 2 * 2]), dtype=np.int16)

    def _read(self) -> None:
        assert self._parec.stdout is not None
        with self._parec.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 4096):
                self._bytes += chunk
                # The time of day, because the journal tells its own start by it.
                self._begun = min(self._begun, time.time() - len(self._bytes) / 2 / SAMPLE_RATE)
