"""The composition root: what Parley is made of, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from agent import personality as personalities
from agent.bus import Bus
from agent.clock import Clock
from agent.companion import Companion
from agent.control import ControlServer
from agent.engines import catalog
from agent.errors import DeviceError, EngineError
from agent.events import CompanionStarted, DeviceFound, DeviceLost
from agent.footprints import open_footprints
from agent.game_mode import GameMode
from agent.house import House, Organs
from agent.journal import Journal
from agent.memory import open_memory
from agent.narration import Narrator
from agent.personality import Personality
from agent.quiet import Quiet
from agent.residency import Model
from agent.settings import Settings
from agent.sound.api import Exhausted, Found, Lost
from agent.supervisor import Supervisor
from agent.terminal import Terminal, TerminalLogs
from agent.vram import Vram
from agent.workers.lasting import EarWorker, SoundWorker
from agent.workers.models import MindWorker, SttWorker, VoiceWorker
from agent.yielding import Yielding
from routines.listening import type_in

_LASTING_LOAD_SECONDS = 60.0
_DEMO = Path(__file__).parent / "demo" / "user.flac"
_DEMO_SILENCE_SECONDS = 4.0


# --- the two ways in ------------------------------------------------------------------------------------------------


def run(settings: Settings, *, exit_after_silence: float | None = None) -> int:
    """Live until asked to stop; the exit status. Raises ParleyError. Without any sound device: the demo."""
    try:
        return asyncio.run(_live(settings, exit_after_silence))
    except DeviceError as error:
        if (settings.sound.microphone, settings.sound.loudspeaker) != ("default", "default"):
            raise
        print(f"{str(error).rstrip('.')}. Here is the built-in demo conversation instead.", file=sys.stderr)  # noqa: T201  # to the user
        return demo(settings, recording=None)


def demo(settings: Settings, *, recording: Path | None) -> int:
    """Hold the built-in conversation through the whole pipeline, on files; leaves a stereo recording and a journal."""
    recording = recording or Path("parley-demo.wav")
    journal = settings.logs.journal or recording.with_suffix(".jsonl")
    journal.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        ours = Path(folder) / "parley.wav"
        status = asyncio.run(_live(_staged(settings, ours, journal), _DEMO_SILENCE_SECONDS))
        _join(_DEMO, ours, recording)
    print(f"Recorded in {recording} (you left, Parley right), journal in {journal}.", file=sys.stderr)  # noqa: T201  # to the user
    return status


def _staged(settings: Settings, ours: Path, journal: Path) -> Settings:
    """The user's settings, with files for devices and nothing that depends on the time of day."""
    sections: dict[str, dict[str, Any]] = {
        "sound": {"microphone": f"wav:{_DEMO}", "loudspeaker": f"wav:{ours}", "echo": "off"},
        "initiative": {"enabled": False},
        "logs": {"journal": journal, "content": "everywhere"},  # it is all in the recording that ships with Parley
    }
    return settings.model_copy(
        update={name: getattr(settings, name).model_copy(update=values) for name, values in sections.items()}
    )


def _join(left: Path, right: Path, both: Path) -> None:
    """Write a stereo recording; in a process of its own, because the daemon imports no sound library."""
    command = (sys.executable, "-m", "agent.sound.stereo", left, right, both.absolute())
    if subprocess.run(command, cwd=Path(__file__).parent.parent, check=False).returncode:
        raise DeviceError(f"The recording could not be written to {both}.")


# --- the recipe -----------------------------------------------------------------------------------------------------


