"""The scheduler: the only writer of what is resident and who holds a lease.

    async with vram.lease("mind", owner="thinking", kind="replying") as lease:
        async for piece in mind.reply(messages):
            ...
            await lease.checkpoint()

Every decision is made by `agent.policy.leasing`; here its effects are applied, in order, by one loop that never waits.
A lease is a leaf: while holding one, await only the engine, and leave only when the engine has stopped.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self

from agent.bus import Bus
from agent.clock import Clock
from agent.engines.api import Facts
from agent.errors import EngineError, EngineFailed, EngineHung, LeaseRefused, ParleyError, WorkerDied
from agent.events import LeaseGranted, LeaseReleased, ModelEvicted, ModelLoaded, Seconds
from agent.policy.lease_queue import home_of, in_words, lease_of, wakes_at
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Closed,
    Died,
    Effect,
    Evict,
    Evicted,
    Foreseen,
    Grant,
    Happening,
    Kind,
    Left,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Measured,
    Refuse,
    Release,
    Residence,
    Skip,
    State,
    Suspend,
    TimePassed,
)
from agent.policy.leasing import step
from agent.settings import Heavy, VramSettings

_LOGGER = logging.getLogger(__name__)

_LOAD_GRACE_SECONDS: Final = 5.0
"""A load bounds itself; one that is not back so long after its bound is ended from here."""
_EVICT_SECONDS: Final = 4.0
"""An eviction bounds itself; after so long it is taken for done, and the log says so."""
_TURNS_OF_THE_LOOP: Final = 4
"""From the publication of a sentence until the routine that speaks it has asked for its lease, with one to spare."""
_EVICTIONS_KEPT: Final = 5
_SAID: Final[dict[Heavy, bool | None]] = {"auto": None, "yes": True, "no": False}


class Model(Protocol):
    """Something that is loaded into a process of its own and evicted by ending that."""

    on_died: Callable[[EngineError], None] | None
    """Called when the process of a loaded model ended without having been evicted."""

    async def load(self) -> Facts:
        """Load it into a fresh process. Raises a ParleyError; then, and when cancelled, no process is left."""
        ...

    async def evict(self) -> None:
        """End the process, if there is one; it is gone when this returns."""
        ...


class Memory(Protocol):
    """Where models are loaded into."""

    def free_mib(self) -> int | None:
        """What is free now; None if it cannot be read."""
        ...


class Plenty:
    """Memory for a machine without a GPU: there is always room."""

    def free_mib(self) -> int | None:
        """More than any model needs."""
        return 1 << 30


class Lease:
    """The right to run a model, for the length of a block."""

    def __init__(self, vram: Vram, model: str, owner: str, kind: Kind, deadline: Seconds) -> None:
        """Made by `Vram.lease`."""
        self.model: Final = model
        self.owner: Final = owner
        self.kind: Final[Kind] = kind
        self.deadline: Final = deadline
        self.number = 0
        """What the scheduler knows it by."""
        self.waited_seconds = 0.0
        """From asking to being granted, loading included; checkpoints add to it."""
        self.load_seconds = 0.0
        """How much of that the model was loading."""
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the lease is held; the scheduler's to set."""
        self._vram = vram

    async def __aenter__(self) -> Self:
        """Wait for the lease. Raises LeaseRefused at the deadline, or what the load of the model raised."""
        self._vram.ask(self)
        await self._be_granted()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lease back."""
        self._vram.leave(self)

    async def checkpoint(self, deadline: Seconds | None = None) -> None:
        """Let those go first who need the processor sooner; returns when the lease is held again.

        For a moment in which nothing asked of the engine is lost by waiting. `deadline` is when the lease is needed
        again at the latest; without one, everyone of the same kind who waits now goes first, and the patience is that
        of the beginning. Raises WorkerDied if the model's process ended, LeaseRefused at the deadline.
        """
        if self._vram.is_light(self.model):
            return
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        self._vram.check(self, deadline)
        await self._be_granted()

    async def _be_granted(self) -> None:
        try:
            await self.turn
        except (
            BaseException
        ):  # cancelled, perhaps after the grant or the refusal: whatever ends the wait ends the lease
            if not self.turn.cancelled():
                self.turn.exception()
            self._vram.leave(self)
            raise


class Vram:
    """One loop over what happens; use it as a block, which ends every model's process on the way out."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        settings: VramSettings,
        models: Mapping[str, Model],
        *,
        heavy: Mapping[str, Heavy] | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`heavy` is what the user says of each model (`auto` if absent); `memory` is plenty if not given."""
        self._bus = bus
        self._clock = clock
        self._models = models
        self._memory = memory or Plenty()
        self._patience = settings.lease_seconds
        said = {name: _SAID[(heavy or {}).get(name, "auto")] for name in models}
        self._state = State(
            models=tuple(Residence(name=name, heavy=said[name] is not False, setting=said[name]) for name in models),
            limits=Limits(idle_seconds=settings.idle_seconds, load_seconds=settings.load_seconds + _LOAD_GRACE_SECONDS),
        )
        self._numbers = itertools.count(1)
        self._leases: dict[int, Lease] = {}
        self._happenings: deque[Happening] = deque()
        self._applying = False
        self._wake: Seconds | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._facts: dict[str, Facts] = {}
        self._errors: dict[str, ParleyError] = {}
        self._expecting: dict[str, list[asyncio.Future[Facts]]] = {}
        self._evictions: deque[str] = deque(maxlen=_EVICTIONS_KEPT)
        for name, model in models.items():
            model.on_died = functools.partial(self._died, name)

    # --- what routines use ------------------------------------------------------------------------------------------

    def lease(self, model: str, *, owner: str, kind: Kind, deadline: Seconds | None = None) -> Lease:
        """The right to run `model`, to be entered; refused at `deadline` (else after the setting's patience).

        Of the same kind the earliest deadline goes first.
        """
        if deadline is None:
            deadline = Seconds(self._clock.now() + self._patience)
        return Lease(self, model, owner, kind, deadline)

    def is_light(self, model: str) -> bool:
        """Whether it may be active beside others; no while that is not known."""
        return not home_of(self._state, model).heavy

    def prefetch(self, model: str) -> None:
        """Load it soon if it fits beside what is there; never waits, never raises."""
        self._happen(Foreseen(self._clock.now(), model))

    async def prepare(self, model: str) -> Facts:
        """Load it if it fits beside what is there, and wait for that. Raises LeaseRefused or what the load raised."""
        if facts := self._facts.get(model):
            self.prefetch(model)  # it will be used, so it does not idle
            return facts
        if self._state.closed:
            raise LeaseRefused("Parley is stopping.")
        outcome: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._expecting.setdefault(model, []).append(outcome)
        self.prefetch(model)
        return await outcome

    def describe(self) -> dict[str, Any]:
        """Every model, everyone who waits and the last evictions, in words."""
        words: dict[str, Any] = in_words(self._state, self._clock.now())
        for name, facts in self._facts.items():
            words[name] += f"; {facts.engine}"
        return {**words, "last evictions": list(self._evictions)}

    async def __aenter__(self) -> Self:
        """Nothing is loaded before it is wanted."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Refuse everyone who waits and end every process; a second time nothing."""
        self._happen(Closed(self._clock.now()))
        for name in tuple(self._expecting):
            self._disappoint(name, LeaseRefused("Parley is stopping."))
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- what a lease uses ------------------------------------------------------------------------------------------

    def ask(self, lease: Lease) -> None:
        """Someone wants to run a model."""
        lease.number = next(self._numbers)
        self._leases[lease.number] = lease
        now = self._clock.now()
        self._happen(Asked(now, lease.number, lease.model, lease.owner, lease.kind, lease.deadline))

    def check(self, lease: Lease, deadline: Seconds | None) -> None:
        """A holder is at a checkpoint. Raises WorkerDied if its lease is void."""
        held = lease_of(self._state, lease.number)
        if held is None or held.void:
            raise WorkerDied(f"The {lease.model}'s worker ended while {lease.owner} used it.")
        self._happen(Checked(self._clock.now(), lease.number, next(self._numbers), deadline))

    def leave(self, lease: Lease) -> None:
        """A holder is done, or nobody waits for the lease any more."""
        if lease.number in self._leases:
            self._happen(Left(self._clock.now(), lease.number))
            self._leases.pop(lease.number, None)

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _happen(self, happening: Happening) -> None:
        """Take one step, and those that its effects bring about."""
        self._happenings.append(happening)
        if self._applying:
            return
        self._applying = True
        try:
            while self._happenings:
                self._state, effects = step(self._state, self._happenings.popleft())
                for effect in effects:
                    self._apply(effect)
        finally:
            self._applying = False
        self._set_alarm()

    def _set_alarm(self) -> None:
        now = self._clock.now()
        wake = wakes_at(self._state, now)
        if wake == self._wake:
            return
        if self._alarm:
            self._alarm.cancel()
        self._wake, self._alarm = wake, None
        if wake is not None:
            self._alarm = asyncio.get_running_loop().call_later(wake - now, self._ring, wake)

    def _ring(self, wake: Seconds) -> None:
        self._wake = None
        self._happen(TimePassed(max(wake, self._clock.now())))

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Grant():
                self._grant(effect)
            case Release(number, held_seconds):
                self._released(self._leases.pop(number), held_seconds)
            case Suspend(number, held_seconds):
                self._leases[number].turn = asyncio.get_running_loop().create_future()
                self._released(self._leases[number], held_seconds)
            case Refuse():
                self._refuse(effect)
            case Measure(model):
                self._happenings.append(Measured(self._clock.now(), model, self._memory.free_mib()))
            case Load(model):
                self._loads[model] = self._spawn(self._load(model), f"load {model}")
            case Evict(model, reason):
                self._spawn(self._evict(model, reason, self._loads.pop(model, None)), f"evict {model}")
            case Skip(model, reason):
                _LOGGER.info("%s is not loaded ahead: %s", model, reason)
                self._disappoint(model, LeaseRefused(reason))

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

    # --- leases -----------------------------------------------------------------------------------------------------

    def _grant(self, grant: Grant) -> None:
        lease = self._leases[grant.number]
        lease.waited_seconds += grant.waited_seconds
        lease.load_seconds += grant.load_seconds
        if not lease.turn.done():  # else its task was cancelled, and it leaves as soon as that runs
            lease.turn.set_result(None)
        self._bus.publish(
            LeaseGranted(
                at=self._clock.now(),
                model=lease.model,
                owner=lease.owner,
                light=grant.light,
                waited_seconds=grant.waited_seconds,
            )
        )

    def _released(self, lease: Lease, held_seconds: float) -> None:
        self._bus.publish(
            LeaseReleased(at=self._clock.now(), model=lease.model, owner=lease.owner, held_seconds=held_seconds)
        )

    def _refuse(self, refuse: Refuse) -> None:
        lease = self._leases.pop(refuse.number)
        if lease.turn.done():
            return
        match refuse.cause:
            case "load_failed":
                lease.turn.set_exception(_anew(self._errors[lease.model]))
            case "load_hung":
                lease.turn.set_exception(EngineHung(refuse.reason))
            case "died":
                lease.turn.set_exception(WorkerDied(refuse.reason))
            case _:
                lease.turn.set_exception(LeaseRefused(refuse.reason))

    # --- processes --------------------------------------------------------------------------------------------------

    async def _load(self, name: str) -> None:
        began = self._clock.now()
        try:
            facts = await self._models[name].load()
        except ParleyError as error:
            self._load_failed(name, error)
        except Exception as error:  # noqa: BLE001  # the edge of a worker: whatever it is, it is no load
            self._load_failed(name, EngineFailed(f"The {name} could not be loaded: {type(error).__name__}."))
        else:
            self._loaded(name, facts, began)

    def _loaded(self, name: str, facts: Facts, began: Seconds) -> None:
        if self._loads.get(name) is not asyncio.current_task():  # it was ended meanwhile, and did not heed it
            return
        now = self._clock.now()
        self._facts[name] = facts
        self._bus.publish(
            ModelLoaded(at=now, model=name, engine=facts.engine, seconds=now - began, vram_mib=facts.vram_mib)
        )
        self._happen(Loaded(now, name, facts.heavy, facts.vram_mib))
        for outcome in self._expecting.pop(name, []):
            if not outcome.done():
                outcome.set_result(facts)

    def _load_failed(self, name: str, error: ParleyError) -> None:
        _LOGGER.warning("%s could not be loaded: %s", name, error)
        self._errors[name] = error
        self._disappoint(name, error)
        self._happen(LoadFailed(self._clock.now(), name, str(error)))

    async def _evict(self, name: str, reason: str, load: asyncio.Task[None] | None) -> None:
        """End the process; the memory it held is free when `Evicted` happens."""
        if load and not load.done():
            load.cancel()
            self._disappoint(name, EngineHung(reason))
        try:
            async with asyncio.timeout(_EVICT_SECONDS):
                await self._models[name].evict()
        except Exception:
            _LOGGER.exception("the process of %s may not have ended", name)
        self._gone(name, reason)
        self._happen(Evicted(self._clock.now(), name))

    def _died(self, name: str, cause: EngineError) -> None:
        if name in self._facts:  # else it is being loaded, and the load raises it
            self._loads.pop(name, None)
            self._gone(name, f"its process ended: {cause}")
            self._happen(Died(self._clock.now(), name, str(cause)))

    def _gone(self, name: str, reason: str) -> None:
        if self._facts.pop(name, None):
            self._evictions.append(f"{name}: {reason}")
            self._bus.publish(ModelEvicted(at=self._clock.now(), model=name, reason=reason))

    def _disappoint(self, name: str, error: ParleyError) -> None:
        """Tell those who prepare a model that it will not come."""
        for outcome in self._expecting.pop(name, []):
            if not outcome.done():
                outcome.set_exception(_anew(error))


def _anew(error: ParleyError) -> ParleyError:
    """The same error for someone else to raise: a traceback belongs to one task."""
    return type(error)(*error.args)
