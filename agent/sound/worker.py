"""The sound worker's engine: the only process that touches a device.

One thread owns the devices: it opens and closes them, and waits for a request, for word from a device, or until
something is due. Everything else hands it things through one queue.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, cast

from msgspec import Struct
from typing_extensions import override

from agent.clock import monotonic
from agent.engines.api import Engine, Facts
from agent.errors import DeviceError, EngineFailed
from agent.settings import SoundSettings
from agent.sound.api import Play, SoundRequest
from agent.sound.card_loudspeaker import CardLoudspeaker
from agent.sound.card_microphone import CardMicrophone
from agent.sound.cards import SoundCards
from agent.sound.desk import Desk
from agent.sound.device import Input, Output
from agent.sound.reference import Reference
from agent.sound.timeline import TimeLine
from agent.sound.wav_file import WavLoudspeaker, WavMicrophone, refuse_same_file, wav_path

if TYPE_CHECKING:
    from agent.sound.echo import EchoCanceller

_LOGGER = logging.getLogger(__name__)
_CLOSE_SECONDS = 2.0
"""How long the devices may take to be released before the process ends without."""


class SoundEngine(Engine):
    """Frames out, samples in; both devices by name or on file."""

    requests: ClassVar[Any] = SoundRequest

    @override
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = SoundSettings.model_validate(settings)
        self._inbox: queue.SimpleQueue[SoundRequest | _Ending | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @override
    def load(self, send: Callable[[Struct], None]) -> Facts:
        ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, args=(send, ready), name="sound", daemon=True)
        self._thread.start()
        return Facts(engine=ready.result())

    @override
    def handle(self, request: SoundRequest, cancelled: Callable[[], bool]) -> Iterator[Struct]:
        if self._thread is None or not self._thread.is_alive():
            raise EngineFailed("the thread that owns the sound devices has ended; its last words are in the log")
        if isinstance(request, Play) and len(request.samples) % 2:
            raise EngineFailed("Play holds half a sample; samples are 16-bit")
        self._inbox.put(request)
        yield from ()

    @override
    def close(self) -> None:
        if self._thread is None:
            return
        self._inbox.put(_Ending())
        self._thread.join(_CLOSE_SECONDS)

    def _run(self, send: Callable[[Struct], None], ready: Future[str]) -> None:
        try:
            with ExitStack() as closing:
                desk, facts = build(self._settings, lambda: self._inbox.put(None), closing)
                ready.set_result(facts)
                self._serve(desk, send)
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)  # `load` raises it
                return
            _LOGGER.exception("the thread that owns the sound devices failed; the worker ends")
            # A worker without its devices is dead; its process says so by ending, and a fresh one is started.
            os._exit(1)

    def _serve(self, desk: Desk, send: Callable[[Struct], None]) -> None:
        while True:
            try:
                message = self._inbox.get(timeout=_seconds_until(desk.due()))
            except queue.Empty:
                message = None
            if isinstance(message, _Ending):
                return
            now = monotonic()
            notes = desk.advance(now) if message is None else desk.take(message, now)
            for note in notes:
                send(note)


class _Ending:
    """The last message of the inbox."""


def build(settings: SoundSettings, wake: Callable[[], None], closing: ExitStack) -> tuple[Desk, str]:
    """The devices that the settings name, and a sentence about them; `closing` releases them. Raises DeviceError."""
    into, out = wav_path(settings.microphone), wav_path(settings.loudspeaker)
    refuse_same_file(into, out)
    line, reference = TimeLine(), Reference()
    cards = None if into and out else _sound_cards(settings.stall_seconds, wake, closing)
    microphone: Input
    loudspeaker: Output
    if into is None:
        microphone = CardMicrophone(cast("SoundCards", cards), settings.microphone)
    else:
        microphone = WavMicrophone(into, line)
    if out is None:
        loudspeaker = CardLoudspeaker(cast("SoundCards", cards), settings.loudspeaker, reference.played)
    else:
        loudspeaker = WavLoudspeaker(out, line, reference.played)
    canceller = _canceller(reference) if settings.echo in {"auto", "on"} else None
    desk = Desk(microphone, loudspeaker, canceller)
    closing.callback(lambda: desk.close(monotonic()))
    echo = "echo cancelled" if canceller else "echo left in"
    return desk, f"microphone {microphone}, loudspeaker {loudspeaker}, {echo}"


def _sound_cards(stall_seconds: float, wake: Callable[[], None], closing: ExitStack) -> SoundCards:
    try:
        from agent.sound.portaudio import PortAudio  # noqa: PLC0415  # files need no PortAudio
    except ImportError as error:
        raise DeviceError(f"PyAudio cannot be imported ({error}); install PortAudio, or use wav:FILE") from error
    cards = SoundCards(PortAudio(), stall_seconds, wake)
    closing.callback(cards.close)
    return cards


def _canceller(reference: Reference) -> EchoCanceller:
    from agent.sound.echo import EchoCanceller  # noqa: PLC0415  # 10 MB and 0.2 s that headphones do not need

    return EchoCanceller(reference)


def _seconds_until(moment: float | None) -> float | None:
    return None if moment is None else max(0.0, moment - monotonic())
