# ruff: noqa: RUF001  # typographic and full-width marks are what is looked for here
"""A sentence that is too long for a voice, in portions that are not: cut where a reader would breathe."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|[、，；：]|(?<=\s)[—–](?=\s)")
_WORD_END = re.compile(r"(?=\s)")


def portions(text: str, longest: int) -> tuple[str, ...]:
    """The text in pieces of at most `longest` characters, none of them empty; only white space is lost.

    Each is cut after a sentence if one ends late enough, else after a clause, else between words. Only a word that is
    too long itself is cut through, which is how it is with languages that are written without blanks.
    """
    found: list[str] = []
    rest = text.strip()
    while len(rest) > longest:
        cut = _cut(rest, longest)
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return (*found, rest) if rest else ()


def _cut(text: str, longest: int) -> int:
    """Where the first portion ends: not in the first third, which would leave a few words standing alone."""
    for kind in (_SENTENCE_END, _CLAUSE_END, _WORD_END):
        ends = [match.end() for match in kind.finditer(text, 0, longest + 1) if match.end() <= longest]
        if ends and ends[-1] * 3 >= longest:
            return ends[-1]
    return longest
