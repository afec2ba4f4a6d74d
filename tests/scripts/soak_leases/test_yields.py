from __future__ import annotations

import asyncio

from scripts.soak_leases.house import furnished, simulated_card
from scripts.soak_leases.yields import give_way, watch


def test_a_stopped_model_makes_room_too_and_is_back_afterwards():
    async def main() -> None:
        with simulated_card() as card:
            async with furnished(card) as house:
                assert (await give_way(house, watch(house), "asked", "is stopped")).wrong == ()

    asyncio.run(asyncio.wait_for(main(), 60))
