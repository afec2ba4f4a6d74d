"""The fake hardware that every policy is given: one card, its memory, and models that take time.

Nothing here is measured on a GPU. The figures are from what others published (`MODELS`), and the same for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.engines.api import Facts
from agent.errors import EngineError
from agent.policy.lease_terms import Form

CARDS: Final = {"12 GB": 12_288, "8 GB": 8_192}
"""In MiB. The one that Parley is built for holds any two of the models; the other cannot hold mind and voice."""
DESKTOP_MIB: Final = 700
"""What the desktop holds of it."""
EVICT_SECONDS: Final = 0.5
"""From the order to end a process until its memory is seen free; Ollama's `waitForVRAMRecovery` says 0.5 to 1.5 s."""
_ROUNDING_SECONDS: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a model needs."""

    footprint_mib: int
    load_seconds: float
    slots: int = 1
    """How many requests it can work on at once, where the policy starts it so."""


MODELS: Final = {
    # Unmute's language model holds 6.1 GB; a reload takes about 5 s (ollama issue 2974)
    "mind": Profile(footprint_mib=6_246, load_seconds=5.0, slots=4),
    # XTTS holds 4 to 5 GB (RealtimeTTS); its load time is a guess; it speaks one text at a time
    "voice": Profile(footprint_mib=4_608, load_seconds=8.0),
    # a small model that looks at the screen: guesses
    "eyes": Profile(footprint_mib=2_560, load_seconds=3.0),
}


class Processor:
    """The card's cores: what runs at once gets equal shares, and nothing is lost by sharing (which is kind)."""

    def __init__(self) -> None:
        """Needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._left: dict[asyncio.Future[None], float] = {}
        self._since = self._loop.time()
        self._alarm: asyncio.TimerHandle | None = None

    async def work(self, seconds: float) -> None:
        """Do what takes so long alone."""
        done = self._loop.create_future()
        self._advance()
        self._left[done] = seconds
        self._set_alarm()
        try:
            await done
        finally:
            self._advance()
            self._left.pop(done, None)
            self._set_alarm()

    def _advance(self) -> None:
        now = self._loop.time()
        share = (now - self._since) / max(len(self._left), 1)
        self._since = now
        for done in self._left:
            self._left[done] -= share

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = None
        if self._left:
            self._alarm = self._loop.call_later(max(min(self._left.values()), 0.0) * len(self._left), self._ring)

    def _ring(self) -> None:
        self._advance()
        for done, left in tuple(self._left.items()):
            if left <= _ROUNDING_SECONDS:
                del self._left[done]
                done.set_result(None)
        self._set_alarm()


class Card:
    """The memory, as the driver would tell it."""

    name = "a fake card"
    environment: Mapping[str, str] = {}
    lags = False

    def __init__(self, total_mib: int = CARDS["12 GB"]) -> None:
        """Nothing but the desktop is in it."""
        self.room_mib: Final = total_mib - DESKTOP_MIB
        """For models and games."""
        self.processor: Final = Processor()
        self.models: Final = {name: FakeModel(name, profile) for name, profile in MODELS.items()}
        self.game_mib = 0
        """What a game holds."""

    def free_mib(self) -> int:
        """What is free now."""
        return self.room_mib - self.game_mib - self._held_mib()

    def total_mib(self) -> int:
        """What there is, with what the desktop holds."""
        return self.room_mib + DESKTOP_MIB

    def used_by_mib(self, pid: int) -> None:  # as with drivers that do not tell
        """Not told of a single process: what is free before and after must do."""

    def foreign_mib(self, own_pids: Iterable[int]) -> int:  # noqa: ARG002  # no other models are here
        """What desktop and game hold."""
        return DESKTOP_MIB + self.game_mib

    def versions(self) -> str:
        """There is one."""
        return "1"

    def _held_mib(self) -> int:
        return sum(model.profile.footprint_mib for model in self.models.values() if model.in_memory)

    @property
    def loads(self) -> int:
        """How often a model was loaded: the swaps."""
        return sum(model.loads for model in self.models.values())


class FakeModel:
    """A model without an engine: its loads and its end take their time; its work is done by the `Processor`."""

    forms: tuple[Form, ...] = ("full",)
    pid = 0

    def __init__(self, name: str, profile: Profile) -> None:
        """Not loaded."""
        self.name: Final = name
        self.profile: Final = profile
        self.on_died: Callable[[EngineError], None] | None = None
        self.in_memory = False
        self.loads = 0
        self._read: list[str] = []
        self._changing = asyncio.Lock()

    async def load(self, form: Form = "full") -> Facts:  # noqa: ARG002  # there is one
        """Be loaded after a while; the memory is taken at once."""
        async with self._changing:
            self.in_memory = True
            self.loads += 1
            self._read = []
            try:
                await asyncio.sleep(self.profile.load_seconds)
            except asyncio.CancelledError:
                self.in_memory = False
                raise
        return Facts(engine="fake", heavy=True, vram_mib=self.profile.footprint_mib)

    async def evict(self) -> None:
        """Be gone after a while, and the memory free."""
        async with self._changing:
            if self.in_memory:
                await asyncio.sleep(EVICT_SECONDS)
                self.in_memory = False

    async def pause(self) -> None:
        """It stands still already: its holder asks for a sentence at a time."""

    def resume(self) -> None:
        """It will be asked for the next."""

    def key(self, form: Form) -> str:  # noqa: ARG002  # there is one
        """What its footprint is remembered by."""
        return self.name

    def remembers(self, text: str, slots: int) -> bool:
        """Whether a prompt is still read, so that only its end is new; a slot keeps the last one read in it."""
        known = text in self._read
        self._read = [text, *(other for other in self._read if other != text)][:slots]
        return known