async def _live(settings: Settings, exit_after_silence: float | None) -> int:
    clock, bus, stopped = Clock(), Bus(), asyncio.Event()
    personality = personalities.load(settings.personality.name)
    memory = open_memory(settings.vram)
    workers = _workers(settings, clock, memory.environment)
    async with AsyncExitStack() as stack:
        stack.enter_context(_told(settings, bus, clock))
        heavy = {name: getattr(settings, name).heavy for name in workers.models}
        remembered = open_footprints(memory)
        vram = Vram(bus, clock, settings.vram, workers.models, memory=memory, remembered=remembered, heavy=heavy)
        yielding = Yielding(bus, clock, vram, memory, settings.vram, pid=lambda name: workers.models[name].pid)
        house = House(settings, personality, workers.organs, bus, clock, vram)
        supervisor = Supervisor(bus, clock)
        companion = Companion(
            bus,
            clock,
            stopped,
            type_in=lambda text: type_in(bus, clock, text),
            describe=lambda: {"personality": house.character.current.name, **supervisor.describe()},
            describe_models=vram.describe,
            yielding=yielding,
        )
        await stack.enter_async_context(ControlServer(companion, started=clock.wall()))
        _stop_on_signals(stopped)
        quiet = Quiet(bus, clock, waits_for_file=settings.sound.microphone.startswith("wav:"))
        workers.sound.on_device = lambda note: _tell_device(note, bus, clock, quiet)
        stack.push_async_callback(workers.sound.close)
        stack.push_async_callback(workers.ear.close)
        if not await _opened(workers.sound, stopped):
            return 0
        await stack.enter_async_context(vram)
        house.furnish(supervisor)
        supervisor.add("ear", lambda: _Kept(workers.ear))
        supervisor.add("sound", lambda: _Kept(workers.sound))
        supervisor.add("yielding", lambda: yielding)
        if settings.vram.yield_to in {"all", "games"}:
            supervisor.add("games", lambda: GameMode(yielding.games_counted))
        await stack.enter_async_context(supervisor)
        beginning = asyncio.create_task(_begin(workers, vram, bus, clock, companion, personality))
        await _until(stopped, quiet, exit_after_silence, beginning)
    return 0


async def _opened(sound: SoundWorker, stopped: asyncio.Event) -> bool:
    """Start the sound worker; False if asked to stop first. Raises DeviceError."""
    starting, stopping = asyncio.create_task(sound.start()), asyncio.create_task(stopped.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        return False
    try:
        starting.result()
    except EngineError as error:  # PortAudio aborts the process where ALSA's configuration is broken
        raise DeviceError(f"The sound devices cannot be used: {error}") from error
    return True


async def _begin(
    workers: _Workers, vram: Vram, bus: Bus, clock: Clock, companion: Companion, personality: Personality
) -> None:
    """Listen as soon as the ear and the words can be had; the rest is loaded meanwhile."""
    vram.prefetch("stt")
    await workers.ear.ready()
    with suppress(EngineError):  # told by the scheduler's event; the next use tries again
        await vram.prepare("stt")
    bus.publish(CompanionStarted(at=clock.now(), personality=personality.digest))
    companion.greet(personality.greeting)
    for model in ("mind", "voice"):
        vram.prefetch(model)


async def _until(
    stopped: asyncio.Event, quiet: Quiet, exit_after_silence: float | None, beginning: asyncio.Task[None]
) -> None:
    """Return when asked to stop, or when it has been quiet for so long; raise what the beginning raises."""
    ends: set[asyncio.Task[Any]] = {asyncio.create_task(stopped.wait())}
    if exit_after_silence is not None:
        ends.add(asyncio.create_task(quiet.lasts(exit_after_silence)))
    try:
        done, _ = await asyncio.wait({*ends, beginning}, return_when=asyncio.FIRST_COMPLETED)
        if beginning in done:
            beginning.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*ends, beginning):
            task.cancel()


def _stop_on_signals(stopped: asyncio.Event) -> None:
    """The first Ctrl+C or SIGTERM ends in order, the second at once."""

    def stop() -> None:
        if stopped.is_set():
            os._exit(1)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


