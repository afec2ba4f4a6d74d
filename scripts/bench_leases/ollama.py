"""The shape of Ollama's scheduler, from a reading of `server/sched.go` (ollama/ollama) and its FAQ; no code of it.

* One loop takes requests first come first served. A request for a loaded model goes to it at once; one for another is
  loaded if it fits beside the rest ("Block other requests until we get this pending request running").
* Where it does not fit, a model is unloaded: an idle one if there is one, else the loop waits until the requests of one
  have ended, and everybody behind waits too. Of the idle ones the least recently used goes. (The original takes the one
  with the shortest keep-alive, all the same by default, and says itself that this could be smarter; the least recently
  used is the kinder reading.)
* After a model's last request it stays for its keep-alive, by default 5 minutes, then it is unloaded.
* A process works on `OLLAMA_NUM_PARALLEL` requests at once, by default 1; up to three models are loaded, as many as
  there are here.

As tuned by its FAQ: keep-alive -1 (never unload), and 4 requests at once, the memory for that given free of charge.
What is left out would cost it: polling while memory comes back, its reserve of a fifth of the free memory.
"""

from __future__ import annotations

import asyncio

from typing_extensions import override

from scripts.bench_leases.hardware import Card
from scripts.bench_leases.servers import Request, Server

KEEP_ALIVE_SECONDS = 300.0


class Ollama(Server):
    """First come, first served."""

    def __init__(self, card: Card, *, keep_alive_seconds: float | None = KEEP_ALIVE_SECONDS, parallel: int = 1) -> None:
        """A `keep_alive_seconds` of None is for ever."""
        super().__init__(card, parallel)
        self._keep_alive_seconds = keep_alive_seconds
        self._pending: asyncio.Queue[Request] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.create_task(self._process_pending())

    @override
    def _take(self, request: Request) -> None:
        self._pending.put_nowait(request)

    @override
    def _hung_up(self, request: Request) -> None:
        """The loop skips it."""
        request.granted.cancel()

    @override
    def _finished(self, model: str) -> None:
        self._changed.set()
        if self._keep_alive_seconds is not None and not self._in_flight[model]:
            loop = asyncio.get_running_loop()
            self._expiries[model] = loop.call_later(self._keep_alive_seconds, self._expire, model)

    def _expire(self, model: str) -> None:
        if model in self._loaded and not self._in_flight[model]:
            task = asyncio.create_task(self._unload(model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _process_pending(self) -> None:
        while True:
            request = await self._pending.get()
            if request.granted.done():
                continue
            if request.model not in self._loaded:
                await self._make_room(request.model)
                await self._load(request.model)
            if expiry := self._expiries.pop(request.model, None):
                expiry.cancel()
            self._grant(request)
            if not self._in_flight[request.model]:  # its caller hung up while it was loaded
                self._finished(request.model)

    async def _make_room(self, model: str) -> None:
        while self._card.free_mib() < self._card.models[model].profile.footprint_mib:
            idle = [other for other in self._loaded if not self._in_flight[other]]
            if idle:
                await self._unload(min(idle, key=lambda other: self._used_at.get(other, 0.0)))
            elif self._loaded:
                self._changed.clear()
                await self._changed.wait()
            else:  # what expired is on its way out
                await asyncio.sleep(0.25)

    @override
    async def close(self) -> None:
        self._loop.cancel()
        for expiry in self._expiries.values():
            expiry.cancel()
