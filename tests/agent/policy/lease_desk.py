"""A scheduler driven by hand, for the tests of its rules."""

from __future__ import annotations

import itertools
from typing import Any

from agent.events import Seconds
from agent.policy.lease_terms import (
    Asked,
    Checked,
    Effect,
    Evicted,
    Foreseen,
    Form,
    Happening,
    Left,
    Limits,
    Loaded,
    LoadFailed,
    Measured,
    Pressed,
    Refuse,
    Relieved,
    Residence,
    State,
    TimePassed,
)
from agent.policy.leasing import step

PLENTY = 1 << 30


class Desk:
    """A scheduler driven by hand: every effect is collected, and answered only when the test says so."""

    def __init__(self, *models: Residence, **limits: Any) -> None:
        self.state = State(models=models, limits=Limits(**limits))
        self.now = 0.0
        self.effects: list[Effect] = []
        self.numbers = itertools.count(1)

    def happen(self, happening: Happening) -> tuple[Effect, ...]:
        self.state, effects = step(self.state, happening)
        self.effects += effects
        return effects

    def ask(
        self,
        model: str,
        *,
        within: float = 20.0,
        due: float | None = None,
        kind: Any = "replying",
        owner: str = "someone",
    ) -> int:
        number = next(self.numbers)
        deadline = Seconds(self.now + within)
        due_at = deadline if due is None else Seconds(self.now + due)
        self.happen(Asked(Seconds(self.now), number, model, owner, kind, deadline, due_at))
        return number

    def leave(self, number: int) -> tuple[Effect, ...]:
        return self.happen(Left(Seconds(self.now), number))

    def check(self, number: int, within: float | None = None, rest_seconds: float = 0.0) -> tuple[Effect, ...]:
        deadline = None if within is None else Seconds(self.now + within)
        return self.happen(Checked(Seconds(self.now), number, next(self.numbers), deadline, rest_seconds))

    def load(self, model: str, *, heavy: bool = True, footprint_mib: int = 0, free_mib: int | None = PLENTY) -> None:
        if self.phase(model) == "measuring":
            self.happen(Measured(Seconds(self.now), model, free_mib))
        self.happen(Loaded(Seconds(self.now), model, heavy, footprint_mib))

    def evicted(self, model: str) -> None:
        self.happen(Evicted(Seconds(self.now), model))

    def measured(self, model: str, free_mib: int | None) -> tuple[Effect, ...]:
        return self.happen(Measured(Seconds(self.now), model, free_mib))

    def foreseen(self, model: str) -> tuple[Effect, ...]:
        return self.happen(Foreseen(Seconds(self.now), model))

    def resident(self, *models: str, footprint_mib: int = 0) -> None:
        for model in models:
            self.foreseen(model)
            self.load(model, footprint_mib=footprint_mib)
        self.effects.clear()

    def press(self, reason: str = "a game runs") -> tuple[Effect, ...]:
        return self.happen(Pressed(Seconds(self.now), reason))

    def relieve(self) -> tuple[Effect, ...]:
        return self.happen(Relieved(Seconds(self.now)))

    def out_of_memory(self, model: str) -> tuple[Effect, ...]:
        return self.happen(LoadFailed(Seconds(self.now), model, "CUDA error: out of memory", out_of_memory=True))

    def wait(self, seconds: float) -> tuple[Effect, ...]:
        self.now += seconds
        return self.happen(TimePassed(Seconds(self.now)))

    def home(self, model: str) -> Residence:
        return next(home for home in self.state.models if home.name == model)

    def phase(self, model: str) -> str:
        return self.home(model).phase

    def holds(self, number: int) -> bool:
        return any(lease.request.number == number and not lease.void for lease in self.state.leases)

    def refusal(self, number: int) -> Refuse | None:
        return next((e for e in self.effects if isinstance(e, Refuse) and e.number == number), None)


def heavy(name: str, *forms: Form, setting: bool | None = True) -> Residence:
    return Residence(name=name, heavy=True, setting=setting, forms=forms or ("full",))


def light(name: str, *forms: Form) -> Residence:
    return Residence(name=name, heavy=False, setting=False, forms=forms or ("full",))
