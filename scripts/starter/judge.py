# ruff: noqa: S311 -- chance is seeded here, so that a run can be repeated
"""Which family an answer belongs to: that of the known answer most like it."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from itertools import pairwise

from .phrases import Family, families, intents, sentence

LIKE_ENOUGH = 0.5


def _words(text: str) -> list[str]:
    parts = re.findall(r"[a-z']+", text.lower())
    return parts + [f"{a} {b}" for a, b in pairwise(parts)]


def all_families() -> dict[str, Family]:
    """Single intents, exchanges and follow-ups."""
    return intents() | families("exchanges.txt") | families("followups.txt")


def known_answers(family: Family, rng: random.Random) -> list[str]:
    """Its direct answers with their slots filled, several times where there are any."""
    found: list[str] = []
    first = [phrases for sign, phrases in family.steps if sign in {">", "d>"}]
    for phrase in [p for phrases in first for p in phrases]:
        for _ in range(4 if "{" in phrase else 1):
            values = {
                "me": "Parley",
                "uc": "",
                "tod": rng.choice(("morning", "evening")),
                "name": "Tom",
                "last": "",
                "lname": "tom",
            }
            found.append(sentence(phrase, rng, values) or "")
    return found


class Judge:
    """Nearest known answer by words and pairs of words, rare ones counting more."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.answers = [
            (name, text)
            for name, family in all_families().items()
            if name != "repeat"
            for text in known_answers(family, rng)
        ]
        seen = Counter(word for _, text in self.answers for word in set(_words(text)))
        self.rarity = {word: math.log(1 + len(self.answers) / count) for word, count in seen.items()}
        self.vectors = [(name, self._vector(text)) for name, text in self.answers]

    def _vector(self, text: str) -> dict[str, float]:
        counts = {word: self.rarity.get(word, 4.0) for word in set(_words(text))}
        size = math.sqrt(sum(value * value for value in counts.values())) or 1.0
        return {word: value / size for word, value in counts.items()}

    def ranked(self, reply: str) -> list[tuple[float, str]]:
        """(likeness 0 to 1, family), the likest first."""
        own = self._vector(reply)
        scores = [
            (sum(value * other.get(word, 0.0) for word, value in own.items()), name) for name, other in self.vectors
        ]
        return sorted(scores, reverse=True)

    def nearest(self, reply: str) -> tuple[str, float]:
        """The likest family and how like it is."""
        score, name = self.ranked(reply)[0]
        return name, score

    def accepts(self, reply: str, accepted: set[str]) -> bool:
        """Whether one of the accepted families is the likest (or as like as the likest), and like enough."""
        ranked = self.ranked(reply)
        best = ranked[0][0]
        return best >= LIKE_ENOUGH and any(name in accepted for score, name in ranked if score >= best - 1e-6)


def confusion(lines: list[tuple[set[str], str, bool]], draws: int = 4) -> float:
    """How often a known answer of a family that is not accepted would pass for a held-out line: it should be rare."""
    known, rng = Judge(), random.Random(2)
    passed: list[bool] = []
    for accepted, *_ in lines:
        others = [text for name, text in known.answers if name not in accepted]
        passed += [known.accepts(rng.choice(others), accepted) for _ in range(draws)]
    return sum(passed) / len(passed)
