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
import itertools
import logging
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from agent.bus import Bus
from agent.clock import Clock
from agent.engines.api import Facts
from agent.errors import EngineHung, LeaseRefused, WorkerDied
from agent.events import LeaseGranted, LeaseReleased, Seconds, SwapWeighed
from agent.memory import Memory
from agent.policy.lease_checkpoints import would_hand_over
from agent.policy.lease_queue import home_of, lease_of, wakes_at
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Closed,
    Decide,
    Effect,
    Evict,
    Foreseen,
    Grant,
    Happening,
    Kind,
    Left,
    Limits,
    Load,
    Measure,
    Measured,
    Pressed,
    Refuse,
    Release,
    Relieved,
    Residence,
    Skip,
    State,
    Suspend,
    TimePassed,
)
from agent.policy.lease_words import in_words
from agent.policy.leasing import step
from agent.residency import Model, Remembered, Residency, anew
from agent.settings import Heavy, VramSettings

_LOGGER = logging.getLogger(__name__)

_LOAD_GRACE_SECONDS: Final = 5.0
"""A load bounds itself; one that is not back so long after its bound is ended from here."""
_TURNS_OF_THE_LOOP: Final = 4
"""From the publication of a sentence until the routine that speaks it has asked for its lease, with one to spare."""
_SAID: Final[dict[Heavy, bool | None]] = {"auto": None, "yes": True, "no": False}


