"""The talk files: what people say, and what is answered.

A file is a list of families. `== name` opens one; inside it a line's first sign says what it is:

    <  something the user says          >  an answer          d> b> an answer in a dry voice
    w> an answer to "why"               m> to "tell me more"   y> n> to "yes" and "no"
    ~  (in exchanges) the conversation goes elsewhere for a while before the next line

A phrase may hold `[this|that|]` choices and `{slots}`. A slot keeps its value for a whole exchange, so that an answer
can take up what was said; `{Slot}` begins with a capital.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

TALK = Path(__file__).parent / "talk"
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_LINE = re.compile(r"^(<|~|[dwmyn]?>)\s*(.*)$")


@dataclass
class Family:
    """One intent: its phrasings and its answers by kind."""

    name: str
    """Unique over all files."""
    said: list[str] = field(default_factory=list)
    """What the user may say."""
    answers: dict[str, list[str]] = field(default_factory=dict)
    """Kind (`>`, `d>`, `w>`, …) to answers."""
    steps: list[tuple[str, list[str]]] = field(default_factory=list)
    """In order of the file: runs of lines with the same sign. Only exchanges need it."""


@cache
def families(file: str) -> dict[str, Family]:
    """Read one talk file; `-- name` and `== name` both open a family."""
    found: dict[str, Family] = {}
    current: Family | None = None
    for line in (TALK / file).read_text(encoding="utf-8").splitlines():
        if line.startswith(("== ", "-- ")):
            current = found.setdefault(line[3:].strip(), Family(line[3:].strip()))
        elif current is not None and (match := _LINE.match(line)):
            _add(current, match.group(1), match.group(2))
    return found


def _add(family: Family, sign: str, phrase: str) -> None:
    if sign == "<":
        family.said.append(phrase)
    elif sign != "~":
        family.answers.setdefault(sign, []).append(phrase)
    if family.steps and family.steps[-1][0] == sign:
        family.steps[-1][1].append(phrase)
    else:
        family.steps.append((sign, [phrase]))


@cache
def intents() -> dict[str, Family]:
    """All single-exchange families, from the numbered files."""
    found: dict[str, Family] = {}
    for path in sorted(TALK.glob("[0-9]_*.txt")):
        found.update(families(path.name))
    return found


@cache
def slots() -> dict[str, list[str]]:
    """Slot name to its values."""
    lines = (TALK / "slots.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: [value.strip() for value in values.split(",")] for name, values in pairs}


@cache
def names(file: str) -> list[str]:
    """Names of a file: one line of words, or a line separated by commas for names of several words."""
    found: list[str] = []
    for line in (TALK / file).read_text(encoding="utf-8").splitlines():
        found += [name.strip() for name in line.split(",")] if "," in line else line.split()
    return found


@cache
def _ways(phrase: str) -> int:
    """Of how many ways of saying it a phrase stands, many choices in one counting less."""
    choices = _CHOICE.findall(phrase)
    most = 6 if len(choices) > 1 else 60
    return min(60, math.prod(min(most, choice.count("|") + 1) for choice in choices))


def weight(family: Family) -> float:
    """How often a family should come up: families with more ways of being said come up more often."""
    return max(4.0, sum(map(_ways, family.said)) ** 0.6)


def said(family: Family, rng: random.Random, values: dict[str, str]) -> str:
    """Something that a user may say; a phrase with many choices comes up more often than one with few."""
    return fill(rng.choices(family.said, [_ways(phrase) ** 0.5 for phrase in family.said])[0], rng, values)


def fill(phrase: str, rng: random.Random, values: dict[str, str]) -> str:
    """Choose every choice and fill every slot; new slot values are written into `values`."""
    while match := _CHOICE.search(phrase):
        phrase = phrase[: match.start()] + rng.choice(match.group(1).split("|")) + phrase[match.end() :]

    def slot(match: re.Match[str]) -> str:
        name = match.group(1)
        key = name if name in values else name.lower()
        if key not in values and key == "yourperson":
            values[key] = values.get("person", "someone").replace("my ", "your ")
        # A number comes twice in a sum: it must not be the same number.
        if key not in values or key == "number":
            values[key] = rng.choice(slots()[key])
        value = values[key]
        proper = name[0].isupper() and not value.startswith("the ")
        return value[0].upper() + value[1:] if proper else value

    return " ".join(_SLOT.sub(slot, phrase).split()).replace(" ,", ",").replace(" ?", "?")


def sentence(phrase: str, rng: random.Random, values: dict[str, str]) -> str:
    """A filled answer; it begins with a capital letter."""
    text = fill(phrase, rng, values)
    return text[0].upper() + text[1:]
