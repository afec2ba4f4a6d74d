"""The real program as a process of its own: started with its own directories, watched by its journal, ended for certain.

Nothing here sleeps for a guess: a test waits for a line of the journal, a process or an exit status, and fails with the
end of the journal and of the terminal log if that does not come.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from agent.clock import monotonic

T = TypeVar("T")
Event = dict[str, Any]

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0
"""For what has no bound of its own: long enough for a machine with other work."""
ENDED_SECONDS = 5.0
"""How long the companion may take to end when asked to."""
ORPHAN_SECONDS = 2.0
"""How long anything may outlive a companion that was killed."""
_LOOK_SECONDS = 0.02
_MARK = "COMPANION_UNDER_TEST"
"""In the environment of everything that a companion starts, however it is started."""
_CLOSERS = {"ReplyFinished", "ReplyDeclined", "ReplyFailed", "HushIssued"}


class Unseen(AssertionError):
    """What was waited for did not come."""


def until(happens: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """What `happens` gives as soon as it gives anything. Raises Unseen."""
    end = monotonic() + seconds
    while True:
        found = happens()
        if found is not None and found is not False:
            return found
        if monotonic() > end:
            raise Unseen(f"not within {seconds:g} s: {what}")
        threading.Event().wait(_LOOK_SECONDS)


class Home:
    """Directories of its own for a companion, and the environment that names them."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        """`environment` is what else the companion sees; its own settings are left out."""
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self._environment = environment

    def environment(self, **more: str) -> dict[str, str]:
        """For the companion, and for the commands that talk to it."""
        kept = {name: value for name, value in self._environment.items() if not name.startswith("PARLEY_")}
        places = {
            "HOME": self._folder("home"),
            "XDG_CONFIG_HOME": self._folder("config"),
            "XDG_STATE_HOME": self._folder("state"),
            "XDG_DATA_HOME": self._folder("data"),
            "XDG_RUNTIME_DIR": self._folder("run"),
        }
        return {**kept, **places, "PYTHONPATH": str(ROOT), _MARK: self.mark, **more}

    def parley(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Carry one command out to its end."""
        command = (sys.executable, "-m", "agent", *arguments)
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def family(self) -> dict[int, str]:
        """Every living process that a companion of this home started, itself included: number → command line."""
        return {pid: command for pid, command in _commands() if _is_marked(pid, self.mark)}

    def _folder(self, name: str) -> str:
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        return str(path)


