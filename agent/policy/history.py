"""What was said, and what of it the model is shown.

One entry a turn, in the order of the prompts. Rendered, the record only ever grows at its end, so that the model finds
the beginning of each prompt in its memory; roles alternate, because many templates refuse anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agent.events import PromptIssued, Turn

MOST_ENTRIES = 96
"""More turns than any context holds."""
BLOCK = 32
"""Old entries go so many at a time: between two such moments the rendered beginning stays the same."""
_MOST_HUSHED = 64

INTERRUPTED = "[You were interrupted.]"
SAID_ALOUD = "[You were asked to say this aloud.]"
"""Stands before a reply that the model did not write."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One turn: what it answers, and what of the reply was heard."""

    turn: Turn
    user: str = ""
    """What the user said; empty when Parley started by itself."""
    occasion: str = ""
    """Why Parley started by itself."""
    reply: str = ""
    """What was played; empty while nothing was."""
    cut: bool = False
    """The reply was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The conversation so far."""

    entries: tuple[Entry, ...] = ()
    hushed: tuple[Turn, ...] = ()
    """The latest turns that were ended by an order."""


def prompted(history: History, prompt: PromptIssued) -> History:
    """A turn begins; its words or its occasion are recorded. The same turn again changes nothing.

    The words of earlier turns that nothing was played of, and that the prompt repeats, belong to the new turn.
    """
    if any(entry.turn == prompt.turn for entry in history.entries):
        return history
    if prompt.heard:
        return heard(history, prompt.turn, prompt.heard)
    return _appended(history, Entry(turn=prompt.turn, occasion=prompt.occasion or SAID_ALOUD))


def heard(history: History, turn: Turn, text: str) -> History:
    """The user said this, and the turn is to answer it."""
    return _appended(_without_repeated(history, text), Entry(turn=turn, user=text))


def played(history: History, turn: Turn, spoken: str, *, interrupted: bool) -> History:
    """The reply of a turn has been heard as far as `spoken`; nothing played leaves the turn unanswered."""
    entries = tuple(
        replace(entry, reply=spoken, cut=interrupted and bool(spoken)) if entry.turn == turn else entry
        for entry in history.entries
    )
    return replace(history, entries=entries)


def hushed(history: History, turn: Turn) -> History:
    """The turn was ended by an order; what of it was heard comes by `played`."""
    return replace(history, hushed=(*history.hushed, turn)[-_MOST_HUSHED:])


def messages(history: History, system_prompt: str, prompt: PromptIssued) -> tuple[Message, ...]:
    """What the model is shown for this prompt: the system prompt, the record up to the turn, its words or occasion.

    An interrupted reply ends with a dash and the next message says so. Words without a reply are joined with the
    next; an occasion that was passed over leaves nothing.
    """
    rendered = [Message("system", system_prompt)]
    said: list[str] = []
    for entry in prompted(history, prompt).entries:
        current = entry.turn == prompt.turn
        if entry.user or entry.reply or current:
            said.append(entry.user or entry.occasion)
        if current:
            break
        if entry.reply:
            rendered += (Message("user", _joined(said)), Message("assistant", entry.reply + " —" * entry.cut))
            said = [INTERRUPTED] if entry.cut else []
    rendered.append(Message("user", _joined(said)))
    return tuple(rendered)


def occasion(quiet_seconds: float, time_of_day: str, hint: str = "") -> str:
    """Why Parley is asked to say something by itself, for the model."""
    parts = (
        f"The user has been quiet for {duration(quiet_seconds)}.",
        f"It is {time_of_day}.",
        hint.strip(),
        "Say one short thing to them if it is worth it, or answer PASS.",
    )
    return f"[{' '.join(part for part in parts if part)}]"


def duration(seconds: float) -> str:
    """A length of time as a person says it: "40 seconds", "4 minutes", "2 hours"."""
    whole = max(round(seconds), 0)
    if whole < 60:  # a minute
        return _counted(whole, "second")
    minutes = round(whole / 60)
    if minutes < 60:  # an hour
        return _counted(minutes, "minute")
    hours = round(minutes / 60)
    return _counted(hours, "hour") if hours < 48 else _counted(round(hours / 24), "day")  # two days


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _appended(history: History, entry: Entry) -> History:
    *older, last = history.entries or (None,)
    kept = [old for old in older if old and (old.user or old.reply)]
    if last:
        kept.append(last)  # even if empty so far: its reply may still sound
    entries = (*kept, entry)
    return replace(history, entries=entries[BLOCK:] if len(entries) > MOST_ENTRIES else entries)


def _without_repeated(history: History, text: str) -> History:
    """Take from the unanswered turns at the end what `text` begins with."""
    answered = max((index for index, entry in enumerate(history.entries, 1) if entry.reply), default=0)
    for start in range(answered, len(history.entries)):
        words = " ".join(entry.user for entry in history.entries[start:] if entry.user)
        if words and f"{text} ".startswith(f"{words} "):
            emptied = tuple(replace(entry, user="") for entry in history.entries[start:])
            return replace(history, entries=(*history.entries[:start], *emptied))
    return history


def _joined(said: list[str]) -> str:
    """Pieces of speech become one line; what stands in brackets keeps a line of its own."""
    text = ""
    for piece in said:
        separator = "\n" if text.endswith("]") or piece.startswith("[") else " "
        text = f"{text}{separator}{piece}" if text else piece
    return text
