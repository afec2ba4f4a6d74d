"""What a policy is to the companion that lives under it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from agent.policy.lease_terms import Kind


class Right(Protocol):
    """The right to let a model work, inside its block."""

    restarted: bool
    """At the last checkpoint the model was unloaded: it must read its prompt again."""

    async def checkpoint(self, *, rest_seconds: float) -> None:
        """Let others go first, if that is the policy; there is work left for `rest_seconds`."""
        ...


class Policy(Protocol):
    """Who may use which model when."""

    slots: int
    """How many requests a model is let work on at once, where it can."""
    in_pieces: bool
    """A chore gives the model back after each sentence and goes on from there, because that is how it lets others go
    first; else it is one request from beginning to end."""

    def use(self, model: str, kind: Kind, *, within: float | None = None) -> AbstractAsyncContextManager[Right]:
        """Wait for the model, which is needed `within` so many seconds. Raises a ParleyError where it is refused."""
        ...

    def foresee(self, model: str) -> None:
        """The model will be needed in a moment."""
        ...

    async def step_aside(self) -> None:
        """A game wants the card: unload everything."""
        ...

    def come_back(self) -> None:
        """The game is over."""
        ...

    async def close(self) -> None:
        """The day is over."""
        ...
