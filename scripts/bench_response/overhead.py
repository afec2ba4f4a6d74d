"""Parley's own overhead: the whole time of a turn without the engines' critical path.

The critical path is what would remain if the daemon, the wire and every queue took no time: the silence that the ear
needs to be sure and its own work, the engine time of the transcript, the wait for the user to go on if that ends later
than the words are there, the language model up to the first whole sentence, the voice up to its first chunk. Engine
times are stamped inside the workers. A file as loudspeaker has no latency of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.events import Decided, Event, PromptCommitted, PromptIssued, SentenceReady, SpeakingStarted, UtteranceHeard
from agent.policy.reading import Reading, read
from scripts.bench_response.stage import Stage
from scripts.bench_response.stamped import Stamp

T = TypeVar("T")

_CLOSE_SECONDS = 0.001
"""The same moment on two clocks that count from different origins."""
EXPLANATION = (
    "Overhead is the time from the last voiced sample to the first sample played, less the critical path of the "
    "engines: the longer of (silence the ear needs and its work + transcript) and the wait chosen for the user to go "
    "on, then the model to its first sentence and the voice to its first chunk, all stamped inside the workers. "
    "So it holds the daemon, the wire, scheduling by the operating system, and every handover, but no engine; a file "
    "as loudspeaker adds no latency of a device."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where the time of one turn went, in seconds."""

    total: float
    """Last voiced sample (by the detector) to first sample played."""
    silence: float
    """Silence until the ear ended the segment."""
    ear: float
    """The ear's work on the last frame."""
    stt: float
    """From there on inside the recogniser, until the transcript."""
    wait: float
    """How much longer the wait for the user to go on lasted than all that (a tentative prompt: than the reply, too)."""
    mind: float
    """Inside the language model, until the first sentence was whole."""
    voice: float
    """Inside the voice, until its first chunk."""
    hops: Hops

    @property
    def overhead(self) -> float:
        """What is left."""
        return self.total - (self.silence + self.ear + self.stt + self.wait + self.mind + self.voice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    """Where the overhead arose. The first two cost a turn nothing while the wait for the user lasts longer."""

    frame: float
    """From the moment of a frame's last sample to the ear: sound worker, daemon, wire."""
    words: float
    """From the end that the ear told to the utterance on the bus, without the recogniser's own time."""
    prompt: float
    """From the utterance, or the end of the wait, to the language model: Prompter, lease, wire."""
    sentence: float
    """From the language model to the sentence on the bus, without the model's own time."""
    handover: float
    """From the sentence to the voice: lease, wire."""
    play: float
    """From the voice's first chunk to its first sample."""


@dataclass(frozen=True, slots=True)
class _Stamps:
    """What the workers noted, each with times in the daemon's seconds."""

    ear: Sequence[Stamp]
    stt: Sequence[Stamp]
    mind: Sequence[Stamp]
    voice: Sequence[Stamp]
    origin: float
    """The daemon's second 0 by the machine's monotonic clock."""


def turns(events: Sequence[Event], stage: Stage) -> list[Turn]:
    """Every turn that answered the user and was heard."""
    origin = -stage.clock.from_monotonic(0.0)
    stamps = _Stamps(*(stage.stamped(worker) for worker in ("ear", "stt", "mind", "voice")), origin=origin)
    prompts = [event for event in events if isinstance(event, PromptIssued) and event.heard]
    return [turn for prompt in prompts if (turn := _turn(prompt, events, stamps))]


def _turn(prompt: PromptIssued, events: Sequence[Event], stamps: _Stamps) -> Turn | None:
    words = _last(e for e in events if isinstance(e, UtteranceHeard) and e.at <= prompt.at)
    sentence = _first(e for e in events if isinstance(e, SentenceReady) and e.turn == prompt.turn)
    started = _first(e for e in events if isinstance(e, SpeakingStarted) and e.turn == prompt.turn)
    if words is None or sentence is None or started is None:
        return None
    end = _first(
        s for s in stamps.ear if abs(s.speech_ended_at - stamps.origin - words.speech_ended_at) < _CLOSE_SECONDS
    )
    if end is None:
        return None
    reply = _first(s for s in stamps.mind if s.began - stamps.origin >= prompt.at)
    voice = _first(s for s in stamps.voice if s.began - stamps.origin >= sentence.at)
    if reply is None or voice is None:
        return None
    stt = _inside_between(stamps.stt, end.ended, words.at + stamps.origin)
    mind = _until_sentence(reply)
    first_chunk = voice.results[0].inside_seconds
    path = end.silence_seconds + end.inside_seconds + stt
    commit, until = _waited(prompt, words, events)
    if prompt.tentative:
        path += mind + first_chunk
    return Turn(
        total=started.at - words.speech_ended_at,
        silence=end.silence_seconds,
        ear=end.inside_seconds,
        stt=stt,
        wait=max(0.0, min(until, commit) - words.speech_ended_at - path),
        mind=mind,
        voice=first_chunk,
        hops=Hops(
            frame=end.began - stamps.origin - words.speech_ended_at - end.silence_seconds,
            words=words.at - (end.ended - stamps.origin) - stt,
            prompt=reply.began - stamps.origin - (words.at if prompt.tentative else max(words.at, min(until, commit))),
            sentence=sentence.at - (reply.began - stamps.origin) - mind,
            handover=voice.began - stamps.origin - sentence.at,
            play=started.at - max(voice.results[0].given - stamps.origin, commit),
        ),
    )


def _waited(prompt: PromptIssued, words: UtteranceHeard, events: Sequence[Event]) -> tuple[float, float]:
    """When sound was allowed, and until when the user was given time to go on (0 if the words came after that)."""
    commit = prompt.at
    if prompt.tentative:
        committed = _first(e for e in events if isinstance(e, PromptCommitted) and e.turn == prompt.turn)
        commit = committed.at if committed else prompt.at
    chosen = _last(
        e for e in events if isinstance(e, Decided) and e.rule == "turn_may_go_on" and words.at <= e.at <= commit
    )
    return commit, chosen.until if chosen and chosen.until is not None else 0.0


def _inside_between(stamps: Iterable[Stamp], start: float, end: float) -> float:
    """Engine time within a stretch; what began before it counts for its share inside."""
    return sum(max(0.0, min(stamp.ended, end) - max(stamp.began, start)) for stamp in stamps)


def _until_sentence(reply: Stamp) -> float:
    """The model's own time until it had given what makes the first sentence certain."""
    reading = Reading()
    for result in reply.results:
        reading, sentences = read(reading, result.text)
        if sentences:
            return result.inside_seconds
    return reply.inside_seconds


def _first(found: Iterable[T]) -> T | None:
    return next(iter(found), None)


def _last(found: Iterable[T]) -> T | None:
    return next(iter(deque(found, maxlen=1)), None)
