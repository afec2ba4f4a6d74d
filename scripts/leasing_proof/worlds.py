"""The worlds that are explored to their end: each small, together everything that the scheduler can meet.

A MiB here is a unit of size: models take 5, 4 and 3, and `SMALL` bounds everything by one or two seconds, so that all
bounds are met. `again` worlds have no end: whoever was served asks again, and one request there is never refused.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Final

from agent.policy.lease_terms import Form, Residence
from tests.agent.policy.lease_worlds import SMALL, World, world


def _heavy(name: str, *forms: Form, known: bool = True) -> Residence:
    """A model that is heavy; if its setting is not known, because the user or the engine says so."""
    return Residence(name=name, heavy=True, setting=True if known else None, forms=("full", *forms))


_MIND, _VOICE, _STT = _heavy("mind"), _heavy("voice"), _heavy("stt", known=False)
_EAR: Final = Residence(name="ear", heavy=False, setting=False)

WORLDS: Final[dict[str, World]] = {
    "room for both": world(
        _MIND, _VOICE,
        asks=[("mind", "replying", 4), ("voice", "replying", 3), ("voice", "chore", 4)],
        checks=2, mishaps=1,
    ),
    "room for one": world(
        _MIND, _VOICE, total_mib=6,
        asks=[("mind", "replying", 4), ("voice", "replying", 4), ("voice", "chore", 4)],
        checks=2, rests=(0.0, 9.0), mishaps=1,
    ),
    "room for two of three": world(
        _MIND, _VOICE, _STT,
        asks=[("mind", "replying", 3), ("voice", "remark", 3), ("stt", "hearing", 2)],
        checks=1, mishaps=1,
    ),
    "foresight": world(
        _MIND, _VOICE, _STT,
        asks=[("mind", "replying", 3), ("voice", "chore", 4)],
        foresights=1, mishaps=1, endings=1,
    ),
    "out of memory": world(
        _heavy("mind", "smaller", "light"), _VOICE, total_mib=4, limits=replace(SMALL, may_degrade=True),
        asks=[("mind", "replying", 4), ("mind", "remark", 4), ("voice", "replying", 4)],
        checks=1, rests=(0.0, 9.0), mishaps=1,
    ),
    "yielding": world(
        _heavy("mind", "light"), _VOICE,
        asks=[("mind", "replying", 4), ("voice", "replying", 3), ("mind", "remark", 4)],
        checks=1, presses=2, mishaps=1,
    ),
    "deaths": world(
        _MIND, _VOICE, total_mib=6,
        asks=[("mind", "replying", 4), ("voice", "remark", 4), ("voice", "replying", 4)],
        checks=1, mishaps=inf,
    ),
    "processor": world(
        _MIND, _heavy("voice", "light"), _EAR, sizes=(0, 4, 0), limits=replace(SMALL, budget_mib=7, reserve_mib=1),
        asks=[("mind", "replying", 4), ("voice", "replying", 4), ("ear", "hearing", 2)],
        checks=1, presses=1, mishaps=1,
    ),
    "a chore among replies for ever": world(
        _MIND, _VOICE, again=True,
        asks=[("voice", "chore", inf), ("mind", "replying", 2), ("mind", "replying", 2), ("voice", "replying", 2)],
        checks=inf,
    ),
    "a chore that has no room beside replies for ever": world(
        _MIND, _VOICE, total_mib=6, again=True,
        asks=[("voice", "chore", inf), ("mind", "replying", 2), ("mind", "replying", 2)],
        checks=inf, rests=(0.0, 9.0),
    ),
    "a reply among three models for ever": world(
        _MIND, _VOICE, _STT, again=True,
        asks=[("voice", "replying", inf, 1), ("mind", "replying", 2), ("stt", "hearing", 1)],
        checks=inf,
    ),
}  # fmt: skip
