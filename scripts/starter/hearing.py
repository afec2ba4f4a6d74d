"""How a user's words reach the model: as a recogniser writes them, or as a person types them."""

from __future__ import annotations

import random
from functools import cache

from .phrases import TALK, slots


@cache
def alike() -> dict[str, str]:
    """Words that recognisers take for each other."""
    lines = (TALK / "alike.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def heard(words: str, rng: random.Random, names: tuple[str, ...] = (), *, noise: float = 0.2) -> str:
    """The phrase in one of the forms in which it may arrive. `names` are written with a capital when typed."""
    if rng.random() < 0.18:
        words = f"{rng.choice(slots()['filler'])} {words}"
    if noise >= 0.2:  # not where a name or a thing has to be remembered exactly
        words = _wrapped(words, rng)
    if rng.random() < 0.06:
        words = f"{words} {rng.choice(slots()['tail'])}"
    if rng.random() < 0.66:
        words = words.lower().replace(",", "")
        return _misheard(words, rng) if rng.random() < noise and words.count(" ") > 1 else words
    return _typed(words, rng, names)


def _wrapped(words: str, rng: random.Random) -> str:
    """With the small change that people put around what they say; much of it, so that it comes to mean nothing."""
    parts = words.split()
    if rng.random() < 0.12:
        parts.insert(0, rng.choice(slots()["before_question" if parts[0] in slots()["question"] else "before"]))
    if rng.random() < 0.12:
        parts.append(rng.choice(slots()["after"]))
    if rng.random() < 0.15 and len(parts) > 2:
        parts.insert(rng.randrange(1, len(parts)), rng.choice(slots()["within"]))
    return " ".join(parts)


def _misheard(words: str, rng: random.Random) -> str:
    """One or two of the errors that recognisers make: a small word lost, gained, or taken for another."""
    parts = words.split()
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(parts))
        kind = rng.random()
        if kind < 0.35 and parts[at] in slots()["dropped"] and len(parts) > 2:
            del parts[at]
        elif kind < 0.6:
            parts.insert(at, rng.choice(slots()["small"]))
        elif parts[at] in alike():
            parts[at] = alike()[parts[at]]
        elif kind > 0.93 and len(parts) > 3:
            parts[at] = rng.choice(slots()["noun"])
    return " ".join(parts)


def _typed(words: str, rng: random.Random, names: tuple[str, ...]) -> str:
    """Capitals and a mark at the end; sometimes only half of that, as people type."""
    first = words.split(maxsplit=1)[0].lower()
    proper = {name.lower(): name for name in names}
    parts = [_with_capital(word, proper) for word in words.split()]
    text = " ".join(parts)
    style = rng.random()
    mark = "?" if first in slots()["question"] else rng.choice((".", ".", ".", "!", ""))
    if style < 0.75:
        return text[0].upper() + text[1:] + mark
    if style < 0.9:
        return text[0].upper() + text[1:]
    return text.lower() + mark


def _with_capital(word: str, proper: dict[str, str]) -> str:
    if word in proper:
        return proper[word]
    if word == "i" or word.startswith("i'") or word in slots()["proper"]:
        return word[0].upper() + word[1:]
    return word


def garbled(rng: random.Random) -> str:
    """Words that make no sense together, as a recogniser makes them of a noise."""
    pool = (
        slots()["noun"] + slots()["adj"] + slots()["small"] * 3 + list(alike()) + slots()["snack"] + slots()["number"]
    )
    return " ".join(rng.choice(pool) for _ in range(rng.randint(2, 7)))