class Lease:
    """The right to run a model, for the length of a block."""

    def __init__(self, vram: Vram, model: str, owner: str, kind: Kind, deadline: Seconds, due: Seconds) -> None:
        """Made by `Vram.lease`."""
        self.model: Final = model
        self.owner: Final = owner
        self.kind: Final[Kind] = kind
        self.deadline: Final = deadline
        self.due: Final = due
        self.number = 0
        """What the scheduler knows it by."""
        self.restarted = False
        """Others had the model's memory before the last grant, so that its process is another."""
        self.waited_seconds = 0.0
        """From asking to being granted, loading included; checkpoints add to it."""
        self.load_seconds = 0.0
        """How much of that the model was loading."""
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the lease is held; the scheduler's to set."""
        self._vram = vram
        self._paused = False

    async def __aenter__(self) -> Self:
        """Wait for the lease. Raises LeaseRefused at the deadline, or what the load of the model raised."""
        self._vram.ask(self)
        await self._be_granted()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lease back; the engine must be done with whatever it was asked."""
        self._resume()
        self._vram.leave(self)

    async def checkpoint(self, deadline: Seconds | None = None, *, rest_seconds: float = 0.0) -> bool:
        """Let those go first who need the processor sooner; returns when the lease is held again.

        False if others had the model's memory meanwhile, so that what it had half done must be begun again. The engine
        stands still meanwhile. `deadline` is when the lease is needed again at the latest; without one, everyone of the
        same kind who waits now goes first, and the patience is that of the beginning. `rest_seconds` is how long the
        work will still take, as the holder thinks. Raises WorkerDied if the model's process ended, LeaseRefused at the
        deadline.
        """
        if self._vram.is_light(self.model):
            return True
        self.restarted = False
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        if self._vram.would_hand_over(self, deadline, rest_seconds):
            self._paused = True
            await self._vram.pause(self.model)
        self._vram.check(self, deadline, rest_seconds)
        await self._be_granted()
        self._resume()
        return not self.restarted

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._vram.resume(self.model)

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
        memory: Memory,
        remembered: Remembered | None = None,
        heavy: Mapping[str, Heavy] | None = None,
    ) -> None:
        """`memory` is where they are loaded; `remembered` what they took before; `heavy` what the user says of each."""
        self._bus = bus
        self._clock = clock
        self._models = models
        self._memory = memory
        self._patience = settings.lease_seconds
        said = {name: _SAID[(heavy or {}).get(name, "auto")] for name in models}
        self._processes = Residency(bus, clock, models, memory, remembered, said, self._happen)
        self._state = State(
            models=tuple(self._residence(name, said[name]) for name in models),
            limits=Limits(
                idle_seconds=settings.idle_seconds,
                load_seconds=settings.load_seconds + _LOAD_GRACE_SECONDS,
                reserve_mib=settings.reserve_mib,
                budget_mib=settings.budget_mib or None,
                may_degrade=settings.degrade,
            ),
        )
        self._numbers = itertools.count(1)
        self._leases: dict[int, Lease] = {}
        self._happenings: deque[Happening] = deque()
        self._applying = False
        self._wake: Seconds | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def _residence(self, name: str, said: bool | None) -> Residence:
        footprints, load_seconds = self._processes.known(name)
        return Residence(
            name=name,
            heavy=said is not False,
            setting=said,
            forms=self._models[name].forms,
            footprints=footprints,
            load_seconds=load_seconds,
        )

    # --- what routines use ------------------------------------------------------------------------------------------

    def lease(
        self, model: str, *, owner: str, kind: Kind, deadline: Seconds | None = None, due: Seconds | None = None
    ) -> Lease:
        """The right to run `model`, to be entered; refused at `deadline` (else after the setting's patience).

        Of the same kind the first that is `due` goes first; without `due`, that is the deadline.
        """
        if deadline is None:
            deadline = Seconds(self._clock.now() + self._patience)
        return Lease(self, model, owner, kind, deadline, deadline if due is None else due)

    def is_light(self, model: str) -> bool:
        """Whether it may be active beside others; no while that is not known."""
        return not home_of(self._state, model).heavy

    def prefetch(self, model: str) -> None:
        """Load it soon if it fits beside what is there; never waits, never raises."""
        self._happen(Foreseen(self._clock.now(), model))

    async def prepare(self, model: str) -> Facts:
        """Load it if it fits beside what is there, and wait for that. Raises LeaseRefused or what the load raised."""
        if facts := self._processes.facts.get(model):
            self.prefetch(model)  # it will be used, so it does not idle
            return facts
        if self._state.closed:
            raise LeaseRefused("Parley is stopping.")
        outcome = self._processes.expect(model)
        self.prefetch(model)
        return await outcome

    # --- what the owner of the machine wants ------------------------------------------------------------------------

    def press(self, reason: str) -> None:
        """Step aside: end every process that takes memory, and load none such. `reason` can end a sentence."""
        self._happen(Pressed(self._clock.now(), reason))

    def relieve(self) -> None:
        """There is room again."""
        self._happen(Relieved(self._clock.now()))

    async def emptied(self) -> None:
        """Wait until the processes that are being ended are gone."""
        await self._processes.emptied()

    def describe(self) -> dict[str, Any]:
        """Every model, everyone who waits and the last evictions, in words."""
        words: dict[str, Any] = in_words(self._state, self._clock.now(), self._memory.free_mib())
        for name, facts in self._processes.facts.items():
            words[name] += f"; {facts.engine}"
        return {**words, "last evictions": list(self._processes.evictions)}

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
        await self._processes.close()

    # --- what a lease uses ------------------------------------------------------------------------------------------

    def ask(self, lease: Lease) -> None:
        """Someone wants to run a model."""
        lease.number = next(self._numbers)
        self._leases[lease.number] = lease
        now = self._clock.now()
        self._happen(Asked(now, lease.number, lease.model, lease.owner, lease.kind, lease.deadline, lease.due))

    def would_hand_over(self, lease: Lease, deadline: Seconds | None, rest_seconds: float) -> bool:
        """Whether a checkpoint now would let somebody else go first."""
        now = self._clock.now()
        return would_hand_over(self._state, lease.number, now, deadline=deadline, rest_seconds=rest_seconds)

    async def pause(self, model: str) -> None:
        """Have the model stand still. Raises EngineError."""
        await self._models[model].pause()

    def resume(self, model: str) -> None:
        """Let it go on."""
        self._models[model].resume()

    def check(self, lease: Lease, deadline: Seconds | None, rest_seconds: float) -> None:
        """A holder is at a checkpoint. Raises WorkerDied if its lease is void."""
        held = lease_of(self._state, lease.number)
        if held is None or held.void:
            raise WorkerDied(f"The {lease.model}'s worker ended while {lease.owner} used it.")
        self._happen(Checked(self._clock.now(), lease.number, next(self._numbers), deadline, rest_seconds))

    def leave(self, lease: Lease) -> None:
        """A holder is done, or nobody waits for the lease any more."""
        if lease.number in self._leases:
            self._happen(Left(self._clock.now(), lease.number))
            if lease_of(self._state, lease.number) is None:  # else it ends with its model's process
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
            case Load(model, form):
                self._processes.load(model, form)
            case Evict(model, reason):
                self._processes.evict(model, reason)
            case Skip(model, reason):
                _LOGGER.info("%s is not loaded ahead: %s", model, reason)
                self._processes.disappoint(model, LeaseRefused(reason))
            case Decide(text):
                self._bus.publish(SwapWeighed(at=self._clock.now(), reason=text))

    # --- leases -----------------------------------------------------------------------------------------------------

    def _grant(self, grant: Grant) -> None:
        lease = self._leases[grant.number]
        lease.waited_seconds += grant.waited_seconds
        lease.load_seconds += grant.load_seconds
        lease.restarted = grant.restarted
        if not lease.turn.done():  # else its task was cancelled, and it leaves as soon as that runs
            lease.turn.set_result(None)
        self._bus.publish(
            LeaseGranted(
                at=self._clock.now(),
                model=lease.model,
                owner=lease.owner,
                light=grant.light,
                waited_seconds=grant.waited_seconds,
                load_seconds=grant.load_seconds,
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
                lease.turn.set_exception(anew(self._processes.errors[lease.model]))
            case "load_hung":
                lease.turn.set_exception(EngineHung(refuse.reason))
            case "died":
                lease.turn.set_exception(WorkerDied(refuse.reason))
            case _:
                lease.turn.set_exception(LeaseRefused(refuse.reason))
