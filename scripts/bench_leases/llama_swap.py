"""The shape of llama-swap's router, from a reading of its source and its guides; no code of it.

Read: `internal/router/scheduler/fifo.go`, `internal/router/group.go`, `internal/router/matrix_solver.go` and
`docs/kb/guides/routing/groups-and-matrix.md` of mostlygeek/llama-swap.

* A request for a model that is ready, and that nobody is about to stop, is passed on at once, whoever waits: so
  A B C A B C becomes A A B B C C, which saves swaps.
* One for a model that is being started joins those who wait for it. Else a swap is started: what may not run beside it
  is stopped, then it is started. Where that would stop a process that still has requests, or one that is being
  started, the request waits in the queue.
* The queue is walked in order whenever a process has no more requests and whenever a swap is done.
* Which models may run beside each other is told by the configuration. Out of the box, none: one model at a time. The
  matrix is a list of sets that may; of those with the wanted model, the one is taken whose missing models cost least to
  have again, by their measured load times. Nothing is unloaded by time (`ttl` 0).

As it comes: no configuration. As tuned by its guide for the card: a matrix of all the sets that fit. In both each
process works on 4 requests at once, as llama-server does of itself (llama.cpp issue 17989), the memory for that given
free of charge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from typing_extensions import override

from scripts.bench_leases.hardware import Card
from scripts.bench_leases.servers import Request, Server

SLOTS = 4


def matrix(card: Card) -> list[frozenset[str]]:
    """Every set of models that fits into the card."""
    sizes = {name: model.profile.footprint_mib for name, model in card.models.items()}
    sets = [frozenset(some) for number in range(1, len(sizes) + 1) for some in combinations(sizes, number)]
    return [some for some in sets if sum(sizes[name] for name in some) <= card.room_mib]


@dataclass
class _Swap:
    """One that is under way."""

    evict: frozenset[str]
    waiters: list[Request] = field(default_factory=list)


class LlamaSwap(Server):
    """First in, first out, except for what is ready."""

    def __init__(self, card: Card, together: Sequence[frozenset[str]] = ()) -> None:
        """`together` are the sets whose members may run beside each other; whatever is in none runs alone."""
        super().__init__(card, SLOTS)
        self._together = together
        self._swaps: dict[str, _Swap] = {}
        self._queue: list[Request] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @override
    def _take(self, request: Request) -> None:
        if not self._begin(request):
            self._queue.append(request)

    @override
    def _hung_up(self, request: Request) -> None:
        """The queue forgets it; a swap that was begun for it goes on."""
        request.granted.cancel()
        self._queue = [other for other in self._queue if other is not request]

    @override
    def _finished(self, model: str) -> None:
        if not self._in_flight[model]:
            self._drain()

    def _drain(self) -> None:
        self._queue = [request for request in self._queue if not self._begin(request)]

    def _begin(self, request: Request) -> bool:
        """Serve it, or start what it needs; whether it need not wait in the queue."""
        if swap := self._swaps.get(request.model):
            swap.waiters.append(request)
            return True
        evict = self._eviction_for(request.model)
        if self._collides(request.model, evict):
            return False
        if request.model in self._loaded and not evict:
            self._grant(request)
            return True
        if any(self._in_flight[other] for other in evict):
            return False
        self._swaps[request.model] = _Swap(evict, [request])
        task = asyncio.create_task(self._swap(request.model, evict))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def _eviction_for(self, model: str) -> frozenset[str]:
        running = frozenset(self._loaded | self._swaps.keys())
        if model in running:
            return frozenset()
        sets = [beside for beside in self._together if model in beside] or [frozenset({model})]
        return min((running - beside for beside in sets), key=self._cost)

    def _cost(self, models: frozenset[str]) -> float:
        return sum(self._card.models[model].profile.load_seconds for model in models)

    def _collides(self, model: str, evict: frozenset[str]) -> bool:
        return any(other in evict or model in swap.evict or evict & swap.evict for other, swap in self._swaps.items())

    async def _swap(self, model: str, evict: frozenset[str]) -> None:
        await asyncio.gather(*(self._unload(other) for other in evict))
        await self._load(model)
        for waiter in self._swaps.pop(model).waiters:
            self._grant(waiter)
        self._drain()
