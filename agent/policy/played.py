"""What of a reply was really heard."""

from __future__ import annotations

from collections.abc import Sequence


def words_played(sentences: Sequence[tuple[str, int]], samples_played: int) -> str:
    """The words within the first `samples_played` samples; `sentences` are texts with their lengths in samples.

    Within a sentence, sound is taken to be spread evenly over its characters; a word counts once it has ended.
    """
    heard: list[str] = []
    left = samples_played
    for text, samples in sentences:
        if left <= 0:
            break
        heard.append(text if left >= samples else _begin_of(text, left / samples))
        left -= samples
    return " ".join(part for part in heard if part)


def _begin_of(text: str, share: float) -> str:
    characters = round(len(text) * share)
    if characters >= len(text):
        return text
    begin = text[:characters]
    return begin.rstrip() if text[characters].isspace() else begin.rpartition(" ")[0]
