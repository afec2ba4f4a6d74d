"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from agent import configuration
from agent.engines.catalog import STARTER
from agent.events import Event
from agent.settings import Settings
from scripts.bench_response import figures, idle
from scripts.bench_response.figures import Round
from scripts.bench_response.overhead import Turn, turns
from scripts.bench_response.parley import parley
from scripts.bench_response.shapes import NEURO_SILENCE_SECONDS, SPEECHBOT_SILENCE_SECONDS, neuro, speechbot
from scripts.bench_response.stage import REQUESTS, ROOT, Stage, heard, recording, stage
from tests.conversation import Recording

_CONTESTANTS = ("parley", "speechbot", "neuro")
_SHIPPED = ("stt.engine=pocketsphinx", f"mind.model={STARTER}")
"""The engines that need no download, whatever models this machine has."""
_SESSION_GRACE_SECONDS = 120.0
"""For loading and ending, beyond the length of the recording."""


def main() -> int:
    """Measure what is asked for; the exit status."""
    asked = _parser().parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)  # so that workers find the stamped engine
    title, body, verdicts = _idle(asked) if asked.what == "idle" else _response(asked)
    print(f"\n{body}")
    if asked.write:
        command = shlex.join(["scripts/bench", *sys.argv[1:]])
        figures.write(asked.write, title, figures.section(title, command, asked.machine, body))
    return 1 if asked.check and not all(verdict.holds for verdict in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="response: how soon Parley answers, beside two pipelines of other shapes on the same engines, from "
        "recordings. idle: what the companion costs while it listens to silence.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("what", nargs="?", choices=("response", "idle"), default="response")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds; each is one session of each contestant")
    parser.add_argument("--warmups", type=int, default=2, help="rounds before, of one request each, that do not count")
    parser.add_argument("--requests", type=int, default=4, choices=range(1, len(REQUESTS) + 1), help="per session")
    parser.add_argument("--gap", type=float, default=7.0, metavar="SECONDS", help="silence after each request")
    parser.add_argument("--contestants", nargs="+", choices=_CONTESTANTS, default=_CONTESTANTS, metavar="NAME")
    silence: dict[str, Any] = {"type": float, "metavar": "SECONDS", "help": "of silence that end its recording"}
    parser.add_argument("--speechbot-silence", default=SPEECHBOT_SILENCE_SECONDS, **silence)
    parser.add_argument("--neuro-silence", default=NEURO_SILENCE_SECONDS, **silence)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long `idle` listens")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="a setting, for all")
    parser.add_argument("--check", action="store_true", help="end with 1 if a bound does not hold")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also put the report into this document")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep recordings, stamps and journals here")
    parser.add_argument("--machine", default=figures.machine(), help="how the report calls this computer")
    return parser


def _settings(given: list[str]) -> Settings:
    """The defaults and what the command line says: no file and no environment, so that runs can be compared."""
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        del os.environ[name]
    with tempfile.NamedTemporaryFile(suffix=".toml") as empty:
        overrides = [configuration.parse_override(text) for text in (*_SHIPPED, *given)]
        return configuration.load(config=Path(empty.name), overrides=overrides).settings


def _idle(asked: argparse.Namespace) -> tuple[str, str, list[figures.Verdict]]:
    return "Listening to silence", idle.measure(asked.seconds, [*_SHIPPED, *asked.set]), []


def _response(asked: argparse.Namespace) -> tuple[str, str, list[figures.Verdict]]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        shapes: _Shapes = {
            "speechbot": partial(speechbot, silence_seconds=asked.speechbot_silence),
            "neuro": partial(neuro, silence_seconds=asked.neuro_silence),
        }
        bench = _Bench(_settings(asked.set), shapes, asked.keep or Path(folder))
        one, whole = recording(1, asked.gap), recording(asked.requests, asked.gap)
        for number in range(-asked.warmups, asked.rounds):
            for contestant in asked.contestants:
                bench.hold(contestant, number, one if number < 0 else whole)
    body, verdicts = figures.response(bench.rounds, bench.turns)
    return "Response time", body, verdicts


_Shapes = dict[str, Callable[[Stage], Coroutine[Any, Any, None]]]


class _Bench:
    """Sessions one after the other, and what came of them."""

    def __init__(self, settings: Settings, shapes: _Shapes, folder: Path) -> None:
        self._settings = settings
        self._shapes = shapes
        self._folder = folder
        self.rounds: dict[str, list[Round]] = {}
        self.turns: list[Turn] = []

    def hold(self, contestant: str, number: int, user: Recording) -> None:
        """One session; a number below 0 is a warm-up."""
        folder = self._folder / f"{number:+03d}-{contestant}"
        folder.mkdir(parents=True)
        found = asyncio.run(self._session(contestant, folder, user))
        answers = heard(user, folder / "loudspeaker.wav")
        one = Round(tuple(answer.seconds for answer in answers), sum(answer.over_the_user for answer in answers))
        told = " ".join("-" if seconds is None else f"{1000 * seconds:.0f}" for seconds in one.seconds)
        name = f"warm-up {number}" if number < 0 else f"round {number + 1}"
        print(f"{name:<12}{contestant:<11}{told} ms", flush=True)
        if number >= 0:
            self.rounds.setdefault(contestant, []).append(one)
            self.turns += found

    async def _session(self, contestant: str, folder: Path, user: Recording) -> list[Turn]:
        microphone = user.write(folder / "microphone.wav")
        seconds = user.lines[-1].ends + _SESSION_GRACE_SECONDS
        async with (
            asyncio.timeout(seconds),
            stage(self._settings, microphone, folder / "loudspeaker.wav", folder / "stamps") as built,
        ):
            events: list[Event] = []
            if contestant == "parley":
                await parley(built, events)
            else:
                await _live(self._shapes[contestant], built)
        return turns(events, built)


async def _live(shape: Callable[[Stage], Coroutine[Any, Any, None]], built: Stage) -> None:
    await asyncio.gather(*(model.load() for model in built.models.values()))
    living = asyncio.create_task(shape(built))
    over = asyncio.create_task(built.over.wait())
    try:
        await asyncio.wait({living, over}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
    finally:
        over.cancel()
        living.cancel()
        await asyncio.wait({living})


if __name__ == "__main__":
    sys.exit(main())
