"""A companion that answers by script, for the tests of the control socket; also a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

from agent.control import ControlServer
from agent.errors import ModelMissing

STARTED = dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)
VERDICTS = [
    {
        "at": 1.0,
        "wall": "2026-01-05T09:00:01+00:00",
        "verdict": "prompt",
        "rule": "new_words",
        "reason": "You finished.",
        "until": None,
    },
    {
        "at": 4.0,
        "wall": "2026-01-05T09:00:04+00:00",
        "verdict": "silent",
        "rule": "patience",
        "reason": "It is early.",
        "until": 64.0,
    },
]
DEVICES = [
    {
        "index": 0, "name": "Built-in Audio", "inputs": 2, "outputs": 2, "rate": 48000,
        "default_input": True, "default_output": True,
    },
    {
        "index": 1, "name": "USB Headset", "inputs": 1, "outputs": 0, "rate": 16000,
        "default_input": False, "default_output": False,
    },
]  # fmt: skip

MEMORY = {
    "memory": {"name": "GPU 0 (scripted)", "free_mib": 6000, "total_mib": 8000, "reserve_mib": 512},
    "yielding": None,
    "mind": "loaded, heavy, 4000 MiB, held by thinking for 2.1 s",
    "stt": "loaded, light",
    "waiting": ["speaking for the voice (replying), for 0.5 s, at most 19.5 s more: thinking holds the mind"],
    "next loads": [],
}


class ScriptedCompanion:
    def __init__(self) -> None:
        self.orders: list[str] = []
        self.stopped = asyncio.Event()
        self.abandoned = asyncio.Event()
        self.games = False

    async def status(self) -> dict[str, Any]:
        return {"state": "listening", "muted": False, "models": {"mind": "starter"}, "uptime_seconds": 4.0}

    async def why(self, count: int) -> list[dict[str, Any]]:
        return VERDICTS[-count:]

    async def say(self, text: str) -> None:
        if text == "raise":
            raise ZeroDivisionError("a secret")
        if text == "miss":
            raise ModelMissing("there is no voice on this machine")
        self.orders.append(f"say {text}")

    async def ask(self, text: str) -> AsyncGenerator[str, None]:
        yield f"You said {text}."
        if text == "wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.abandoned.set()
        yield "That \x1b[31mis all."

    async def mute(self) -> None:
        self.orders.append("mute")

    async def unmute(self) -> None:
        self.orders.append("unmute")

    async def stop(self) -> None:
        self.stopped.set()

    async def devices(self) -> list[dict[str, Any]]:
        return DEVICES

    async def vram(self) -> dict[str, Any]:
        return MEMORY

    async def vram_free(self, seconds: float | None) -> None:
        self.orders.append(f"free {seconds}")
        self.games = seconds == 60

    async def vram_back(self) -> str:
        self.orders.append("back")
        return "a game is running" if self.games else ""


async def serve(path: Path) -> None:
    """Be a companion until stopped."""
    companion = ScriptedCompanion()
    async with ControlServer(companion, started=STARTED, path=path):
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await companion.stopped.wait()


@contextlib.contextmanager
def running(path: Path | None = None) -> Iterator[ScriptedCompanion]:
    """A companion in a thread of this process."""
    up = threading.Event()
    made: list[tuple[ScriptedCompanion, asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        companion = ScriptedCompanion()
        made.append((companion, asyncio.get_running_loop()))
        async with ControlServer(companion, started=STARTED, path=path):
            up.set()
            await companion.stopped.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert up.wait(20)
    companion, loop = made[0]
    try:
        yield companion
    finally:
        loop.call_soon_threadsafe(companion.stopped.set)
        thread.join(20)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
