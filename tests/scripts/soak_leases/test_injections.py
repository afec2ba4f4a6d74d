"""Some of the soak: real processes that go wrong, and a scheduler that goes on. How long it takes is the soak's to say."""

from __future__ import annotations

import asyncio

import pytest

from scripts.soak_leases.house import furnished, simulated_card
from scripts.soak_leases.injections import Fault, Phase, inject


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        ("loading", "garbage"),
        ("granted", "exits"),
        ("in mid-stream", "will not pause"),
        ("suspended", "killed"),
        ("idle", "stopped"),
        ("being evicted", "will not end"),
        ("yielding", "stopped"),
    ],
)
def test_the_lease_is_free_nobody_is_left_and_the_next_turn_is_answered(phase: Phase, fault: Fault):
    async def main() -> None:
        with simulated_card() as card:
            async with furnished(card) as house:
                assert (await inject(house, phase, fault)).wrong == ()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_lease_that_somebody_keeps_is_found():
    async def main() -> None:
        with simulated_card() as card:
            async with furnished(card) as house, house.someone_at("voice") as has_it:
                await has_it.wait()
                assert house.unrest() == ["1 leases are still held"]

    asyncio.run(asyncio.wait_for(main(), 60))
