"""What was shown, for the terminal and for `docs/leasing.md`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from scripts.leasing_proof.equivalent import EQUIVALENT
from scripts.leasing_proof.exploration import Journey
from scripts.leasing_proof.mutants import MODULES
from scripts.leasing_proof.mutation import Outcome
from scripts.leasing_proof.walking import Walked
from tests.agent.policy.lease_rules import RULES

LEAST_STATES: Final = 1_000_000
LEAST_STEPS: Final = 100_000
LEAST_MUTANTS: Final = 40
LEAST_KILLED: Final = 0.95

_REST: Final = "**rest**: From every state a world in which everyone answers comes to rest, without anybody giving up."


@dataclass(slots=True)
class Part:
    """One of the three things that are shown."""

    title: str
    text: str
    claims: list[tuple[bool, str]] = field(default_factory=list[tuple[bool, str]])
    """Each with whether it holds."""

    @override
    def __str__(self) -> str:
        claims = "\n".join(f"{'pass' if holds else 'FAIL'}  {claim}" for holds, claim in self.claims)
        return f"## {self.title}\n\n{self.text}\n\n```\n{claims}\n```\n"


def exploration(journeys: Sequence[Journey]) -> Part:
    """Worlds with their states, and what is broken."""
    rows = [
        f"| {one.name} | {seen.worlds:,} | {seen.steps:,} | {seen.longest_way_to_rest} | {one.seconds:.0f} |"
        for one in journeys
        if (seen := one.seen)
    ]
    table = ["| world, visited to its end | states | steps | longest way to rest | seconds |", "|---|---|---|---|---|"]
    states = sum(one.seen.worlds for one in journeys if one.seen)
    claims = [(not one.broken, f"{one.name}: {one.broken or 'every rule holds in every state'}") for one in journeys]
    claims.append((states >= LEAST_STATES, f"{states:,} different states (at least {LEAST_STATES:,})"))
    return Part("Every state of small worlds", "\n".join([*table, *rows]), claims)


def walks(walked: Walked | None, broken: str) -> Part:
    """How far was walked."""
    if walked is None:
        return Part("Long walks", "They ended early.", [(False, broken)])
    text = (
        f"{walked.walks:,} walks of chance through a world of four models with three forms, times off the grid, and "
        "everything allowed for ever; each ends with the way to rest."
    )
    claim = f"{walked.steps:,} steps, and every rule holds in each (at least {LEAST_STEPS:,})"
    return Part("Long walks", text, [(walked.steps >= LEAST_STEPS, claim)])


def mutation(outcomes: Sequence[Outcome], share: str) -> Part:
    """What of the mutants was seen, module by module; who survived; and who is no mutant at all."""
    survivors = [one.mutant for one in outcomes if one.fate == "survived"]
    equal = [mutant for mutant in survivors if mutant.change in EQUIVALENT]
    missed = [mutant for mutant in survivors if mutant.change not in EQUIVALENT]
    wrong = [one.mutant for one in outcomes if one.fate != "survived" and one.mutant.change in EQUIVALENT]
    real = len(outcomes) - len(equal)
    killed = real - len(missed)
    lines = [f"{share}", "", "| module | mutants | killed | equivalent | survived |", "|---|---|---|---|---|"]
    for module in MODULES:
        counts = Counter(_verdict(one) for one in outcomes if one.mutant.module == module)
        lines.append(f"| {module} | {counts.total()} | {counts['killed']} | {counts['equal']} | {counts['missed']} |")
    endless = sum(one.fate == "endless" for one in outcomes)
    lines += ["", f"{endless} of those killed would have gone on for ever."]
    if missed:
        lines += ["", "Survivors:", "", *(f"* {one.place} ({one.rule}) `{one.change}`" for one in missed)]
    if equal:
        lines += ["", "Equivalent, because no test could tell:", ""]
        lines += [f"* {one.place} ({one.rule}) `{one.change}`: {EQUIVALENT[one.change]}" for one in equal]
    claims = [
        (real >= LEAST_MUTANTS, f"{real} mutants (at least {LEAST_MUTANTS}), and {len(equal)} that are equivalent"),
        (killed >= LEAST_KILLED * real, f"{killed} killed, {killed / max(real, 1):.1%} (at least {LEAST_KILLED:.0%})"),
        (not wrong, f"no mutant was killed that is said to be equivalent{''.join(f'; {one.change}' for one in wrong)}"),
    ]
    return Part("Mutants", "\n".join(lines), claims)


def _verdict(outcome: Outcome) -> str:
    if outcome.fate != "survived":
        return "killed"
    return "equal" if outcome.mutant.change in EQUIVALENT else "missed"


def document(parts: Sequence[Part], command: str, where: str, seconds: float) -> str:
    """The whole report."""
    rules = "\n".join(f"* **{rule.name}**: {rule.words}." for rule in RULES)
    return (
        "# What is shown of the scheduler\n\n"
        "What `scripts/prove_leasing` found out about `agent/policy/leasing.py` and its neighbours.\n\n"
        f"{dt.datetime.now().astimezone().date()}, {where}; it took {seconds / 60:.1f} minutes\n\n"
        f"```\n{command}\n```\n\n"
        "The rules that are held against every step (`tests/agent/policy/lease_rules.py`):\n\n"
        f"{rules}\n* {_REST}\n\n" + "\n".join(map(str, parts))
    )
