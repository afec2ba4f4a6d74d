"""Small things of wording that every line for a person needs."""

from __future__ import annotations


def one_line(text: str) -> str:
    """The text without line breaks and control characters: a model must not be able to steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def span(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
