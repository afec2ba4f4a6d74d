"""What the scheduler orders of the models' processes: loads and evictions, measured, told and remembered.

Nothing here decides; each outcome goes back to the scheduler as a happening.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Protocol

from agent.bus import Bus
from agent.clock import Clock
from agent.engines.api import Facts
from agent.errors import EngineError, EngineFailed, EngineHung, LeaseRefused, OutOfMemory, ParleyError
from agent.events import ModelEvicted, ModelLoaded, Seconds
from agent.memory import Memory, wait_until_back
from agent.policy.lease_terms import Died, Evicted, Form, Happening, Loaded, LoadFailed

_LOGGER = logging.getLogger(__name__)

_EVICT_SECONDS: Final = 4.0
"""An eviction bounds itself; after so long it is taken for done, and the log says so."""
_BACK_SECONDS: Final = 2.0
"""How long to wait for the memory of an ended process; drivers need up to some tenths of a second."""
_BACK_SHARE: Final = 0.75
"""Of what a process held: so much must be seen to come back, for others may take some meanwhile."""
_EVICTIONS_KEPT: Final = 5


class Model(Protocol):
    """Something that is loaded into a process of its own and evicted by ending that."""

    forms: tuple[Form, ...]
    """As what it can be loaded, the best first."""
    on_died: Callable[[EngineError], None] | None
    """Called when the process of a loaded model ended without having been evicted."""

    @property
    def pid(self) -> int:
        """The number of the process and of its group; 0 if there is none."""
        ...

    async def load(self, form: Form) -> Facts:
        """Load it into a fresh process. Raises a ParleyError; then, and when cancelled, no process is left."""
        ...

    async def evict(self) -> None:
        """End the process, if there is one; it is gone when this returns."""
        ...

    async def pause(self) -> None:
        """Have it stand still in the middle of its work; when this returns it does. Raises EngineError."""
        ...

    def resume(self) -> None:
        """Let it go on; harmless if it runs or is gone."""
        ...

    def key(self, form: Form) -> str:
        """What its footprint in this form is remembered by. Raises ModelMissing."""
        ...


class Remembered(Protocol):
    """Footprints of earlier runs; `agent.footprints` keeps them in a file."""

    def get(self, key: str) -> Any:
        """`footprint_mib` and `load_seconds`, or None."""
        ...

    def remember(self, key: str, *, footprint_mib: int, load_seconds: float) -> None:
        """Keep a measurement."""
        ...


class Residency:
    """The models' processes."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        models: Mapping[str, Model],
        memory: Memory,
        remembered: Remembered | None,
        said: Mapping[str, bool | None],
        happen: Callable[[Happening], None],
    ) -> None:
        """`said` is what the user said of heaviness, if anything; `happen` takes what came of an order."""
        self._bus = bus
        self._clock = clock
        self._models = models
        self._memory = memory
        self._remembered = remembered
        self._said = said
        self._happen = happen
        self._tasks: set[asyncio.Task[None]] = set()
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._footprints: dict[str, int] = {}
        self._expecting: dict[str, list[asyncio.Future[Facts]]] = {}
        self.facts: dict[str, Facts] = {}
        """Of those that are resident."""
        self.errors: dict[str, ParleyError] = {}
        """What the last failed load raised."""
        self.evictions: deque[str] = deque(maxlen=_EVICTIONS_KEPT)
        """The last ones, with their reasons."""
        for name, model in models.items():
            model.on_died = partial(self._died, name)

    def known(self, name: str) -> tuple[tuple[tuple[Form, int], ...], float | None]:
        """What was measured of a model before this run: its footprints in MiB by form, and how long a load took."""
        footprints: list[tuple[Form, int]] = []
        load_seconds = None
        for form in self._models[name].forms if self._remembered else ():
            found = self._remembered.get(self._models[name].key(form)) if self._remembered else None
            if found:
                footprints.append((form, found.footprint_mib))
                load_seconds = found.load_seconds if load_seconds is None else load_seconds
        return tuple(footprints), load_seconds

    # --- orders -----------------------------------------------------------------------------------------------------

    def load(self, name: str, form: Form) -> None:
        """Begin to load; `Loaded` or `LoadFailed` will happen."""
        self._loads[name] = self._spawn(self._load(name, form), f"load {name}")

    def evict(self, name: str, reason: str) -> None:
        """Begin to end the process, however far it is; `Evicted` will happen."""
        self._spawn(self._evict(name, reason, self._loads.pop(name, None)), f"evict {name}")

    def disappoint(self, name: str, error: ParleyError) -> None:
        """Tell those who expect a model that it will not come."""
        for outcome in self._expecting.pop(name, []):
            if not outcome.done():
                outcome.set_exception(anew(error))

    def expect(self, name: str) -> asyncio.Future[Facts]:
        """What will be known of the model once it is loaded; or why it is not."""
        outcome: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._expecting.setdefault(name, []).append(outcome)
        return outcome

    async def emptied(self) -> None:
        """Wait until the processes that are being ended are gone."""
        while ending := [task for task in self._tasks if task.get_name().startswith("evict ")]:
            await asyncio.wait(ending)

    async def close(self) -> None:
        """Wait for everything that was begun."""
        for name in tuple(self._expecting):
            self.disappoint(name, LeaseRefused("Parley is stopping."))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            task.get_loop().call_exception_handler(
                {"message": "the scheduler failed", "exception": error, "task": task}
            )

    # --- loads ------------------------------------------------------------------------------------------------------

    async def _load(self, name: str, form: Form) -> None:
        began, free_mib = self._clock.now(), self._memory.free_mib()
        try:
            facts = await self._models[name].load(form)
        except ParleyError as error:
            self._load_failed(name, error)
        except Exception as error:  # noqa: BLE001  # the edge of a worker: whatever it is, it is no load
            self._load_failed(name, EngineFailed(f"The {name} could not be loaded: {type(error).__name__}."))
        else:
            self._loaded(name, form, facts, began, free_mib)

    def _loaded(self, name: str, form: Form, facts: Facts, began: Seconds, free_mib: int | None) -> None:
        if self._loads.get(name) is not asyncio.current_task():  # it was ended meanwhile, and did not heed it
            return
        now = self._clock.now()
        seconds = now - began
        footprint_mib = self._footprint_mib(name, facts, free_mib)
        self.facts[name], self._footprints[name] = facts, footprint_mib
        if self._remembered:
            key = self._models[name].key(form)
            self._remembered.remember(key, footprint_mib=footprint_mib, load_seconds=seconds)
        said = self._said.get(name)
        heavy = facts.heavy if said is None or form == "light" else said
        self._bus.publish(
            ModelLoaded(
                at=now, model=name, engine=facts.engine, seconds=seconds, footprint_mib=footprint_mib, heavy=heavy
            )
        )
        self._happen(Loaded(now, name, heavy, footprint_mib))
        if self._loads.get(name) is not asyncio.current_task():  # it took more than it may, and is ended again
            return
        for outcome in self._expecting.pop(name, []):
            if not outcome.done():
                outcome.set_result(facts)

    def _footprint_mib(self, name: str, facts: Facts, free_before_mib: int | None) -> int:
        """What the process takes: as is told of it, else by what is free less than before, else by its own word."""
        used_mib = self._memory.used_by_mib(self._models[name].pid)
        if used_mib is not None:
            return used_mib
        free_mib = self._memory.free_mib()
        if free_mib is None or free_before_mib is None:
            return facts.vram_mib
        return max(facts.vram_mib, free_before_mib - free_mib)

    def _load_failed(self, name: str, error: ParleyError) -> None:
        _LOGGER.warning("%s could not be loaded: %s", name, error)
        self.errors[name] = error
        out_of_memory = isinstance(error, OutOfMemory)
        if not out_of_memory:  # else it is tried once more, in a smaller form
            self.disappoint(name, error)
        self._happen(LoadFailed(self._clock.now(), name, str(error), out_of_memory=out_of_memory))

    # --- ends -------------------------------------------------------------------------------------------------------

    async def _evict(self, name: str, reason: str, load: asyncio.Task[None] | None) -> None:
        """End the process; the memory it held is free when `Evicted` happens."""
        if load and not load.done():
            load.cancel()
            self.disappoint(name, EngineHung(reason))
        free_mib = self._memory.free_mib()
        try:
            async with asyncio.timeout(_EVICT_SECONDS):
                await self._models[name].evict()
        except Exception:
            _LOGGER.exception("the process of %s may not have ended", name)
        await self._see_memory_back(name, free_mib)
        self._gone(name, reason)
        self._happen(Evicted(self._clock.now(), name))

    async def _see_memory_back(self, name: str, free_before_mib: int | None) -> None:
        footprint_mib = self._footprints.pop(name, 0)
        if not self._memory.lags or not footprint_mib or free_before_mib is None:
            return
        expected_mib = free_before_mib + round(footprint_mib * _BACK_SHARE)
        if await wait_until_back(self._memory, expected_mib, seconds=_BACK_SECONDS, clock=self._clock) is None:
            _LOGGER.warning(
                "the %d MiB of %s were not seen to come back within %g s", footprint_mib, name, _BACK_SECONDS
            )

    def _died(self, name: str, cause: EngineError) -> None:
        if name in self.facts:  # else it is being loaded, and the load raises it
            self._loads.pop(name, None)
            self._footprints.pop(name, None)
            self._gone(name, f"its process ended: {cause}")
            self._happen(Died(self._clock.now(), name, str(cause)))

    def _gone(self, name: str, reason: str) -> None:
        if self.facts.pop(name, None):
            self.evictions.append(f"{name}: {reason}")
            self._bus.publish(ModelEvicted(at=self._clock.now(), model=name, reason=reason))


def anew(error: ParleyError) -> ParleyError:
    """The same error for someone else to raise: a traceback belongs to one task."""
    return type(error)(*error.args)
