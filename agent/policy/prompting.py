"""When to prompt the language model, and when to hush it.

`decide` looks at a `Situation` and says what to do, by which rule, and why. The rules stand in `_RULES` in the order in
which they are asked; the first that has an opinion decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.events import Seconds, Turn
from agent.policy.daytime import QuietHours, time_of_day
from agent.policy.history import occasion
from agent.policy.situation import HOUR_SECONDS, Situation
from agent.policy.turn_taking import Waits, end_of_turn_wait

LONGEST_SPEECH_SECONDS = 120.0
"""A speech that has not ended by then no longer holds Parley back (a television, a stuck detector)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptingPolicy:
    """The numbers of the decision."""

    waits: Waits = field(default_factory=Waits)
    language: str = "en"
    transcribing_seconds: float = 25.0
    """The longest time the words may be awaited."""
    initiative: bool = True
    patience_seconds: float = 60.0
    chattiness: float = 0.5
    presence_seconds: float = 1800.0
    remarks_per_hour: int = 4
    unanswered_limit: int = 3
    quiet_hours: QuietHours | None = None


# --- verdicts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict's rule, its reason in one sentence, and when it may change by itself."""

    rule: str
    reason: str
    until: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt(Decision):
    """Begin a turn."""

    tentative: bool = False
    heard: str = ""
    occasion: str = ""
    verbatim: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Decision):
    """Let the tentative turn sound."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush(Decision):
    """End the turn now."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Decision):
    """Something is going on; look again at the next event, at the latest at `until`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent(Decision):
    """There is nothing to say; `until` if time alone may change that."""


# --- what to do -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at the situation."""

    situation: Situation
    now: Seconds
    minute: float
    policy: PromptingPolicy


def decide(situation: Situation, now: Seconds, minute: float, policy: PromptingPolicy) -> Decision:
    """What to do now. `minute` is the local time in minutes since midnight."""
    look = _Look(situation=situation, now=now, minute=minute, policy=policy)
    for rule in _RULES:
        decision = rule(look)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def _not_ready(look: _Look) -> Decision | None:
    if look.situation.started_at is None:
        return Silent(rule="not_ready", reason="I am still starting.")
    return None


def _stuck(look: _Look) -> Decision | None:
    turn = look.situation.turn
    if turn and look.now >= turn.deadline:
        return Hush(rule="stuck", reason="My turn made no progress any more, so I end it.", turn=turn.turn)
    return None


def _user_speaking(look: _Look) -> Decision | None:
    since = look.situation.speech_since
    if since is None or look.situation.paused_at is not None:
        return None
    until = Seconds(since + LONGEST_SPEECH_SECONDS)
    if look.now >= until:
        return None
    turn = look.situation.turn
    if turn is None:
        return Wait(rule="user_speaking", reason="You are speaking.", until=until)
    if turn.sounding:
        return Hush(rule="barge_in", reason="You began to speak while I was speaking.", turn=turn.turn)
    if turn.pieces:
        return Hush(rule="user_went_on", reason="You went on before I had begun to speak.", turn=turn.turn)
    return Hush(rule="user_spoke_first", reason="You began to speak before I did.", turn=turn.turn)


def _transcribing(look: _Look) -> Decision | None:
    paused_at = look.situation.paused_at
    if paused_at is None:
        return None
    until = Seconds(paused_at + look.policy.transcribing_seconds)
    if look.now >= until:
        return None
    return Wait(rule="transcribing", reason="I am still making out your words.", until=until)


def _new_words(look: _Look) -> Decision | None:
    situation = look.situation
    if not situation.pieces:
        return None
    if situation.turn:
        return Hush(rule="new_words", reason="You said something new.", turn=situation.turn.turn)
    heard = " ".join(situation.pieces)
    complete_at, why = _complete_at(look, heard)
    if look.now >= complete_at:
        return Prompt(rule="turn_complete", reason=f"You have finished: {why}.", heard=heard)
    return Prompt(
        rule="turn_may_go_on",
        reason=f"I prepare an answer, but you may go on: {why}.",
        until=complete_at,
        tentative=True,
        heard=heard,
    )


def _tentative_turn(look: _Look) -> Decision | None:
    turn = look.situation.turn
    if not turn or not turn.tentative:
        return None
    complete_at, why = _complete_at(look, " ".join(turn.pieces))
    if look.now >= complete_at:
        return Commit(rule="turn_complete", reason=f"You have finished: {why}.", turn=turn.turn)
    return Wait(rule="turn_may_go_on", reason=f"You may go on: {why}.", until=complete_at)


