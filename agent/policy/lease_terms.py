"""The words of the scheduler: what is asked of it, what it remembers, what it orders.

Times are `Seconds` since the start. Everything is frozen and can be hashed, so that states can be explored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.events import Seconds
from agent.policy.restarting import Health, RestartRules

Kind = Literal["hearing", "replying", "remark", "chore"]
"""What a lease is for. Somebody waits for the first two; a remark can wait; a chore is nobody's hurry."""

Phase = Literal["absent", "measuring", "blocked", "loading", "resident", "evicting"]
"""Where a model is. `measuring`: the room for it is being looked at; `blocked`: a lease has to end first."""

Form = Literal["full", "smaller", "light"]
"""As what a model is loaded. `smaller` takes less memory than `full`; `light` takes none, and is not heavy."""

Cause = Literal["expired", "load_failed", "load_hung", "no_room", "died", "yielded", "closed"]
"""Why a request is refused."""


# --- what is remembered ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds within which everything that is begun must end."""

    idle_seconds: float = 3600.0
    """A heavy model unused for so long is unloaded; 0 never."""
    linger_seconds: float = 3.0
    """A model that was just used stays so long, whatever a chore or a remark wants: it may be used again at once."""
    load_seconds: float = 120.0
    """A load that takes longer has hung."""
    hold_seconds: float = 120.0
    """A heavy lease neither released nor checked for so long is ended with the model's process."""
    remark_ages_seconds: float = 60.0
    """A remark that waited so long counts as urgent."""
    chore_ages_seconds: float = 300.0
    """So does a chore; both are longer than a reply, but nothing waits for ever."""
    reserve_mib: int = 0
    """Memory that is left to others."""
    guess_mib: int = 6144
    """What a model that was never measured is thought to need."""
    budget_mib: int | None = None
    """No more than this for all models together; None: all there is."""
    may_degrade: bool = False
    """What does not fit may be loaded in its light form, though Parley is not yielding."""
    restarts: RestartRules = RestartRules(free=1, longest_seconds=5.0, limit=None)  # noqa: RUF009  # it is frozen
    """How soon a model is loaded again that died or failed to load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Someone who waits for a lease."""

    number: int
    model: str
    owner: str
    kind: Kind
    asked_at: Seconds
    deadline: Seconds
    """It is refused then."""
    due: Seconds
    """Its order among its kind; the deadline, unless it gave way at a checkpoint."""
    place: int
    """Its order among equals."""
    suspended: bool = False
    """It held the lease and gave way at a checkpoint: half of its work lives in the model's process."""
    restarted: bool = False
    """It held the lease and lost its model's process to others: what it had done must be begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease that was granted."""

    request: Request
    since: Seconds
    until: Seconds
    """When it ends by force; never for a light model."""
    light: bool
    void: bool = False
    """Its model's process is being ended; it counts as active until that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residence:
    """A model, and where it is."""

    name: str
    heavy: bool
    """May not be active beside another heavy one. True while nothing is known, which errs on the safe side."""
    setting: bool | None = None
    """What the user said of `heavy`; None: what the engine says of itself, once it is loaded."""
    phase: Phase = "absent"
    since: Seconds = Seconds(0.0)
    """When the phase began."""
    used_at: Seconds = Seconds(0.0)
    """The end of its last lease, or the last sign that it will be needed."""
    loaded_at: Seconds = Seconds(0.0)
    load_seconds: float | None = None
    """How long its last load took; None if that was never measured."""
    forms: tuple[Form, ...] = ("full",)
    """What it can be loaded as, the best first."""
    form: Form = "full"
    """As what it is loaded, or is to be loaded next."""
    footprints: tuple[tuple[Form, int], ...] = ()
    """What it took in each form that was measured, in MiB."""
    renew: bool = False
    """Its next load is of its best form; a process in another form ends for that once nobody uses it."""
    for_chores: bool = True
    """Only chores have used it, and nobody foresaw it."""
    foreseen: bool = False
    """It will be needed soon: load it if there is room, or only a chore's model in the way."""
    health: Health = Health()  # noqa: RUF009  # it is frozen
    retry_at: Seconds = Seconds(0.0)
    """No load before this, because the last ones ended badly."""

    @property
    def footprint_mib(self) -> int | None:
        """What it takes in its form; None if that was never measured."""
        return 0 if self.form == "light" else dict(self.footprints).get(self.form)

    @property
    def takes_memory(self) -> bool:
        """It is heavy and not known to need no memory: there is no place for it while Parley is yielding."""
        return self.heavy and self.footprint_mib != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything the scheduler knows."""

    models: tuple[Residence, ...]
    limits: Limits = Limits()
    waiting: tuple[Request, ...] = ()
    """In no particular order."""
    leases: tuple[Held, ...] = ()
    yielding: str = ""
    """Why the memory is left to others just now; empty if it is not."""
    closed: bool = False


# --- what happens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happening:
    """What all happenings have."""

    at: Seconds


@dataclass(frozen=True, slots=True)
class TimePassed(Happening):
    """The moment of `wakes_at` came."""


@dataclass(frozen=True, slots=True)
class Asked(Happening):
    """Someone wants to run a model."""

    number: int
    """Larger than any before."""
    model: str
    owner: str
    kind: Kind
    deadline: Seconds
    """It is refused then."""
    due: Seconds
    """When it is needed: its order among its kind."""


@dataclass(frozen=True, slots=True)
class Left(Happening):
    """The one with this number is done, or no longer wants the lease."""

    number: int


@dataclass(frozen=True, slots=True)
class Checked(Happening):
    """A holder is at a checkpoint: it may be made to wait without harm."""

    number: int
    place: int
    """Larger than any number or place before."""
    deadline: Seconds | None
    """When it needs the lease again; None: after those who wait now."""
    rest_seconds: float = 0.0
    """How long the holder would still run, it thinks, before it is done."""


@dataclass(frozen=True, slots=True)
class Foreseen(Happening):
    """A model will be needed soon."""

    model: str


@dataclass(frozen=True, slots=True)
class Measured(Happening):
    """The answer to `Measure`."""

    model: str
    free_mib: int | None


@dataclass(frozen=True, slots=True)
class Loaded(Happening):
    """The answer to `Load`."""

    model: str
    heavy: bool
    footprint_mib: int


@dataclass(frozen=True, slots=True)
class LoadFailed(Happening):
    """The other answer to `Load`."""

    model: str
    error: str
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Died(Happening):
    """A resident model's process ended unasked."""

    model: str
    error: str


