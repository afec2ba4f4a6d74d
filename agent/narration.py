"""Tells events to a person: which of them deserve a line, and what the line says. Nothing is printed here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final

from agent import events as e
from agent.events import Event, Seconds
from agent.journal import TEXT_FIELDS, Content, as_fields
from agent.wording import one_line, span

_SAME_RULE_SECONDS: Final = 60.0
"""A reason to stay silent is not told again before."""
_SHORT_WAIT_SECONDS: Final = 1.0
"""Waiting that ends by itself so soon is not worth a line."""

_STAGES: Final = {
    "endpoint_ms": "endpoint",
    "stt_ms": "stt",
    "lease_wait_ms": "lease",
    "model_load_ms": "load",
    "first_token_ms": "first token",
    "first_sentence_ms": "sentence",
    "first_audio_ms": "sound",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the terminal log."""

    label: str
    """One word: what kind of thing happened."""
    body: str
    note: str = ""
    """What stands back: rules, timings."""


class Narrator:
    """Turns each event into a line, or None. Remembers only what it needs for timings and for not repeating itself."""

    def __init__(self, content: Content, *, verbose: bool = False) -> None:
        """With `content` "nowhere" only the number of words is told; `verbose` gives every event a line."""
        self._texts = content != "nowhere"
        self._verbose = verbose
        self._prompted: tuple[e.Turn, Seconds] | None = None
        self._told: dict[str, Seconds] = {}

    def tell(self, event: Event) -> Line | None:
        """The event's line."""
        line = self._line(event)
        if line is None and self._verbose:
            return Line("event", type(event).__name__, self._fields(event))
        return line

    def _fields(self, event: Event) -> str:
        fields = as_fields(event, texts=self._texts)
        shown = {name: value for name, value in fields.items() if name not in {"at", "event"}}
        return one_line(
            " ".join(f'{name}="{value}"' if name in TEXT_FIELDS else f"{name}={value}" for name, value in shown.items())
        )

    def _said(self, text: str) -> str:
        if self._texts:
            return f'"{one_line(text)}"'
        words = len(text.split())
        return f"({words} word{'' if words == 1 else 's'})"

    @singledispatchmethod
    def _line(self, event: Event) -> Line | None:
        del event
        return None

    # --- the conversation -------------------------------------------------------------------------------------------

    @_line.register
    def _(self, event: e.CompanionStarted) -> Line:
        return Line("ready", "Parley listens. Ctrl+C ends it.", f"personality {event.personality}")

    @_line.register
    def _(self, event: e.MuteChanged) -> Line:
        return Line("muted", "The microphone is closed.") if event.muted else Line("ready", "The microphone is open.")

    @_line.register
    def _(self, event: e.UtteranceHeard) -> Line:
        if event.source == "typed":
            return Line("typed", self._said(event.text))
        return Line("heard", self._said(event.text), f"{event.audio_seconds:.1f} s, confidence {event.confidence:.2f}")

    @_line.register
    def _(self, event: e.SpeechDiscarded) -> Line | None:
        if self._told_lately(f"discarded {event.reason}", event.at):
            return None
        return Line("ignored", f"That was no utterance: {event.reason.replace('_', ' ')}.", one_line(event.detail))

    @_line.register
    def _(self, event: e.Decided) -> Line | None:
        if event.verdict in {"wait", "silent"}:
            ends_soon = event.until is not None and event.until - event.at < _SHORT_WAIT_SECONDS
            if (event.verdict == "wait" and ends_soon) or self._told_lately(event.rule, event.at):
                return None
        note = f"[{event.rule}]"
        if event.until is not None:
            note += f" may change in {span(event.until - event.at)}"
        return Line(event.verdict, one_line(event.reason), note)

    def _told_lately(self, what: str, at: Seconds) -> bool:
        last = self._told.get(what)
        if last is not None and at - last < _SAME_RULE_SECONDS:
            return True
        self._told[what] = at
        return False

    @_line.register
    def _(self, event: e.PromptIssued) -> None:
        self._prompted = (event.turn, event.at)

    @_line.register
    def _(self, event: e.SentenceReady) -> Line:
        note = ""
        if self._prompted and self._prompted[0] == event.turn:
            prompted = self._prompted[1]
            note = f"+{event.at - prompted:.2f} s"
            if event.index == 0 and event.first_token_at != event.at:
                note += f", first token +{event.first_token_at - prompted:.2f} s"
        return Line("says", self._said(event.text), note)

    @_line.register
    def _(self, event: e.ReplyDeclined) -> Line:
        return Line("pass", "The model chose to say nothing.", f"turn {event.turn}")

    @_line.register
    def _(self, event: e.ReplyFailed) -> Line:
        return Line("failed", f"No reply: {one_line(event.error)}", f"turn {event.turn}")

    @_line.register
    def _(self, event: e.SpeakingFailed) -> Line:
        return Line("failed", f"Not spoken: {one_line(event.error)}", f"turn {event.turn}")

    @_line.register
    def _(self, event: e.SpeakingEnded) -> Line | None:
        if event.interrupted:
            return Line("cut", f"Stopped after {self._said(event.spoken)}", f"turn {event.turn}")
        if event.underruns:
            times = "once" if event.underruns == 1 else f"{event.underruns} times"
            return Line("warning", f"The loudspeaker ran dry {times}.", f"turn {event.turn}")
        return None

    @_line.register
    def _(self, event: e.TurnMeasured) -> Line:
        stages = [(name, getattr(event, field)) for field, name in _STAGES.items()]
        ledger = " + ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in stages if round(milliseconds))
        return Line("timing", f"First sound after {event.total_ms / 1000:.2f} s", f"= {ledger} ms" if ledger else "")

    # --- models and health ------------------------------------------------------------------------------------------

    @_line.register
    def _(self, event: e.ModelLoaded) -> Line:
        memory = f", {event.footprint_mib} MiB" if event.footprint_mib else ""
        return Line("model", f"{event.model} is loaded: {one_line(event.engine)}", f"{event.seconds:.1f} s{memory}")

    @_line.register
    def _(self, event: e.ModelEvicted) -> Line:
        return Line("model", f"{event.model} is unloaded: {one_line(event.reason)}")

    @_line.register
    def _(self, event: e.SwapWeighed) -> Line:
        return Line("model", one_line(event.reason))

    @_line.register
    def _(self, event: e.SteppedAside) -> Line:
        return Line("model", f"Parley stepped aside: {one_line(event.reason)}.", "it answers from what is light")

    @_line.register
    def _(self, event: e.CameBack) -> Line:
        return Line("model", f"Parley came back: {one_line(event.reason)}.")

    @_line.register
    def _(self, event: e.RoutineCrashed) -> Line:
        body = f"{event.routine} crashed: {one_line(event.error)}"
        return Line("crash", body, f"starts again in {span(event.retry_seconds)}")

    @_line.register
    def _(self, event: e.RoutineRestarted) -> Line:
        return Line("ready", f"{event.routine} runs again.", f"attempt {event.attempt}")

    @_line.register
    def _(self, event: e.RoutineGaveUp) -> Line:
        return Line("crash", f"{event.routine} crashed too often and stays down: {one_line(event.error)}")

    @_line.register
    def _(self, event: e.DeviceLost) -> Line:
        return Line("device", f"{one_line(event.device)} is lost: {one_line(event.error)}", "trying again")

    @_line.register
    def _(self, event: e.DeviceFound) -> Line:
        return Line("device", f"{one_line(event.device)} is back.")

    @_line.register
    def _(self, event: e.PersonalityChanged) -> Line:
        return Line("ready", f"The personality is {one_line(event.name)}.", event.digest)
