"""That an unload gives the memory back: each engine that is here, in RAM, loaded and used, then taken away."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from agent.bus import Bus
from agent.clock import Clock
from agent.engines import catalog
from agent.engines.api import Speak
from agent.errors import ParleyError
from agent.memory import Ram
from agent.settings import MindSettings, SttSettings, VoiceSettings, VramSettings
from agent.vram import Vram
from agent.workers.models import MindWorker, ModelWorker, SttWorker, VoiceWorker
from scripts.soak_leases.house import MESSAGES
from scripts.soak_leases.processes import GONE_SECONDS, end, group

_LOAD_SECONDS: Final = 60.0
_DEADLINE_SECONDS: Final = 30.0
_SILENCE: Final = bytes(32_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """The memory of one engine's processes, in MiB; None if it could not be read."""

    engine: str
    loaded_mib: int | None
    """After it was used once."""
    after_mib: int | None
    free_mib: tuple[int | None, int | None, int | None]
    """Of the whole machine, whoever uses it: before the load, loaded, and after."""
    seconds: float
    """From the order to unload until the scheduler said that it was done."""
    is_gone: bool
    """No process of the group is left."""

    @property
    def is_proven(self) -> bool:
        """There was memory, and there is none any more."""
        return bool(self.loaded_mib) and self.after_mib == 0 and self.is_gone


async def unload_all() -> list[Unloaded | str]:
    """Each engine by itself; in words, which one could not be tried."""
    mind, voice, stt = _mind(), _voice(), _stt()
    tries: list[tuple[ModelWorker, Callable[[], AsyncGenerator[Any, None]]]] = [
        (mind, lambda: mind.reply(MESSAGES)),
        (voice, lambda: voice.speak(Speak("Nice to see you."))),
        (stt, lambda: _transcribe(stt)),
    ]
    return [await _unload(model, use) for model, use in tries]


async def _unload(model: ModelWorker, use: Callable[[], AsyncGenerator[Any, None]]) -> Unloaded | str:
    memory, clock, name = Ram(), Clock(), model.name
    free_before = memory.free_mib()
    settings = VramSettings(reserve_mib=0)
    async with Vram(Bus(), clock, settings, {name: model}, memory=memory, heavy={name: "yes"}) as vram:
        try:
            facts = await vram.prepare(name)
        except ParleyError as error:
            return f"{name}: not tried: {error}"
        async with vram.lease(name, owner="soak", kind="chore"), aclosing(use()) as results:
            async for _ in results:
                pass
        pid, processes = model.pid, group(model.pid)
        loaded, free_loaded = memory.used_by_mib(pid), memory.free_mib()
        began = clock.now()
        vram.press("the soak wants it")
        await vram.emptied()
        seconds = clock.now() - began
        return Unloaded(
            engine=facts.engine,
            loaded_mib=loaded,
            after_mib=memory.used_by_mib(pid),
            free_mib=(free_before, free_loaded, memory.free_mib()),
            seconds=seconds,
            is_gone=await end(processes, GONE_SECONDS) is not None,
        )


def _mind() -> MindWorker:
    return MindWorker(
        "mind",
        lambda _form: catalog.mind(MindSettings()),
        load_seconds=_LOAD_SECONDS,
        deadline_seconds=_DEADLINE_SECONDS,
    )


def _voice() -> VoiceWorker:
    settings = VoiceSettings()
    return VoiceWorker(
        "voice",
        lambda _form: catalog.voice(settings),
        load_seconds=_LOAD_SECONDS,
        deadline_seconds=_DEADLINE_SECONDS,
        python=catalog.voice_python(settings),
    )


def _stt() -> SttWorker:
    return SttWorker(
        "stt", lambda _form: catalog.stt(SttSettings()), load_seconds=_LOAD_SECONDS, deadline_seconds=_DEADLINE_SECONDS
    )


async def _transcribe(stt: SttWorker) -> AsyncGenerator[Any, None]:
    yield await stt.transcribe(1, _SILENCE)
