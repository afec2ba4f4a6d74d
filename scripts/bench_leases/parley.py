"""Parley's own policy: the real `agent.vram.Vram`, with its default settings, over the fake models.

What is not Parley's is the companion around it (`companion.py`), which does here what the routines do: it foresees mind
and voice when the user begins to speak, stands at a checkpoint after each sentence, and says when the sound runs dry.
The footprints are remembered from days before. The reserve is what the desktop holds already (`hardware.py`).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from agent.bus import Bus
from agent.clock import Clock
from agent.events import Seconds
from agent.footprints import Footprint
from agent.policy.lease_terms import Kind
from agent.settings import VramSettings
from agent.vram import Lease, Vram
from scripts.bench_leases.hardware import MODELS, Card

_CHORE_PATIENCE_SECONDS = 24 * 3600.0
"""Nobody waits for a chore."""


class _Known:
    """What was measured on days before."""

    def get(self, key: str) -> Footprint:
        return Footprint(MODELS[key].footprint_mib, MODELS[key].load_seconds)

    def remember(self, key: str, *, footprint_mib: int, load_seconds: float) -> None:
        """It is the same again."""


class Parley:
    """Leases."""

    slots = 1
    in_pieces = True

    def __init__(self, card: Card) -> None:
        """Needs a running loop."""
        self._clock = Clock()
        settings = VramSettings(reserve_mib=0)
        self._vram = Vram(Bus(), self._clock, settings, card.models, memory=card, remembered=_Known())

    def use(self, model: str, kind: Kind, *, within: float | None = None) -> AbstractAsyncContextManager[Lease]:
        """A lease; the patience is the setting's, but for chores."""
        now = self._clock.now()
        patient = Seconds(now + _CHORE_PATIENCE_SECONDS) if kind == "chore" else None
        due = None if within is None else Seconds(now + within)
        return self._vram.lease(model, owner=kind, kind=kind, deadline=patient, due=due)

    def foresee(self, model: str) -> None:
        """Load it ahead if there is room."""
        self._vram.prefetch(model)

    async def step_aside(self) -> None:
        """Yield."""
        self._vram.press("a game wants the GPU")
        await self._vram.emptied()

    def come_back(self) -> None:
        """Load what a turn needs."""
        self._vram.relieve()
        self.foresee("mind")
        self.foresee("voice")

    async def close(self) -> None:
        """End every process."""
        await self._vram.close()
