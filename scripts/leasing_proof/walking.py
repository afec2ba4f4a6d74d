"""Long walks of chance through a larger world than can be explored: times off the grid, everything allowed for ever.

Hypothesis takes them rather than a walk of our own, because it makes the story of a failure short by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from typing_extensions import override

from agent.events import Seconds
from agent.policy.lease_queue import wakes_at
from agent.policy.lease_terms import Checked, Happening, Left, Relieved, Residence, TimePassed
from tests.agent.policy.lease_rules import Broken
from tests.agent.policy.lease_worlds import World, advance, answers, happenings, settle, world

_LENGTH: Final = 100
"""Steps of one walk, before it goes to rest."""
_LONGEST_WAY: Final = 300
_WORLD: Final = world(
    Residence(name="mind", heavy=True, setting=True, forms=("full", "smaller", "light")),
    Residence(name="voice", heavy=True, setting=True),
    Residence(name="stt", heavy=True, forms=("full", "light")),
    Residence(name="ear", heavy=False, setting=False),
    sizes=(5, 4, 3, 0),
    asks=2
    * [
        *(("mind", "replying", 9, 3), ("mind", "chore", 9), ("mind", "remark", 3)),
        *(("voice", "replying", 5, 1), ("voice", "remark", 9), ("voice", "chore", 2)),
        *(("stt", "hearing", 3), ("stt", "chore", 9), ("ear", "hearing", 1)),
    ],
    again=True,
    rests=(0.0, 1.5, 9.0),
    checks=inf,
    mishaps=inf,
    foresights=inf,
    presses=inf,
)


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walks were."""

    walks: int
    steps: int


class Walk(RuleBasedStateMachine):
    """Anything happens at any time; the rules must hold of every step, and in the end all must come to rest."""

    walks = 0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).walks += 1
        self.world = _WORLD
        self.is_broken = False

    @rule(data=st.data(), seconds=st.floats(0.01, 0.6))
    def something_happens(self, data: st.DataObject, seconds: float) -> None:
        """One of all that the world can do; what makes it go on is likelier than what disturbs it."""
        now = Seconds(self.world.now)
        alarm = wakes_at(self.world.state, now) or now
        later = Seconds(now + seconds)
        everything = happenings(self.world)
        possible = [
            *everything,
            *8 * [answer for answer in answers(self.world) if not isinstance(answer, Left)],
            *3 * [check for check in everything if isinstance(check, Checked)],
            *3 * [TimePassed(later), TimePassed(max(now, min(alarm, later)))],
            *4 * [Relieved(now) for _ in self.world.state.yielding[:1]],
        ]
        self._take(data.draw(st.sampled_from(possible), label="happening"))

    @override
    def teardown(self) -> None:
        here: World | None = None if self.is_broken else self.world
        for _ in range(_LONGEST_WAY):
            if here is None:
                return
            here = settle(here)
        raise Broken("rest: not true that it is reached from everywhere")

    def _take(self, happening: Happening) -> None:
        type(self).steps += 1
        self.is_broken = True
        self.world = advance(self.world, happening)
        self.is_broken = False


def walk(steps: int) -> Walked:
    """Take about so many steps; raises what is wrong, with its short story."""
    Walk.walks = Walk.steps = 0
    how = settings(
        max_examples=ceil(steps / _LENGTH),
        stateful_step_count=_LENGTH,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
    )
    run_state_machine_as_test(Walk, settings=how)
    return Walked(Walk.walks, Walk.steps)
