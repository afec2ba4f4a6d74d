# ruff: noqa: RUF001  # typographic and full-width marks are what is looked for here
"""A streamed reply, cut into raw sentences as soon as each is certain.

Two steps: a filter takes out thoughts, tool calls and template tokens (and keeps code blocks whole),
then the text is cut. Both behave as if they saw one character after the other and look at nothing else, so the result
cannot depend on how the model happened to divide its text.

A mark ends a sentence once white space follows it; where what follows matters ("p.m. Then", "wait... what"), once that
is known. The first sentence may be cut at a clause when it gets long, so that the voice can begin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agent.policy import english as en
from agent.policy.markup import CLOSERS, FENCES, LINE_BREAKS, REPLY_ENDS, STARTS, THOUGHTS, is_tag, may_become_tag

CLAUSE_CHARACTERS = 16
"""A first clause is at least so long,"""
CLAUSE_AT_CHARACTERS = 56
"""and only split off once the first sentence has become so long."""
LONGEST_CHARACTERS = 240
"""Then a sentence is cut at a clause, or at least between words: voices drop what is longer."""

_CLOSING = "\"'”’»)\\]*_~`\U0001f000-\U0001faff☀-➿\ufe0f\u200d"
_QUOTES = "\"'”’»"
_MARK = re.compile(
    rf"(?P<mark>[.!?…]+)(?P<closing>[{_CLOSING}]*)(?=\s)|(?P<wide>[。！？]+[」』”’）]*)(?=[^」』”’）。！？])"
)
_CLAUSE = re.compile(r"(?<!\d)[,;:](?=\s)|,(?=\s+[^\d\s])|(?<=\s)[—–](?=\s)|(?<=\w)—(?=\w)")
_LAST_WORD = re.compile(r"([\w.&'’-]+)$")
_INITIAL = re.compile(r"(?:[A-HJ-Z]|(?:[A-Za-z]\.)+[A-Za-z])")
"""A single capital ("J. Smith", but "I" is a word) or letters with dots between them ("e.g", "U.S", "p.m")."""
_REST_OF_WORD = re.compile(r"[^\W_]+")
_NO_TAG = re.compile(rf"[^{re.escape(''.join(sorted(STARTS)))}]+")
_LIST_MARKER = re.compile(r"[\s*_>#]*\d{1,2}")


@dataclass(frozen=True, slots=True)
class Splitter:
    """A reply on its way from pieces to sentences."""

    in_thought: bool = False
    """True from the start for a model whose template opens a thought by itself."""
    unopened_thought: bool = False
    """A thought was closed that had not been opened: the next reply of this model should start `in_thought`."""
    pending: str = ""
    """Text of the sentence under way."""
    begun: bool = False
    """A sentence has been emitted; so the first clause is out."""
    closer: str = "</think>"
    fence: str = ""
    """What closes the open code block; empty outside of one."""
    code: str = ""
    held: str = ""
    """May become a tag."""
    over: bool = False
    """The model has ended its reply, whatever else it writes."""


def feed(splitter: Splitter, text: str) -> tuple[Splitter, tuple[str, ...]]:
    """Take a piece of the stream; the sentences that are certain now. A code block is one raw sentence."""
    sentences: list[str] = []
    position = 0
    while position < len(text):
        length = _inert(splitter, text, position)
        if length:
            splitter, ready = _taken(splitter, text[position : position + length])
        else:
            length = 1
            splitter, ready = _filtered(splitter, text[position])
        sentences += ready
        position += length
    return splitter, tuple(sentences)


def _inert(splitter: Splitter, text: str, position: int) -> int:
    """How many characters from here on cannot decide anything one by one, and so may be taken together."""
    if splitter.held or splitter.over:
        return 0
    if splitter.in_thought or splitter.fence:
        found = _NO_TAG.match(text, position)
        return len(found[0]) if found else 0
    if not splitter.pending[-1:].isalnum():
        return 0
    found = _REST_OF_WORD.match(text, position)
    so_far = len(splitter.pending)
    limit = CLAUSE_AT_CHARACTERS if so_far < CLAUSE_AT_CHARACTERS else LONGEST_CHARACTERS
    return min(len(found[0]), max(limit - so_far, 0)) if found else 0


def finish(splitter: Splitter) -> tuple[str, ...]:
    """The stream has ended; what is left. A thought that was not closed is dropped, an open code block is not."""
    sentences: list[str] = []
    while splitter.held:
        splitter, ready = _released(replace(splitter, held=""), splitter.held)
        sentences += ready
    sentences += [splitter.fence + splitter.code] if splitter.fence else []
    return (*sentences, *_nonempty(splitter.pending))


# --- the filter ------------------------------------------------------------------------------------------------------


def _filtered(splitter: Splitter, char: str) -> tuple[Splitter, tuple[str, ...]]:
    """Hold back what may become a tag; act on what is one; pass on the rest."""
    if splitter.over:
        return splitter, ()
    if not splitter.held and char not in STARTS:
        return _taken(splitter, char)
    held = splitter.held + char
    if may_become_tag(held):
        return replace(splitter, held=held), ()
    if is_tag(held) or held in FENCES:
        return _tagged(replace(splitter, held=""), held)
    return _released(replace(splitter, held=""), held)


def _released(splitter: Splitter, held: str) -> tuple[Splitter, tuple[str, ...]]:
    """No tag begins with all of this: one may have ended inside of it, and one may begin after the first character."""
    length = next((length for length in range(len(held), 0, -1) if is_tag(held[:length])), 0)
    if length:
        splitter, sentences = _tagged(splitter, held[:length])
    else:
        length = 1
        splitter, sentences = _taken(splitter, held[0])
    splitter, more = feed(splitter, held[length:])
    return splitter, (*sentences, *more)


def _tagged(splitter: Splitter, tag: str) -> tuple[Splitter, tuple[str, ...]]:
    if splitter.fence:
        return _in_code(splitter, tag)
    if splitter.in_thought:
        return replace(splitter, in_thought=tag != splitter.closer), ()
    if tag in FENCES:
        return replace(splitter, pending="", fence=tag, code=""), _nonempty(splitter.pending)
    if tag in LINE_BREAKS:
        return _taken(splitter, "\n")
    if tag in THOUGHTS:
        return replace(splitter, in_thought=True, closer=THOUGHTS[tag]), ()
    if tag in CLOSERS:
        return replace(splitter, pending="", unopened_thought=True), ()
    if tag in REPLY_ENDS and (splitter.begun or splitter.pending.strip()):
        return replace(splitter, pending="", over=True), _nonempty(splitter.pending)
    return splitter, ()


def _in_code(splitter: Splitter, text: str) -> tuple[Splitter, tuple[str, ...]]:
    if text != splitter.fence:
        return replace(splitter, code=splitter.code + text), ()
    block = f"{splitter.fence}{splitter.code}{splitter.fence}"
    return replace(splitter, begun=True, fence="", code=""), (block,)


# --- the cut ---------------------------------------------------------------------------------------------------------


def _taken(splitter: Splitter, text: str) -> tuple[Splitter, tuple[str, ...]]:
    """Pass text on to where it belongs, and cut."""
    if splitter.in_thought:
        return splitter, ()
    if splitter.fence:
        return _in_code(splitter, text)
    splitter = replace(splitter, pending=splitter.pending + text)
    sentences: list[str] = []
    while cut := _cut(splitter.pending, begun=splitter.begun):
        ready = _nonempty(splitter.pending[:cut])
        splitter = replace(splitter, pending=splitter.pending[cut:], begun=splitter.begun or bool(ready))
        sentences += ready
    return splitter, tuple(sentences)


def _nonempty(text: str) -> tuple[str, ...]:
    text = text.strip()
    return (text,) if text else ()


def _cut(pending: str, *, begun: bool) -> int:
    """Where the first certain sentence of the text ends; 0 if none does yet."""
    if newline := pending.find("\n") + 1:
        return newline
    for match in _MARK.finditer(pending):
        verdict = _ends_sentence(pending, match)
        if verdict is None:
            return 0
        if verdict:
            return match.end()
    if not begun and len(pending) >= CLAUSE_AT_CHARACTERS and (clause := _clause(pending)):
        return clause
    return _forced(pending) if len(pending) >= LONGEST_CHARACTERS else 0


def _ends_sentence(pending: str, match: re.Match[str]) -> bool | None:
    """Whether this mark ends a sentence; None if the next word must be seen first."""
    before, after = pending[: match.start()], pending[match.end() :].lstrip()
    if _encloses(before):
        return False
    if match["wide"]:
        return True
    quoted = bool(set(match["closing"]) & set(_QUOTES))
    if match["mark"] == ".":
        ends = _full_stop_ends(before, after)
    else:
        ends = True if set(match["mark"]) <= {"!", "?"} else _unless_lower(after)
    return _unless_lower(after) if ends and quoted else ends


def _full_stop_ends(before: str, after: str) -> bool | None:
    if _LIST_MARKER.fullmatch(before):
        return False
    found = _LAST_WORD.search(before)
    word = found[1] if found else ""
    lower = word.lower()
    if lower in en.NEVER_LAST or (lower in en.BEFORE_A_NAME and word[0].isupper()):
        return False
    if lower in en.BEFORE_A_FIGURE and (not after or after[0].isdigit()):
        return False if after else None
    if lower in en.PERHAPS_LAST:
        return _unless_lower(after)
    return not _INITIAL.fullmatch(word)


def _unless_lower(after: str) -> bool | None:
    return not after[0].islower() if after else None


def _encloses(before: str) -> bool:
    """The text ends inside of inline code, a link's words or the row of a table."""
    return before.count("`") % 2 == 1 or before.count("[") > before.count("]") or before.lstrip().startswith("|")


def _clause(pending: str) -> int:
    """The end of the last good clause so far."""
    ends = [match.end() for match in _CLAUSE.finditer(pending)]
    good = [
        end for end in ends if end >= CLAUSE_CHARACTERS and not _encloses(pending[:end]) and _balanced(pending[:end])
    ]
    return good[-1] if good else 0


def _balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count('"') % 2 == 0


def _forced(pending: str) -> int:
    return _clause(pending) or pending.rfind(" ") + 1 or len(pending)