def _turn_in_progress(look: _Look) -> Decision | None:
    turn = look.situation.turn
    if not turn:
        return None
    if turn.sounding:
        return Wait(rule="speaking", reason="I am speaking.", until=turn.deadline)
    return Wait(rule="thinking", reason="I am thinking of what to say.", until=turn.deadline)


def _from_outside(look: _Look) -> Decision | None:
    if not look.situation.requests:
        return None
    request = look.situation.requests[0]
    reason = "I say hello." if request.rule == "greeting" else "I was asked to say this."
    return Prompt(rule=request.rule, reason=reason, verbatim=request.text)


def _complete_at(look: _Look, heard: str) -> tuple[Seconds, str]:
    if look.situation.typed:
        return look.situation.speech_ended_at, "it was typed"
    wait = end_of_turn_wait(heard, look.policy.waits, look.policy.language)
    return Seconds(look.situation.speech_ended_at + wait.seconds), wait.reason


# --- starting by itself ---------------------------------------------------------------------------------------------


def _initiative_off(look: _Look) -> Decision | None:
    if not look.policy.initiative or look.policy.chattiness <= 0:
        return Silent(rule="initiative_off", reason="I only speak when spoken to; that is how I am set.")
    if look.situation.muted:
        return Silent(rule="muted", reason="The microphone is muted, so I could not hear your answer.")
    return None


def _something_sounds(look: _Look) -> Decision | None:
    if look.situation.speech_since is None:
        return None
    return Silent(rule="something_sounds", reason="Something has been sounding like speech for a long time.")


def _quiet_hours(look: _Look) -> Decision | None:
    hours = look.policy.quiet_hours
    left = hours.seconds_left(look.minute) if hours else 0.0
    if left <= 0:
        return None
    return Silent(rule="quiet_hours", reason=f"These are quiet hours ({hours}).", until=Seconds(look.now + left))


def _nobody_there(look: _Look) -> Decision | None:
    gone_at = look.situation.user_seen_at + look.policy.presence_seconds
    if look.now < gone_at:
        return None
    return Silent(rule="nobody_there", reason=f"You have not spoken for {_minutes(look.policy.presence_seconds)}.")


def _unanswered(look: _Look) -> Decision | None:
    if look.situation.unanswered < look.policy.unanswered_limit:
        return None
    reason = f"You did not answer my last {look.situation.unanswered} remarks, so I wait for you."
    return Silent(rule="unanswered", reason=reason)


def _hourly_cap(look: _Look) -> Decision | None:
    recent = [at for at in look.situation.remarks if look.now - at < HOUR_SECONDS]
    cap = look.policy.remarks_per_hour
    if len(recent) < cap:
        return None
    until = Seconds(recent[-cap] + HOUR_SECONDS) if cap else None
    return Silent(rule="hourly_cap", reason=f"I started by myself {len(recent)} times in the last hour.", until=until)


def _long_silence(look: _Look) -> Decision | None:
    situation = look.situation
    pause = pause_seconds(look.policy, situation.tries)
    since = max(situation.quiet_since, situation.tried_at)
    if look.now < since + pause:
        reason = f"It has been quiet for less than {_minutes(pause)}."
        return Silent(rule="patience", reason=reason, until=Seconds(since + pause))
    quiet = look.now - situation.quiet_since
    return Prompt(
        rule="long_silence",
        reason=f"It has been quiet for {_minutes(quiet)}, and this is a good moment.",
        occasion=occasion(quiet, time_of_day(look.minute), _hint(situation)),
    )


def pause_seconds(policy: PromptingPolicy, tries: int) -> float:
    """How long to be quiet before starting by itself after so many tries that led to nothing."""
    return policy.patience_seconds * (1.5 - policy.chattiness) * 2.0**tries


def _hint(situation: Situation) -> str:
    if situation.asked:
        return "You asked them something and they did not answer."
    if situation.unanswered == 1:
        return "This is the second time you start by yourself."
    return ""


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 2 * HOUR_SECONDS else f"{seconds / HOUR_SECONDS:.0f} hours"


_RULES: tuple[Callable[[_Look], Decision | None], ...] = (
    _not_ready,
    _stuck,
    _user_speaking,
    _transcribing,
    _new_words,
    _tentative_turn,
    _turn_in_progress,
    _from_outside,
    _initiative_off,
    _something_sounds,
    _quiet_hours,
    _unanswered,
    _nobody_there,
    _hourly_cap,
    _long_silence,
)
