"""From messages to the text that a model was trained to continue, and from its text to where its turn ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agent.policy.history import Message

Formatter = Callable[[Sequence[Message]], str]
"""The template itself. Raises when it does not like the roles or their order."""

STOPS = (
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end|>",
    "<|user|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<start_of_turn>",
    "[INST]",
    "</s>",
)
"""What ends a turn in the usual templates; said in plain letters when the file does not mark it as special."""


class ChatTemplate:
    """A template, and what has to be done to messages so that it takes them."""

    def __init__(self, formatter: Formatter) -> None:
        """Try the template out. Raises what it raises if it takes not even a plain question."""
        self._formatter = formatter
        system, user, assistant = Message("system", "a"), Message("user", "a"), Message("assistant", "a")
        formatter([user])
        self._takes_system = self._takes(system, user, assistant, user)
        self._takes_any_order = self._takes(assistant, user, user)

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt, up to where the assistant begins to speak."""
        if not self._takes_system:
            messages = as_user(messages)
        if not self._takes_any_order:
            messages = in_turns(messages)
        return self._formatter(messages)

    def _takes(self, *messages: Message) -> bool:
        try:
            self._formatter(messages)
        except Exception:  # noqa: BLE001  # a template is a program of someone else's, and may raise anything
            return False
        return True


def as_user(messages: Sequence[Message]) -> list[Message]:
    """For templates without a system role: the user says it."""
    return [Message("user", m.content) if m.role == "system" else m for m in messages]


def in_turns(messages: Sequence[Message]) -> list[Message]:
    """For templates that want user and assistant in turn, the user first."""
    turns: list[Message] = []
    for message in messages:
        if message.role == "assistant" and (not turns or turns[-1].role == "system"):
            turns.append(Message("user", "…"))
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].content}\n{message.content}")
        else:
            turns.append(message)
    return turns


class StopText:
    """Lets text through up to a stop; holds back what may be the beginning of one."""

    def __init__(self, stops: Iterable[str] = STOPS) -> None:
        """Wait for any of `stops`."""
        self._stops = tuple(stops)
        self._held = ""
        self.reached = False
        """The turn is over."""

    def feed(self, text: str) -> str:
        """The text that surely belongs to the turn."""
        held = self._held + text
        places = [place for stop in self._stops if (place := held.find(stop)) >= 0]
        if places:
            self.reached, self._held = True, ""
            return held[: min(places)]
        safe = len(held) - max((self._begun(held, stop) for stop in self._stops), default=0)
        self._held = held[safe:]
        return held[:safe]

    def finish(self) -> str:
        """What was held back in vain."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _begun(text: str, stop: str) -> int:
        """How many characters at the end of the text are the beginning of the stop."""
        return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
