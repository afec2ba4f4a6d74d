"""What both servers have in common: models in memory, requests at them, and no idea of what a request is for.

Ollama and llama-swap are HTTP servers. A request goes to a model's process (llama-server, Ollama's runner), which works
on as many at once as it has slots and lets the rest wait in order. Models that are loaded work at the same time, and
share the card. A request runs from beginning to end, or until its caller hangs up; there is no checkpoint, no kind, no
deadline, and nobody says what will be needed next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agent.policy.lease_terms import Kind
from scripts.bench_leases.hardware import Card


class Request:
    """One at a server."""

    def __init__(self, model: str) -> None:
        """It waits."""
        self.model = model
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Server:
    """A server's memory and processes; which request is granted when is the subclass's."""

    in_pieces = False
    restarted = False

    def __init__(self, card: Card, slots: int) -> None:
        """`slots` is how many requests each process is started for."""
        self.slots = slots
        self._card = card
        self._slots = {name: asyncio.Semaphore(min(slots, model.profile.slots)) for name, model in card.models.items()}
        self._loaded: set[str] = set()
        self._in_flight: Counter[str] = Counter()
        """Granted requests of each model."""
        self._used_at: dict[str, float] = {}

    @asynccontextmanager
    async def use(self, model: str, kind: Kind, *, within: float | None = None) -> AsyncGenerator[Server]:  # noqa: ARG002  # they cannot tell
        """A request, from its first byte to its last."""
        request = Request(model)
        self._take(request)
        try:
            await request.granted
            async with self._slots[model]:
                yield self
        finally:
            granted = request.granted.done() and not request.granted.cancelled()
            if granted:
                self._in_flight[model] -= 1
                self._used_at[model] = asyncio.get_running_loop().time()
                self._finished(model)
            else:
                self._hung_up(request)

    async def checkpoint(self, *, rest_seconds: float) -> None:
        """None: a request keeps its slot until it is done."""

    def foresee(self, model: str) -> None:
        """Only a request tells a server that a model is wanted."""

    async def step_aside(self) -> None:
        """By hand (`ollama stop`, `/api/models/unload`), which both offer: idle at once, else when its requests end."""
        while any(model.in_memory for model in self._card.models.values()):
            for model in tuple(self._loaded):
                if not self._in_flight[model]:
                    await self._unload(model)
            await asyncio.sleep(0.25)

    def come_back(self) -> None:
        """The next request loads what it needs."""

    async def close(self) -> None:
        """Nothing to end."""

    def _take(self, request: Request) -> None:
        raise NotImplementedError

    def _finished(self, model: str) -> None:
        raise NotImplementedError

    def _hung_up(self, request: Request) -> None:
        raise NotImplementedError

    def _grant(self, request: Request) -> None:
        if not request.granted.done():
            self._in_flight[request.model] += 1
            request.granted.set_result(None)

    async def _load(self, model: str) -> None:
        await self._card.models[model].load()
        self._loaded.add(model)

    async def _unload(self, model: str) -> None:
        self._loaded.discard(model)
        await self._card.models[model].evict()