# --- what it is made of ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workers:
    """The organs in processes of their own."""

    sound: SoundWorker
    ear: EarWorker
    stt: SttWorker
    mind: MindWorker
    voice: VoiceWorker

    @property
    def models(self) -> dict[str, Model]:
        """As the scheduler sees them."""
        return {"stt": self.stt, "mind": self.mind, "voice": self.voice}

    @property
    def organs(self) -> Organs:
        """As the routines see them."""
        return Organs(
            microphone=self.sound,
            loudspeaker=self.sound,
            ear=self.ear,
            stt=self.stt,
            mind=self.mind,
            voice=self.voice,
        )


def _workers(settings: Settings, clock: Clock, environment: Mapping[str, str]) -> _Workers:
    """Nothing is started yet. Raises ModelMissing if a model that was asked for by name is not here.

    `environment` says in which memory models go.
    """
    catalog.stt(settings.stt)
    catalog.mind(settings.mind)
    catalog.voice(settings.voice)
    load_seconds = settings.vram.load_seconds
    return _Workers(
        sound=SoundWorker(catalog.sound(settings.sound), clock, load_seconds=_LASTING_LOAD_SECONDS),
        ear=EarWorker(catalog.ear(settings.ear), clock, load_seconds=_LASTING_LOAD_SECONDS),
        stt=SttWorker(
            "stt",
            lambda form: catalog.stt(settings.stt, form=form),
            load_seconds=load_seconds,
            deadline_seconds=settings.stt.deadline_seconds,
            python=settings.stt.python,
            forms=catalog.stt_forms(settings.stt),
            environment=environment,
        ),
        mind=MindWorker(
            "mind",
            lambda form: catalog.mind(settings.mind, form=form),
            load_seconds=load_seconds,
            deadline_seconds=settings.mind.deadline_seconds,
            python=settings.mind.python,
            forms=catalog.mind_forms(),
            environment=environment,
        ),
        voice=VoiceWorker(
            "voice",
            lambda form: catalog.voice(settings.voice, form=form),
            load_seconds=load_seconds,
            deadline_seconds=settings.voice.deadline_seconds,
            python=catalog.voice_python(settings.voice),
            forms=catalog.voice_forms(),
            environment=environment,
        ),
    )


class _Kept:
    """A lasting worker as something the supervisor keeps alive."""

    def __init__(self, worker: SoundWorker | EarWorker) -> None:
        """It may run already."""
        self._worker = worker

    async def run(self) -> None:
        """Start it if it does not run; raise what it died of."""
        if not self._worker.running:
            await self._worker.start()
        raise await self._worker.died()


# --- what it tells --------------------------------------------------------------------------------------------------


@contextmanager
def _told(settings: Settings, bus: Bus, clock: Clock) -> Generator[None]:
    """The terminal log and the journal, for as long as the block lasts."""
    logs = settings.logs
    terminal = Terminal(Console(highlight=False), Narrator(logs.content, verbose=logs.verbose), clock.wall)
    handler = TerminalLogs(terminal, verbose=logs.verbose)
    root = logging.getLogger()
    root.setLevel(logging.INFO if logs.verbose else logging.WARNING)  # at INFO stands all that workers print
    root.addHandler(handler)
    journal = None
    bus.tap(terminal.take)
    if logs.journal:
        journal = Journal(
            logs.journal,
            started=clock.wall(),
            digest=settings.digest(),
            content=logs.content,
            max_bytes=logs.journal_mib * 1024 * 1024,
        )
        bus.tap(journal.take)
    try:
        yield
    finally:
        root.removeHandler(handler)
        terminal.close()
        if journal:
            journal.close()


def _tell_device(note: Lost | Found | Exhausted, bus: Bus, clock: Clock, quiet: Quiet) -> None:
    match note:
        case Lost():
            bus.publish(DeviceLost(at=clock.now(), device=note.device, error=note.error))
        case Found():
            bus.publish(DeviceFound(at=clock.now(), device=note.device))
        case Exhausted():
            quiet.exhausted()
