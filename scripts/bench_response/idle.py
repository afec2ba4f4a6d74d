"""What the companion costs while it listens to silence: CPU and memory of its processes, from /proc."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench_response.stage import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 8.0
"""After everything is loaded and the greeting is over."""
_START_SECONDS = 120.0
_LISTENING = ("daemon", "sound", "ear")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at a process."""

    cpu_seconds: float
    wakeups: int
    """Voluntary context switches of all threads."""
    rss_mib: float
    anonymous_mib: float
    """Not backed by a file: heap and stacks."""
    threads: int


def measure(seconds: float, settings: Sequence[str]) -> str:
    """Run the daemon on a silent file and report; nothing is said to it."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name, _daemon(Path(name), seconds, settings) as daemon:
        _until_loaded(Path(name) / "journal.jsonl", daemon)
        print(f"all is loaded; listening to silence for {seconds:g} s", flush=True)
        time.sleep(_SETTLE_SECONDS)
        pids = {"daemon": daemon.pid, **_workers(daemon.pid)}
        before = {who: _read(pid) for who, pid in pids.items()}
        began = time.monotonic()
        time.sleep(seconds)
        after = {who: _read(pid) for who, pid in pids.items()}
        return _report(before, after, time.monotonic() - began)


@contextlib.contextmanager
def _daemon(folder: Path, seconds: float, settings: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
    """`parley run` on files, with directories of its own, so that it meets neither settings nor another companion."""
    silent = folder / "silence.wav"
    with wave.open(str(silent), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * int(seconds + _SETTLE_SECONDS + _START_SECONDS)))
    directories = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "STATE")}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARLEY_")}
    environment |= {**directories, "XDG_RUNTIME_DIR": str(folder)}
    command = [sys.executable, "-m", "agent", "run", "--microphone", f"wav:{silent}"]
    command += ["--loudspeaker", f"wav:{folder / 'out.wav'}", "--journal", str(folder / "journal.jsonl")]
    command += [part for setting in settings for part in ("--set", setting)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _until_loaded(journal: Path, daemon: subprocess.Popen[bytes]) -> None:
    """Wait until ear and models are there and the greeting has been said."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            raise SystemExit(f"the companion ended with {daemon.returncode}: {(journal.parent / 'log').read_text()}")
        events = [json.loads(line) for line in journal.read_text().splitlines()[1:]] if journal.exists() else []
        loaded = {event["model"] for event in events if event["event"] == "ModelLoaded"}
        if loaded >= {"stt", "mind", "voice"} and any(event["event"] == "SpeakingEnded" for event in events):
            return
        time.sleep(0.2)
    raise SystemExit(f"the companion was not ready in {_START_SECONDS:g} s")


def _workers(daemon: int) -> dict[str, int]:
    """Its child processes by the name that each carries as an argument."""
    found: dict[str, int] = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if process.name.isdigit() and int(_stat(process)[1]) == daemon:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
                boot = next(i for i, argument in enumerate(arguments) if argument.endswith(b"boot.py"))
                found[arguments[boot + 1].decode()] = int(process.name)
    return found


def _stat(process: Path) -> list[str]:
    """The fields of `stat` from the third on."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _read(pid: int) -> _Reading:
    process = Path(f"/proc/{pid}")
    fields = _stat(process)
    memory = _fields(process / "status")
    tasks = [_fields(task / "status") for task in (process / "task").iterdir()]
    return _Reading(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        wakeups=sum(task["voluntary_ctxt_switches"] for task in tasks),
        rss_mib=memory["VmRSS"] / 1024,
        anonymous_mib=memory["RssAnon"] / 1024,
        threads=len(tasks),
    )


def _fields(status: Path) -> dict[str, int]:
    """The numbers in a `status` file; sizes in KiB."""
    pairs = (line.split(":", 1) for line in status.read_text().splitlines())
    return {name: int(value.split()[0]) for name, value in pairs if value.split() and value.split()[0].isdigit()}


def _report(before: dict[str, _Reading], after: dict[str, _Reading], seconds: float) -> str:
    lines = [
        "| process | CPU, % of a core | wake-ups / s | threads | RSS MiB | of it heap and stacks |",
        "|---|---|---|---|---|---|",
    ]
    shares = {who: 100 * (after[who].cpu_seconds - before[who].cpu_seconds) / seconds for who in after}
    for who, now in after.items():
        wakeups = (now.wakeups - before[who].wakeups) / seconds
        memory = f"{now.rss_mib:.0f} | {now.anonymous_mib:.0f}"
        lines.append(f"| {who} | {shares[who]:.2f} | {wakeups:.0f} | {now.threads} | {memory} |")
    listening = {who: share for who, share in shares.items() if who in _LISTENING}
    busiest = max(listening, key=lambda who: listening[who])
    largest = max(after, key=lambda who: after[who].rss_mib)
    together = sum(now.rss_mib for now in after.values())
    told = (
        f"In {seconds:.0f} s of silence, daemon, sound worker and ear together took {sum(listening.values()):.1f} % of "
        f"a core, most of it the {busiest} ({listening[busiest]:.1f} %). The daemon without its workers holds "
        f"{after['daemon'].rss_mib:.0f} MiB; all processes together {together:.0f} MiB (what they share counted for "
        f"each), most of it the {largest} ({after[largest].rss_mib:.0f} MiB)."
    )
    return "\n".join([*lines, "", told])
