"""What has to leave the memory so that a model can be loaded, and whether that is worth it in the middle of work.

The plan is made from figures read just before the load. It frees no more than is needed, takes what comes back
soonest, and touches nothing that is in use or wanted more urgently. What cannot be read does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from agent.events import Seconds

Outcome = Literal["load", "evict", "wait", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A heavy model that is in memory."""

    name: str
    footprint_mib: int
    """What ending it gives back."""
    reload_seconds: float
    """What having it again costs, as measured."""
    used_at: Seconds
    """When it was last of use."""
    pinned: str = ""
    """Why it may not leave now, in words; empty if it may."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a model that is wanted."""

    outcome: Outcome
    """`load` now; `evict` these and look again; `wait` until something in use is not; `refuse`: it cannot fit."""
    evict: tuple[str, ...]
    reason: str
    """One sentence for a person."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a holder's model leaves the memory in the middle of its work."""

    swap: bool
    reason: str
    """One sentence for a person, with the numbers."""


def plan_swap(
    name: str,
    need_mib: int | None,
    residents: Sequence[Resident],
    *,
    free_mib: int | None,
    reserve_mib: int = 0,
    guess_mib: int = 6144,
    allowed_mib: int | None = None,
) -> Plan:
    """Decide whether `name` can be loaded.

    `need_mib` is its measured footprint. Where that is None, because it was never loaded, `guess_mib` are made free if
    they can be had, else all there are. `free_mib` is None if it cannot be read. `allowed_mib` is what the models that
    are loaded leave of the budget; None if there is none.
    """
    if need_mib == 0:
        return Plan("load", (), f"The {name} needs no memory of the GPU.")
    if free_mib is None:
        return Plan("refuse", (), f"The free memory cannot be read, so the {name} is not loaded.")
    holding = [resident for resident in residents if resident.footprint_mib > 0]
    room_mib = free_mib - reserve_mib
    if allowed_mib is not None:
        room_mib = min(room_mib, allowed_mib)
    if need_mib is not None:
        return _plan_room(f"The {name} needs {need_mib} MiB", need_mib, holding, room_mib)
    plan = _plan_room(f"The {name}, not measured yet, may need {guess_mib} MiB", guess_mib, holding, room_mib)
    return _plan_all_there_is(name, holding, room_mib) if plan.outcome == "refuse" else plan


def _plan_room(need: str, need_mib: int, holding: Sequence[Resident], room_mib: int) -> Plan:
    lacking = need_mib - room_mib
    if lacking <= 0:
        return Plan("load", (), f"{need}, and {room_mib} MiB may be used.")
    movable = [resident for resident in holding if not resident.pinned]
    if victims := _cheapest(movable, lacking):
        return Plan("evict", _names(victims), f"{need}, and only {max(room_mib, 0)} MiB may be used.")
    pinned = [resident for resident in holding if resident.pinned]
    held_mib = sum(resident.footprint_mib for resident in holding)
    if pinned and held_mib >= lacking:
        return Plan("wait", (), f"{need}, and {pinned[0].pinned}.")
    return Plan("refuse", (), f"{need}, and no more than {max(room_mib + held_mib, 0)} MiB can be had.")


def _plan_all_there_is(name: str, holding: Sequence[Resident], room_mib: int) -> Plan:
    movable = [resident for resident in holding if not resident.pinned]
    if movable:
        return Plan("evict", _names(movable), f"What the {name} needs is not known yet: it gets all the room there is.")
    if holding:
        return Plan("wait", (), f"What the {name} needs is not known yet, and {holding[0].pinned}.")
    if room_mib <= 0:
        return Plan("refuse", (), f"There is no memory left for the {name}.")
    return Plan("load", (), f"What the {name} needs is not known yet: it is loaded to be measured.")


def _cheapest(movable: Sequence[Resident], lacking_mib: int) -> tuple[Resident, ...]:
    """The set that frees enough and is soonest back; of equal ones the smaller, then the one longest unused."""
    enough = (
        group
        for size in range(1, len(movable) + 1)
        for group in combinations(movable, size)
        if sum(resident.footprint_mib for resident in group) >= lacking_mib
    )
    return min(enough, key=_cost, default=())


def _cost(group: tuple[Resident, ...]) -> tuple[float, int, float]:
    return sum(resident.reload_seconds for resident in group), len(group), max(resident.used_at for resident in group)


def _names(residents: Sequence[Resident]) -> tuple[str, ...]:
    return tuple(resident.name for resident in residents)


# --- in the middle of work ------------------------------------------------------------------------------------------


def weigh_swap(
    holder: str,
    waiting: str,
    *,
    rest_seconds: float,
    reload_seconds: float | None,
    load_seconds: float | None,
) -> Decision:
    """Decide whether the model `holder`, which is in use, makes room for `waiting` now or is finished with first.

    `rest_seconds` is how long its work would still take: by so much a swap brings the other forward. It costs two loads
    that finishing first would save: the holder's again, which takes `reload_seconds`, and later once more that of the
    one who waits, which takes `load_seconds`. What was never measured (None) is not worth a swap.
    """
    if reload_seconds is None or load_seconds is None:
        unknown = holder if reload_seconds is None else waiting
        return Decision(False, f"The {holder} finishes first: how long the {unknown} takes to load is not known.")
    cost = reload_seconds + load_seconds
    loads = f"{cost:.1f} s (the {holder} {reload_seconds:.1f}, the {waiting} {load_seconds:.1f})"
    if rest_seconds > cost:
        return Decision(
            True,
            f"The {holder} makes room for the {waiting}, which begins {rest_seconds:.1f} s sooner; "
            f"two more loads cost {loads}.",
        )
    return Decision(
        False,
        f"The {holder} finishes first: the {waiting} would begin {rest_seconds:.1f} s sooner, "
        f"but two more loads cost {loads}.",
    )
