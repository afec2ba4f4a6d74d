"""Where the time of a turn went, told from the events alone.

A turn's measure is complete when its first sample sounds. Waiting for a lease and loading a model are told apart from
the stages in which they fell, so that these hold computing alone. A stage that a turn did not have counts 0; the
silence that was waited out between the words and the prompt has no stage of its own and is in the total.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agent.events import (
    Event,
    HushIssued,
    LeaseGranted,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Idle:
    """What a model did not compute for, before the first sound needed it."""

    waiting: float = 0.0
    loading: float = 0.0

    @property
    def seconds(self) -> float:
        return self.waiting + self.loading


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
    mind: _Idle = field(default=_Idle())
    """Before its first sentence; a wait at a later checkpoint delays no first sound."""
    voice: _Idle = field(default=_Idle())
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
        case SentenceReady():
            turns = tuple(_with_sentence(turn, event) if turn.turn == event.turn else turn for turn in ledger.turns)
            return replace(ledger, turns=turns), None
        case LeaseGranted() if ledger.turns:
            *older, latest = ledger.turns  # only the latest turn is worked for
            return replace(ledger, turns=(*older, _with_lease(latest, event))), None
        case _:
            return ledger, None


def _words(ledger: Ledger, event: UtteranceHeard) -> _Words:
    paused_at = ledger.paused_at
    if paused_at is not None and paused_at < event.speech_ended_at:
        paused_at = None  # the user went on after it
    return _Words(ended_at=event.speech_ended_at, paused_at=paused_at, heard_at=event.at, typed=event.source == "typed")


def _with_lease(turn: _Open, lease: LeaseGranted) -> _Open:
    """What the ear and its recogniser wait for belongs to the words, not to the reply."""
    if lease.model == "mind" and turn.first_sentence_at is None:
        return replace(turn, mind=_longer(turn.mind, lease))
    return replace(turn, voice=_longer(turn.voice, lease)) if lease.model == "voice" else turn


def _longer(idle: _Idle, lease: LeaseGranted) -> _Idle:
    waited = lease.waited_seconds - lease.load_seconds
    return _Idle(waiting=idle.waiting + waited, loading=idle.loading + lease.load_seconds)


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
        lease_wait_ms=(turn.mind.waiting + turn.voice.waiting) * 1000,
        model_load_ms=(turn.mind.loading + turn.voice.loading) * 1000,
        first_token_ms=max(0.0, _ms(turn.prompted_at, turn.first_token_at) - turn.mind.seconds * 1000),
        first_sentence_ms=_ms(turn.first_token_at, turn.first_sentence_at),
        first_audio_ms=max(0.0, _ms(turn.first_sentence_at, at) - turn.voice.seconds * 1000),
        total_ms=_ms(started_at, at),
    )


def _ms(start: Seconds | None, end: Seconds | None) -> float:
    return 0.0 if start is None or end is None else (end - start) * 1000
