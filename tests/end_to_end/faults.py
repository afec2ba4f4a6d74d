"""Faults done to the workers of a running companion while they work, and what becomes of the turn.

The companion hears and speaks through PulseAudio, because there a request can be spoken at the moment that it is needed.
A worker that answers within milliseconds is stopped before the work comes, so that it is surely hit in the middle of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.clock import monotonic
from tests.conversation import record
from tests.end_to_end.companion import PATIENCE_SECONDS, Companion, Event, Home, Unseen, until
from tests.pulse import Pulse

Worker = Literal["sound", "ear", "stt", "mind", "voice"]
How = Literal["killed", "stopped"]

DEADLINES = {f"PARLEY_{name}__DEADLINE_SECONDS": "4" for name in ("STT", "MIND", "VOICE")}
"""How long a model may give no sign: shorter than by default, so that nobody waits for long."""
CALM = {"PARLEY_INITIATIVE__ENABLED": "false"}
REQUEST = "do you ever get lonely"
QUESTION = "What makes you happy?"
_GOOD, _BAD = ("SpeakingEnded", "UtteranceHeard"), ("ReplyFailed", "SpeakingFailed", "SpeechDiscarded", "ReplyDeclined")
_CRASHES_A_MINUTE = 3
"""A routine that crashes more than five times in a minute is left down, rightly."""
_ATTEMPTS = 8


@dataclass(frozen=True)
class Outcome:
    """What became of the turn that was hit, and of the one after it."""

    worker: Worker
    how: How
    closed_by: str
    """The event that told of the end of the turn."""
    words: str
    """What was told with it."""
    closed_seconds: float
    """From the fault to that event's line in the journal."""
    well_seconds: float
    """From the fault to the end of a whole turn that went well."""


class Patient:
    """A running companion to which things are done."""

    def __init__(self, companion: Companion, pulse: Pulse) -> None:
        self.companion = companion
        self._pulse = pulse
        self._clip = record([(0.2, REQUEST, "rms")], 0.3).write(companion.home.folder / "request.wav")

    def suffer(self, worker: Worker, how: How) -> Outcome:
        """Have the fault, and see the next turn go well. Raises Unseen if either does not come."""
        self._recover()
        before = self.companion.count()
        with self._work(worker, how):
            began = monotonic()
            end = self._end_of_turn(worker, before)
            closed_seconds = monotonic() - began
        self.goes_well(heard=worker in {"sound", "ear", "stt"})
        told = str(end.get("error") or end.get("detail") or ("interrupted" if end.get("interrupted") else ""))
        return Outcome(worker, how, end["event"], told, closed_seconds, monotonic() - began)

    def goes_well(self, *, heard: bool) -> None:
        """A whole turn: asked, answered, spoken to the end; and one by voice if `heard`."""
        if heard:
            self._is_heard()
        before = self.companion.count()
        with self.companion.asking(QUESTION) as asking:
            answer, complaint = asking.communicate(timeout=PATIENCE_SECONDS)
        if asking.returncode or not answer.strip():
            raise Unseen(f"no answer but {asking.returncode}: {complaint}\n{self.companion.last_words()}")
        turn = self._turn(before)
        self.companion.wait_for("SpeakingEnded", after=before, turn=turn, interrupted=False)

    def _is_heard(self) -> None:
        """Someone speaks until they are heard, for an ear that starts anew is deaf for some seconds."""
        for _ in range(_ATTEMPTS):
            before = self.companion.count()
            self._pulse.speak(Path(self._clip))
            with contextlib.suppress(Unseen):
                heard = self.companion.wait_for("UtteranceHeard", after=before, source="voice", seconds=6.0)
                after = self.companion.events().index(heard)
                turn = self.companion.wait_for("PromptIssued", after=after)["turn"]
                self.companion.wait_for("SpeakingEnded", after=after, turn=turn)
                return
        raise Unseen(f"nobody heard it, {_ATTEMPTS} times\n{self.companion.last_words()}")

    # --- one fault --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _work(self, worker: Worker, how: How) -> Iterator[None]:
        """Work for the worker is under way in the block, and it has been hit."""
        pid, before = self.companion.worker(worker), self.companion.count()
        with contextlib.ExitStack() as stack:
            if worker in {"stt", "mind", "voice"}:
                os.kill(pid, signal.SIGSTOP)
            if worker in {"ear", "stt"}:
                stack.callback(self._pulse.speak(Path(self._clip), wait=False).wait, PATIENCE_SECONDS)
            else:
                stack.callback(_let_go, self.companion.asking(QUESTION))
            if worker in {"stt", "mind", "voice"}:
                self.companion.wait_for("LeaseGranted", after=before, model=worker)
            else:
                self.companion.wait_for("SpeechStarted" if worker == "ear" else "SpeakingStarted", after=before)
            os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
            yield

    def _end_of_turn(self, worker: Worker, before: int) -> Event:
        if worker in {"ear", "stt"}:
            return self.companion.wait_for_any(("UtteranceHeard", "SpeechDiscarded"), after=before)
        return self.companion.wait_for_any((*_GOOD[:1], *_BAD, "HushIssued"), after=before, turn=self._turn(before))

    def _turn(self, before: int) -> int:
        return self.companion.wait_for("PromptIssued", after=before)["turn"]

    def _recover(self) -> None:
        """Wait until no routine has crashed so often of late that it would be given up."""
        begun = monotonic() - self.companion.events()[-1]["at"]  # at the latest

        def calm() -> bool:
            late = monotonic() - begun - 60.0
            crashes = [event for event in self.companion.events() if event["event"] == "RoutineCrashed"]
            often = Counter(event["routine"] for event in crashes if event["at"] > late)
            return max(often.values(), default=0) <= _CRASHES_A_MINUTE

        until(calm, "a calm minute")


@contextlib.contextmanager
def patient(home: Home, pulse: Pulse) -> Iterator[Patient]:
    """A companion that is ready for the worst."""
    with Companion(home, "run", **DEADLINES, **CALM) as companion:
        yield Patient(companion.is_ready(), pulse)


def _let_go(asking: subprocess.Popen[str]) -> None:
    asking.kill()
    asking.communicate()
