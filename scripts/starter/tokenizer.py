"""Byte-level BPE, trained here, and written so that llama.cpp's `gpt-2` pre-tokenizer gives the very same tokens.

A capital letter never joins a following letter: a name is then always a capital and a lower-case rest, which makes it
easy to copy and lets an unknown name look like every other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SPECIAL = ("<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
PAD, END = 0, 4
ROLES = {"system": 1, "user": 2, "assistant": 3}
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# GPT-2's rule, in the standard library's terms: \p{L} is a word character that is neither digit nor underscore.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def _byte_signs() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    signs = {byte: chr(byte) for byte in kept}
    for byte in range(256):
        if byte not in signs:
            signs[byte] = chr(256 + len(signs) - len(kept))
    return signs


_SIGNS = _byte_signs()


def _spelled(piece: str) -> tuple[str, ...]:
    return tuple(_SIGNS[byte] for byte in piece.encode())


class Tokenizer:
    """Vocabulary and merges; `encode` and `decode`."""

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        self.merges = merges
        self.tokens: list[str] = [*SPECIAL, *(_SIGNS[byte] for byte in range(256)), *(a + b for a, b in merges)]
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._bytes = {sign: byte for byte, sign in _SIGNS.items()}
        self._word = lru_cache(maxsize=50_000)(self._encode_word)

    def encode(self, text: str) -> list[int]:
        """Plain text to token numbers; special tokens are not looked for."""
        return [number for piece in _PIECES.findall(text) for number in self._word(piece)]

    def decode(self, numbers: Iterable[int]) -> str:
        """Token numbers to text; special tokens are left out."""
        signs = "".join(self.tokens[number] for number in numbers if number >= len(SPECIAL))
        return bytes(self._bytes[sign] for sign in signs).decode("utf-8", errors="replace")

    def _encode_word(self, piece: str) -> tuple[int, ...]:
        parts = list(_spelled(piece))
        while len(parts) > 1:
            rank, at = min((self._ranks.get((parts[i], parts[i + 1]), 1 << 30), i) for i in range(len(parts) - 1))
            if rank == 1 << 30:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._ids[part] for part in parts)

    def save(self, path: Path) -> None:
        """Write the merges as JSON."""
        path.write_text(json.dumps(self.merges), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what `save` wrote."""
        return cls([(a, b) for a, b in json.loads(path.read_text(encoding="utf-8"))])


def _may_join(left: str, right: str) -> bool:
    # Only ASCII capitals: the stand-in for a space, among others, counts as a capital too.
    return not (any("A" <= sign <= "Z" for sign in left) and "a" <= right[0] <= "z")


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learn merges until there are `vocabulary` tokens; ties are broken by spelling, so chance has no part in it."""
    counts = Counter(piece for text in texts for piece in _PIECES.findall(text))
    words = [(list(_spelled(piece)), count) for piece, count in sorted(counts.items()) if count > 1]
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[int]] = {}
    for number, (parts, count) in enumerate(words):
        for pair in pairwise(parts):
            pairs[pair] += count
            where.setdefault(pair, set()).add(number)
    merges: list[tuple[str, str]] = []
    while len(merges) + 256 + len(SPECIAL) < vocabulary:
        best = max((pair for pair in pairs if _may_join(*pair)), key=lambda pair: (pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        for number in where.pop(best, set()):
            _join(words[number], number, best, pairs, where)
        pairs.pop(best, None)
    return Tokenizer(merges)


def _join(
    word: tuple[list[str], int],
    number: int,
    best: tuple[str, str],
    pairs: Counter[tuple[str, str]],
    where: dict[tuple[str, str], set[int]],
) -> None:
    parts, count = word
    for pair in pairwise(parts):
        pairs[pair] -= count
    at = 0
    while at < len(parts) - 1:
        if (parts[at], parts[at + 1]) == best:
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        at += 1
    for pair in pairwise(parts):
        pairs[pair] += count
        where.setdefault(pair, set()).add(number)
