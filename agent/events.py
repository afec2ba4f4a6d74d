"""Every event on the bus, in the order of a conversation.

An event is a fact: past tense, frozen, published by exactly one module. Sound never travels here.
Contracts: `SpeechStarted` is closed by one `UtteranceHeard` or `SpeechDiscarded`; `PromptIssued` by the first
`ReplyFinished`, `ReplyDeclined`, `ReplyFailed` or `HushIssued`; `SpeakingStarted` by one `SpeakingEnded`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

Seconds = NewType("Seconds", float)
"""Loop time since the start of the companion, or a length of time; always seconds."""

Turn = NewType("Turn", int)
"""The number of a turn; minted once by the Prompter, never used again."""

Verdict = Literal["prompt", "hush", "wait", "silent"]
DiscardReason = Literal["too_short", "noise", "echo", "low_confidence", "engine_failed", "muted", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have."""

    at: Seconds
    """When it happened."""


# --- the companion -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionStarted(Event):
    """Every routine runs; the microphone is open unless muted."""

    personality: str
    """The digest of the personality in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteChanged(Event):
    """The user closed or opened the microphone."""

    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SayRequested(Event):
    """Someone outside asked for a text to be spoken as it is (`parley say`, the greeting)."""

    text: str
    rule: Literal["said_from_outside", "greeting"]


# --- Listening -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    """The user began to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPaused(Event):
    """A soft end: the user is silent, and may go on."""

    silence_seconds: float
    """How long they have been silent, in audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialHeard(Event):
    """The words so far; they may still change."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceHeard(Event):
    """The words of one stretch of speech, or one typed line."""

    text: str
    audio_seconds: float
    """Length of the speech; 0 when typed."""
    confidence: float
    """0 to 1, as the engine gives it; 1 when typed."""
    source: Literal["voice", "typed"]
    speech_ended_at: Seconds
    """When the last voiced sample reached the microphone; equal to `at` when typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechDiscarded(Event):
    """What sounded like speech makes no utterance."""

    reason: DiscardReason
    voiced_seconds: float
    confidence: float
    detail: str
    """The numbers that decided, in words; never what was said."""


# --- Prompter ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """The verdict or its rule changed."""

    verdict: Verdict
    rule: str
    reason: str
    """One sentence for a person."""
    until: Seconds | None
    """When the verdict may change by itself; None if only an event can change it."""
    turn: Turn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptIssued(Event):
    """A turn of Parley's begins."""

    turn: Turn
    rule: str
    tentative: bool
    """True: work, but make no sound before `PromptCommitted`."""
    heard: str
    """What the user said, all pieces of the turn joined; empty when Parley starts by itself."""
    occasion: str
    """Why Parley starts by itself, told to the model; empty in a reply."""
    verbatim: str
    """A text to be spoken as it is; empty when the model is asked."""
    personality: str
    """The digest of the personality file in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCommitted(Event):
    """The tentative turn may now sound."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class HushIssued(Event):
    """The turn ends now: stop thinking, stop speaking, drop what is late."""

    turn: Turn
    rule: str


# --- Thinking ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceReady(Event):
    """One speakable piece of the reply."""

    turn: Turn
    index: int
    """0 for the first."""
    text: str
    first_token_at: Seconds
    """When the first token of the reply came; equal to `at` for a verbatim text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFinished(Event):
    """The reply is complete as text."""

    turn: Turn
    sentences: int
    """How many pieces were sent to be spoken; 0 means there was nothing speakable."""
    prompt_tokens: int
    reused_tokens: int
    """How many of the prompt's tokens were still in the model's memory from the turn before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyDeclined(Event):
    """The model chose silence."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFailed(Event):
    """No reply: the model could not be had, raised, hung or died."""

    turn: Turn
    error: str


# --- Speaking ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingStarted(Event):
    """The first sample of the turn reached the loudspeaker."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingEnded(Event):
    """The last sample of the turn was played, or it was stopped."""

    turn: Turn
    spoken: str
    """What was played, to the word."""
    interrupted: bool
    underruns: int
    """How often the loudspeaker ran dry in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingFailed(Event):
    """The voice could not say (the rest of) the turn."""

    turn: Turn
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMeasured(Event):
    """Where the time of a turn went, in milliseconds; 0 for a stage that the turn did not have."""

    turn: Turn
    endpoint_ms: float
    """Last voiced sample to the soft end."""
    stt_ms: float
    """Soft end to the words."""
    lease_wait_ms: float
    model_load_ms: float
    first_token_ms: float
    """Prompt to first token, without waiting and loading."""
    first_sentence_ms: float
    """First token to first sentence."""
    first_audio_ms: float
    """First sentence to the first sample played, waiting for the commit included, but not for a lease or a load."""
    total_ms: float
    """Last voiced sample (or the prompt, when nobody spoke) to the first sample played."""


# --- Scheduler -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGranted(Event):
    """A model may be run."""

    model: str
    owner: str
    light: bool
    waited_seconds: float
    """Since it was asked for, loading included."""
    load_seconds: float = 0.0
    """How much of that the model was loading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseReleased(Event):
    """The model is no longer run."""

    model: str
    owner: str
    held_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapWeighed(Event):
    """In the middle of a reply, two models that do not fit together: finish first, or swap now."""

    reason: str
    """The decision, and the numbers that made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded(Event):
    """A model is resident."""

    model: str
    engine: str
    """Which engine and file, and why that one."""
    seconds: float
    footprint_mib: int
    """What its process takes of the memory it was loaded into."""
    heavy: bool
    """It may not be active beside another heavy one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvicted(Event):
    """A model's process has ended."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedAside(Event):
    """Every heavy model is ended, because others have the memory until `CameBack`."""

    reason: str
    """In words that can end a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack(Event):
    """Heavy models may be loaded again."""

    reason: str
    """In words that can end a sentence."""


# --- health --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineCrashed(Event):
    """A routine, or a worker process that is kept alive like one, ended unasked."""

    routine: str
    error: str
    retry_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineRestarted(Event):
    """A fresh instance runs."""

    routine: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineGaveUp(Event):
    """It crashed too often in a short time and stays down."""

    routine: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLost(Event):
    """A microphone or loudspeaker stopped delivering."""

    device: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFound(Event):
    """The same device is back."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalityChanged(Event):
    """The personality's file was read anew."""

    name: str
    digest: str
