"""A conversation as the tokens of a prompt that fits the model's context."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Protocol

from agent.engines.chat_template import ChatTemplate
from agent.policy.context import fit
from agent.policy.history import Message

_LOGGER = logging.getLogger(__name__)
_SPARE_TOKENS = 8
"""Cut so much more from a message that is too long, as text does not always split again as it was."""


class Tokenizer(Protocol):
    """The model's own."""

    def tokenize(self, text: bytes, add_bos: bool = True, special: bool = False) -> list[int]:
        """Text to tokens; `special` looks for the template's."""
        ...

    def detokenize(self, tokens: list[int]) -> bytes:
        """And back."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it goes on by itself."""

    tokens: list[int]
    begun: list[int]
    """The last of them: what the model has said of the reply already."""
    dropped_messages: int
    """How many of the oldest messages did not fit."""


class PromptWriter:
    """Renders messages, leaves out old ones, and cuts what is too long by itself."""

    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer, budget: int, bos: str = "") -> None:
        """At most `budget` tokens; `bos` is the text of the token that begins every prompt, where there is one."""
        self._template = template
        self._tokenizer = tokenizer
        self._budget = budget
        self._bos = bos
        self._length = lru_cache(maxsize=4096)(self._content_tokens)
        two = [Message("user", "a"), Message("assistant", "a")]
        around = len(self.tokens([*two, *two])) - len(self.tokens(two))
        self._frame = (around + 1) // 2
        """How many tokens the template puts around a message, and one more."""

    def write(self, messages: Sequence[Message], begun: str = "") -> Prompt:
        """The prompt up to where the assistant begins to speak, and what it has said already.

        The messages are fitted without `begun`, so that the same are kept as when the reply began; it needs no more
        room than the reply does.
        """
        kept, tokens, dropped = self._fitted(messages)
        if not begun:
            return Prompt(tokens, [], dropped)
        whole = self.tokens(kept, begun)
        said = len(whole) - len(self.tokens(kept))
        return Prompt(whole[-(len(tokens) + said) :], whole[len(whole) - said :], dropped)

    def _fitted(self, messages: Sequence[Message]) -> tuple[list[Message], list[int], int]:
        """The messages that fit, their tokens, and how many were left out."""
        head = sum(1 for _ in takewhile(lambda message: message.role == "system", messages))
        head = max(min(head, len(messages) - 1), 0)
        lengths = [self._length(message.content) + self._frame for message in messages]
        dropped = fit(lengths, self._budget, head=head)
        while True:
            kept = [*messages[:head], *messages[head + dropped :]]
            tokens = self.tokens(kept)
            if len(tokens) <= self._budget:
                return kept, tokens, dropped
            if len(kept) <= head + 1:
                return kept, self._cut(kept), dropped
            dropped += 1

    def tokens(self, messages: Sequence[Message], begun: str = "") -> list[int]:
        """The whole prompt, however long."""
        text = self._template.render(messages) + begun
        opened = bool(self._bos) and text.startswith(self._bos)
        return self._tokenizer.tokenize(text.encode(errors="ignore"), add_bos=not opened, special=True)

    def _cut(self, messages: list[Message]) -> list[int]:
        """Shorten the longest of `messages`, in place, until the prompt fits."""
        while (excess := len(tokens := self.tokens(messages)) - self._budget) > 0:
            at = max(range(len(messages)), key=lambda i: self._length(messages[i].content))
            if not messages[at].content:
                break
            messages[at] = self._shortened(messages[at], excess + _SPARE_TOKENS)
        return tokens[-self._budget :]

    def _shortened(self, message: Message, cut: int) -> Message:
        """Without `cut` of its tokens: a system message at its end, another at its beginning."""
        content = self._tokenizer.tokenize(message.content.encode(errors="ignore"), add_bos=False)
        left = content[:-cut] if message.role == "system" else content[cut:]
        _LOGGER.warning(
            "a %s message of %d tokens is too long for the context; %d of them are left out",
            message.role,
            len(content),
            len(content) - len(left),
        )
        return Message(message.role, self._tokenizer.detokenize(left).decode(errors="ignore").strip())

    def _content_tokens(self, content: str) -> int:
        return len(self._tokenizer.tokenize(content.encode(errors="ignore"), add_bos=False))