@dataclass(frozen=True, slots=True)
class Evicted(Happening):
    """The answer to `Evict`: the process is gone."""

    model: str


@dataclass(frozen=True, slots=True)
class Pressed(Happening):
    """Others need the memory: Parley yields it at once."""

    reason: str
    """In words that can end a sentence; never empty."""


@dataclass(frozen=True, slots=True)
class Relieved(Happening):
    """There is room again."""


@dataclass(frozen=True, slots=True)
class Closed(Happening):
    """Parley ends."""


# --- what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """The lease is held from now on."""

    number: int
    waited_seconds: float
    """Since it asked, loading included."""
    load_seconds: float
    """How much of the wait its model was loading."""
    light: bool
    restarted: bool = False
    """What the holder had half done with the model is gone, and must be begun again."""


@dataclass(frozen=True, slots=True)
class Release:
    """The lease is no longer held."""

    number: int
    held_seconds: float


@dataclass(frozen=True, slots=True)
class Suspend:
    """The lease is no longer held, and its holder waits to have it again."""

    number: int
    held_seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request is over."""

    number: int
    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Look how much memory is free."""

    model: str


@dataclass(frozen=True, slots=True)
class Load:
    """Start the model's process."""

    model: str
    form: Form


@dataclass(frozen=True, slots=True)
class Evict:
    """End the model's process, however far it is."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A foreseen model is not loaded ahead."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decide:
    """For the journal: what was decided by which numbers."""

    text: str


Effect = Grant | Release | Suspend | Refuse | Measure | Load | Evict | Skip | Decide
