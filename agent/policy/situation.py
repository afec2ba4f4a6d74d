"""All that the Prompter knows, and how each event changes it.

Nothing here lasts for ever: whatever is going on has a deadline, after which the rules in `prompting` pass it over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.events import (
    CompanionStarted,
    Event,
    HushIssued,
    MuteChanged,
    PromptCommitted,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    SayRequested,
    Seconds,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
    SpeakingStarted,
    SpeechDiscarded,
    SpeechPaused,
    SpeechStarted,
    Turn,
    UtteranceHeard,
)

LONGEST_THOUGHT_SECONDS = 60.0
"""A turn without any progress for so long is ended."""
SECONDS_A_CHARACTER = 0.15
"""Slow speech; what a turn may take to be spoken follows from it."""
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInProgress:
    """A turn of Parley's that is being thought or spoken."""

    turn: Turn
    rule: str
    pieces: tuple[str, ...]
    """What of the user's it answers."""
    tentative: bool
    own: bool
    """Parley started it by itself."""
    deadline: Seconds
    sounding: bool = False
    characters: int = 0
    """Length of the sentences so far."""
    replied: bool = False
    """The text is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the Prompter knows."""

    started_at: Seconds | None = None
    muted: bool = False
    open_speeches: int = 0
    """Stretches of speech whose words are not here yet; two when the user went on at once."""
    speech_since: Seconds | None = None
    """When the latest of them began; None if there is none."""
    paused_at: Seconds | None = None
    """The soft end of that speech."""
    pieces: tuple[str, ...] = ()
    """What the user said and no turn has answered."""
    typed: bool = False
    """The last piece was typed, so the turn is complete."""
    speech_ended_at: Seconds = Seconds(0.0)
    turn: TurnInProgress | None = None
    requests: tuple[SayRequested, ...] = ()
    user_seen_at: Seconds = Seconds(0.0)
    """The last sign of the user; the start counts as one."""
    quiet_since: Seconds = Seconds(0.0)
    """When the last one to speak ended."""
    tried_at: Seconds = Seconds(0.0)
    """When Parley last started by itself, or tried to."""
    tries: int = 0
    """How often it did so since the user's last words, declined ones too; each doubles the pause."""
    unanswered: int = 0
    """How many remarks were spoken since the user's last words."""
    asked: bool = False
    """The last thing Parley said was a question."""
    remarks: tuple[Seconds, ...] = ()
    """When Parley started by itself, within the last hour."""


def after_crash(situation: Situation) -> Situation:
    """What a fresh Prompter goes on with: whatever was open is closed, and no word is lost."""
    unheard = situation.turn.pieces if situation.turn and not situation.turn.sounding else ()
    return replace(
        situation, turn=None, pieces=(*unheard, *situation.pieces), open_speeches=0, speech_since=None, paused_at=None
    )


def advance(situation: Situation, event: Event) -> Situation:
    """The situation after the event."""
    match event:
        case CompanionStarted():
            return replace(situation, started_at=event.at, user_seen_at=event.at, quiet_since=event.at)
        case MuteChanged():
            return replace(situation, muted=event.muted, user_seen_at=event.at)
        case SayRequested():
            return replace(situation, requests=(*situation.requests, event))
        case SpeechStarted() | SpeechPaused() | SpeechDiscarded() | UtteranceHeard():
            return _after_user(situation, event)
        case PromptIssued() | PromptCommitted() | HushIssued():
            return _after_order(situation, event)
        case _:
            return _after_turn_event(situation, event)


def _after_user(situation: Situation, event: Event) -> Situation:
    match event:
        case SpeechStarted():
            speeches = situation.open_speeches + 1
            return replace(situation, open_speeches=speeches, speech_since=event.at, paused_at=None)
        case SpeechPaused():
            return replace(situation, paused_at=event.at)
        case SpeechDiscarded():
            return _one_speech_less(situation)
        case UtteranceHeard():
            voice = event.source == "voice"
            return replace(
                _one_speech_less(situation) if voice else situation,
                pieces=(*situation.pieces, event.text),
                typed=not voice,
                speech_ended_at=event.speech_ended_at,
                user_seen_at=event.at,
                quiet_since=event.at,
                tries=0,
                unanswered=0,
                asked=False,
            )
        case _:
            return situation


def _one_speech_less(situation: Situation) -> Situation:
    left = max(situation.open_speeches - 1, 0)
    if left:
        return replace(situation, open_speeches=left)
    return replace(situation, open_speeches=0, speech_since=None, paused_at=None)


def _after_order(situation: Situation, event: Event) -> Situation:
    turn = situation.turn
    match event:
        case PromptIssued():
            own = bool(event.occasion)
            return replace(
                situation,
                turn=TurnInProgress(
                    turn=event.turn,
                    rule=event.rule,
                    pieces=situation.pieces if event.heard else (),
                    tentative=event.tentative,
                    own=own,
                    deadline=Seconds(event.at + LONGEST_THOUGHT_SECONDS),
                ),
                pieces=() if event.heard else situation.pieces,
                requests=situation.requests[1:] if event.verbatim else situation.requests,
                tries=situation.tries + own,
                tried_at=event.at if own else situation.tried_at,
            )
        case PromptCommitted() if turn:
            return replace(situation, turn=replace(turn, tentative=False))
        case HushIssued() if turn and turn.turn == event.turn:
            unheard = () if turn.sounding else turn.pieces
            return replace(situation, turn=None, pieces=(*unheard, *situation.pieces))
        case _:
            return situation


def _after_turn_event(situation: Situation, event: Event) -> Situation:
    turn = situation.turn
    if turn is None or getattr(event, "turn", None) != turn.turn:
        return _after_late_sound(situation, event)
    match event:
        case SentenceReady():
            characters = turn.characters + len(event.text)
            turn = replace(turn, characters=characters, deadline=_patience_with(characters, event.at))
            return replace(situation, turn=turn, asked=event.text.rstrip().endswith("?"))
        case ReplyFinished():
            return replace(situation, turn=replace(turn, replied=True) if event.sentences else None)
        case ReplyFailed() if turn.characters:
            return replace(situation, turn=replace(turn, replied=True))
        case ReplyDeclined() | ReplyFailed() | SpeakingFailed():
            return replace(situation, turn=None)
        case SpeakingStarted():
            remarks = (*situation.remarks, event.at) if turn.own else situation.remarks
            return replace(
                situation,
                turn=replace(turn, sounding=True, deadline=_patience_with(turn.characters, event.at)),
                remarks=tuple(at for at in remarks if event.at - at < HOUR_SECONDS),
                unanswered=situation.unanswered + turn.own,
            )
        case SpeakingEnded():
            return replace(situation, turn=None, quiet_since=event.at)
        case _:
            return situation


def _after_late_sound(situation: Situation, event: Event) -> Situation:
    """The fading end of a turn that was hushed still ends a silence."""
    return replace(situation, quiet_since=event.at) if isinstance(event, SpeakingEnded) else situation


def _patience_with(characters: int, at: Seconds) -> Seconds:
    return Seconds(at + LONGEST_THOUGHT_SECONDS + characters * SECONDS_A_CHARACTER)
