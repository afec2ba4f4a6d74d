"""Where the time of a turn went, told from the events alone.

A turn's measure is complete when its first sample sounds. A stage that a turn did not have counts 0; the silence that
was waited out between the words and the prompt has no stage of its own and is in the total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.events import (
    Event,
    HushIssued,
    LeaseGranted,
    ModelLoaded,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    Seconds,
    SentenceReady,
    SpeakingStarted,
    SpeechPaused,
    Turn,
    TurnMeasured,
    UtteranceHeard,
)

_MOST_TURNS = 8
"""Turns that never sound are forgotten, oldest first."""
_MODELS_OF_A_TURN = frozenset({"mind", "voice"})
"""What the ear and its recogniser wait for belongs to the words, not to the reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """When the latest utterance ended, paused and was understood."""

    ended_at: Seconds
    paused_at: Seconds | None
    heard_at: Seconds
    typed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A turn that has not sounded yet."""

    turn: Turn
    prompted_at: Seconds
    words: _Words | None
    """None when nobody spoke."""
    lease_wait_seconds: float = 0.0
    model_load_seconds: float = 0.0
    first_token_at: Seconds | None = None
    first_sentence_at: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is known of the turns under way."""

    paused_at: Seconds | None = None
    words: _Words | None = None
    turns: tuple[_Open, ...] = ()


def observe(ledger: Ledger, event: Event) -> tuple[Ledger, TurnMeasured | None]:
    """Take note of an event; the measure of a turn results when it begins to sound."""
    match event:
        case SpeechPaused():
            return replace(ledger, paused_at=event.at), None
        case UtteranceHeard():
            return replace(ledger, words=_words(ledger, event), paused_at=None), None
        case PromptIssued():
            words = ledger.words if event.heard else None
            turn = _Open(turn=event.turn, prompted_at=event.at, words=words)
            return replace(ledger, turns=(*ledger.turns, turn)[-_MOST_TURNS:]), None
        case HushIssued() | ReplyDeclined() | ReplyFailed():
            return _without(ledger, event.turn), None
        case SpeakingStarted():
            turn = next((turn for turn in ledger.turns if turn.turn == event.turn), None)
            return _without(ledger, event.turn), _measure(turn, event.at) if turn else None
        case LeaseGranted() | ModelLoaded() | SentenceReady():
            return replace(ledger, turns=_noted(ledger.turns, event)), None
        case _:
            return ledger, None


def _words(ledger: Ledger, event: UtteranceHeard) -> _Words:
    paused_at = ledger.paused_at
    if paused_at is not None and paused_at < event.speech_ended_at:
        paused_at = None  # the user went on after it
    return _Words(ended_at=event.speech_ended_at, paused_at=paused_at, heard_at=event.at, typed=event.source == "typed")


def _noted(turns: tuple[_Open, ...], event: LeaseGranted | ModelLoaded | SentenceReady) -> tuple[_Open, ...]:
    if isinstance(event, SentenceReady):
        return tuple(_with_sentence(turn, event) if turn.turn == event.turn else turn for turn in turns)
    if not turns or event.model not in _MODELS_OF_A_TURN:
        return turns
    *older, latest = turns  # only the latest turn is worked for
    if isinstance(event, LeaseGranted):
        waited = latest.lease_wait_seconds + event.waited_seconds
        return (*older, replace(latest, lease_wait_seconds=waited))
    within = min(event.seconds, event.at - latest.prompted_at)  # what was loaded ahead cost the turn nothing
    return (*older, replace(latest, model_load_seconds=latest.model_load_seconds + within))


def _with_sentence(turn: _Open, event: SentenceReady) -> _Open:
    if turn.first_sentence_at is not None:
        return turn
    return replace(turn, first_token_at=event.first_token_at, first_sentence_at=event.at)


def _without(ledger: Ledger, turn: Turn) -> Ledger:
    return replace(ledger, turns=tuple(known for known in ledger.turns if known.turn != turn))


def _measure(turn: _Open, at: Seconds) -> TurnMeasured:
    words = turn.words
    spoken = words if words and not words.typed else None
    started_at = words.ended_at if words else turn.prompted_at
    return TurnMeasured(
        at=at,
        turn=turn.turn,
        endpoint_ms=_ms(spoken.ended_at, spoken.paused_at) if spoken else 0.0,
        stt_ms=_ms(spoken.ended_at if spoken.paused_at is None else spoken.paused_at, spoken.heard_at)
        if spoken
        else 0.0,
        lease_wait_ms=turn.lease_wait_seconds * 1000,
        model_load_ms=turn.model_load_seconds * 1000,
        first_token_ms=_ms(turn.prompted_at, turn.first_token_at),
        first_sentence_ms=_ms(turn.first_token_at, turn.first_sentence_at),
        first_audio_ms=_ms(turn.first_sentence_at, at),
        total_ms=_ms(started_at, at),
    )


def _ms(start: Seconds | None, end: Seconds | None) -> float:
    return 0.0 if start is None or end is None else (end - start) * 1000
