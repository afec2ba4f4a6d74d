"""What follows from a checkpoint: the holder goes on, gives way to someone more urgent, or is swapped out for them.

Whoever gives way keeps the model in memory, because half of its work is there. Where the one who waits cannot be
loaded beside it, measured numbers decide whether to finish first or to swap (`swapping.weigh_swap`). Nobody loses half
done work twice: two who need each other's results alternate no more than pays, and everyone is done in the end.
"""

from __future__ import annotations

from dataclasses import replace

from agent.events import Seconds
from agent.policy.lease_changes import evict, restart
from agent.policy.lease_queue import RANKS, home_of, lease_of, next_heavy, queue
from agent.policy.lease_terms import Checked, Decide, Effect, Held, Request, State, Suspend
from agent.policy.swapping import weigh_swap


def would_hand_over(
    state: State, number: int, now: Seconds, *, deadline: Seconds | None = None, rest_seconds: float = 0.0
) -> bool:
    """Whether a checkpoint now would let somebody else go first; the arguments are those of `Checked`."""
    effects: list[Effect] = []
    place = 1 + max((request.place for request in state.waiting), default=number)
    checked(state, Checked(now, number, place, deadline, rest_seconds), effects)
    return any(isinstance(effect, Suspend) for effect in effects)


def checked(state: State, news: Checked, effects: list[Effect]) -> State:
    """Hand over if someone who could run now, or would after a swap that pays, goes before the holder."""
    lease = lease_of(state, news.number)
    if lease is None or lease.void or lease.light:
        return state
    back = _requeued(state, lease.request, news)
    others = tuple(other for other in state.leases if other is not lease)
    given_way = replace(state, leases=others, waiting=(*state.waiting, back))
    if next_heavy(given_way, news.at) not in (back, None):
        effects.append(Suspend(news.number, news.at - lease.since))
        return given_way
    blocked = _blocked_by(given_way, back, news.at) if news.rest_seconds > 0 else None
    if blocked and _swap_pays(state, back, blocked, news, effects):
        return _swapped(given_way, lease, blocked, news.at, effects)
    kept = replace(lease, until=Seconds(news.at + state.limits.hold_seconds))
    return replace(state, leases=(*others, kept))


def _requeued(state: State, request: Request, news: Checked) -> Request:
    """The holder as one who waits again: with its patience renewed, and without a deadline behind its like."""
    deadline = due = news.deadline
    if deadline is None or due is None:
        deadline = Seconds(news.at + request.deadline - request.asked_at)
        peers = (other.due for other in state.waiting if RANKS[other.kind] == RANKS[request.kind])
        due = max((deadline, *peers))
    return replace(request, asked_at=news.at, deadline=deadline, due=due, place=news.place, suspended=True)


def _blocked_by(given_way: State, back: Request, now: Seconds) -> Request | None:
    """The first of the queue, if all it lacks is the memory that the holder's model takes."""
    if back.restarted or any(request.suspended and request is not back for request in given_way.waiting):
        return None
    first = next(request for request in queue(given_way, now) if home_of(given_way, request.model).heavy)
    return first if home_of(given_way, first.model).phase == "blocked" else None


def _swap_pays(state: State, back: Request, blocked: Request, news: Checked, effects: list[Effect]) -> bool:
    decision = weigh_swap(
        back.model,
        blocked.model,
        rest_seconds=news.rest_seconds,
        reload_seconds=home_of(state, back.model).load_seconds,
        load_seconds=home_of(state, blocked.model).load_seconds,
    )
    effects.append(Decide(decision.reason))
    return decision.swap


def _swapped(given_way: State, lease: Held, blocked: Request, now: Seconds, effects: list[Effect]) -> State:
    """The holder waits to begin again, and its model leaves."""
    model = lease.request.model
    effects.append(Suspend(lease.request.number, now - lease.since))
    reason = f"made room for the {blocked.model} in the middle of its work"
    return evict(restart(given_way, model), home_of(given_way, model), reason, now, effects)