class Companion:
    """`parley run` (or another command that lives for a while); a block that leaves no process behind."""

    def __init__(self, home: Home, *arguments: str, **environment: str) -> None:
        """Start it: `Companion(home, "run", "--microphone", …)`; the journal and the texts in it are asked for here."""
        self.home = home
        self.journal = home.folder / "journal.jsonl"
        self.terminal = home.folder / "terminal.log"
        self.journal.unlink(missing_ok=True)  # of another companion in the same home
        command = (sys.executable, "-m", "agent", *arguments, "--journal", str(self.journal), "--content", "everywhere")
        with self.terminal.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=home.folder,
                env=home.environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own, so that Ctrl+C can be typed to it alone
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever is left, gently or not."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in self.home.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # --- what it does -----------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """The journal so far, without the first line and without a line that is being written."""
        if not self.journal.exists():
            return []
        lines = [line for line in self.journal.read_text().split("\n")[1:-1] if line]
        return [json.loads(line) for line in lines]

    def wait_for(self, event: str, *, after: int = 0, seconds: float = PATIENCE_SECONDS, **fields: Any) -> Event:
        """The first such event after so many events. Raises Unseen with what was seen instead."""
        return self.wait_for_any((event,), after=after, seconds=seconds, **fields)

    def wait_for_any(
        self, events: tuple[str, ...], *, after: int = 0, seconds: float = PATIENCE_SECONDS, **fields: Any
    ) -> Event:
        """The first of these events after so many events."""

        def seen() -> Event | None:
            ended = self.process.poll() is not None
            for found in self.events()[after:]:
                if found["event"] in events and fields.items() <= found.items():
                    return found
            if ended:
                raise Unseen(f"the companion ended with {self.process.returncode}")
            return None

        try:
            return until(seen, f"{' or '.join(events)} {fields or ''}", seconds)
        except Unseen as unseen:
            raise Unseen(f"{unseen}\n{self.last_words()}") from None

    def count(self) -> int:
        """How many events there are; for `after`."""
        return len(self.events())

    def is_ready(self) -> Self:
        """Wait until it listens and all models are loaded, and its greeting is over."""
        self.wait_for("CompanionStarted")
        for model in ("stt", "voice", "mind"):
            self.wait_for("ModelLoaded", model=model)
        if any(event["event"] == "SayRequested" for event in self.events()):
            self.wait_for("SpeakingEnded")
        return self

    def asking(self, text: str) -> subprocess.Popen[str]:
        """`parley ask` on its way."""
        command = (sys.executable, "-m", "agent", "ask", text)
        pipe = subprocess.PIPE
        environment = {**self.home.environment(), _MARK: ""}  # it is none of the companion's processes
        return subprocess.Popen(command, cwd=self.home.folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def last_words(self) -> str:
        """The end of the journal and of the terminal log."""
        lines = [json.dumps(event) for event in self.events()[-25:]]
        log = self.terminal.read_text(errors="replace").splitlines()[-25:]
        return "\n".join(["--- journal", *lines, "--- terminal", *log])

    # --- its processes ----------------------------------------------------------------------------------------------

    def workers(self) -> dict[str, int]:
        """Its workers by name."""
        found = {}
        for pid, command in self.home.family().items():
            program, _, rest = command.partition("boot.py ")
            if program and rest:
                found[rest.split()[0]] = pid
        return found

    def worker(self, name: str) -> int:
        """The process of a worker, once it is there."""
        return until(lambda: self.workers().get(name), f"a {name} worker")

    def grandchild(self, program: str) -> int:
        """A process that a worker started, once it is there."""

        def found() -> int | None:
            return next((pid for pid, command in self.home.family().items() if command.startswith(program)), None)

        return until(found, f"a process of {program}")

    # --- its end ----------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Ctrl+C, as a terminal sends it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ends(self, seconds: float = ENDED_SECONDS) -> int:
        """The exit status; raises Unseen if it is not there in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unseen(f"it did not end within {seconds:g} s\n{self._left()}\n{self.last_words()}") from None

    def leaves_nobody(self, seconds: float = 0.0) -> None:
        """See that no process of its family lives `seconds` from now."""
        with contextlib.suppress(Unseen):
            until(lambda: not self.home.family() or None, "the end of all", seconds)
        assert not self.home.family(), self._left()

    def closes_what_it_opened(self) -> None:
        """See that every opener in the journal has exactly one closer."""
        assert_closed(self.events())

    def _left(self) -> str:
        return "\n".join(f"still there: {pid} {command}" for pid, command in self.home.family().items())


def assert_closed(events: list[Event]) -> None:
    """Every opener has exactly one closer."""
    count = Counter(event["event"] for event in events)
    heard = sum(event["event"] == "UtteranceHeard" and event["source"] == "voice" for event in events)
    assert count["SpeechStarted"] == heard + count["SpeechDiscarded"]
    prompts = Counter(event["turn"] for event in events if event["event"] == "PromptIssued")
    replies = Counter(_closed_turns(events))
    assert prompts == replies
    begun = Counter(event["turn"] for event in events if event["event"] == "SpeakingStarted")
    assert begun == Counter(event["turn"] for event in events if event["event"] == "SpeakingEnded")


def _closed_turns(events: list[Event]) -> Iterator[int]:
    """The turns of the closers of prompts; a hush after the reply was written closes only the speaking."""
    closed = set()
    for event in events:
        if event["event"] in _CLOSERS and not (event["event"] == "HushIssued" and event["turn"] in closed):
            closed.add(event["turn"])
            yield event["turn"]


@contextlib.contextmanager
def new_home(environment: Mapping[str, str] = os.environ) -> Iterator[Home]:
    """A home with a short path, because the path of a Unix socket must be short."""
    with tempfile.TemporaryDirectory(prefix="parley-", dir="/tmp") as folder:
        yield Home(Path(folder), environment)


def _commands() -> Iterator[tuple[int, str]]:
    """Every living process: number, command line. A process that has ended but was not reaped has no command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if command := (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                    yield int(entry.name), command


def _is_marked(pid: int, mark: str) -> bool:
    try:
        return f"{_MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
