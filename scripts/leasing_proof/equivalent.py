"""Mutants that are no other program: what they do, nobody can tell from outside. Each has its argument."""

from __future__ import annotations

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "leasing._close: if home.phase != 'evicting': … → pass": (
        "at the end nobody wants anything: what is measured becomes absent with the answer, which comes, and what is "
        "blocked becomes so in `look_again`, in the same step"
    ),
    "leasing._close: state = put(state, now_in(home, 'absent', now)) → pass": "the same",
    "lease_queue.the module: 2 → 3": "ranks are only compared, with each other and with the greatest of them",
    "lease_checkpoints._requeued: deadline is None or due is None → deadline is None and due is None": (
        "both names were given the same value in the line before"
    ),
    "lease_room.start_loads: if not absent: … → pass": (
        "it saves time only: where nothing is absent and wanted, the loop that follows starts nothing"
    ),
}
"""By `Mutant.change`; `scripts/prove_leasing` fails if one of them is killed, or is no mutant any more."""
