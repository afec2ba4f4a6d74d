# ruff: noqa: RUF001  # some templates are written with full-width bars
"""What a model writes that is not meant for the user: thoughts, tool calls, and the tokens of its template.

Models differ in their tags, and some leave out the opener of a thought; so one table holds them all.
"""

from __future__ import annotations

import re

THOUGHTS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<|channel|>analysis": "<|end|>",
    "<|channel|>commentary": "<|end|>",
    "<tool_call>": "</tool_call>",
    "[THINK]": "[/THINK]",
}
"""Opener to closer; what stands between is dropped."""

REPLY_ENDS = frozenset({
    "<|im_end|>", "<|im_start|>", "<|end|>", "<|start|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>",
    "<|endoftext|>", "<|user|>", "<|eot|>", "</s>", "<eos>", "<end_of_turn>", "<start_of_turn>",
    "<|start_header_id|>", "[INST]", "<｜end▁of▁sentence｜>", "<｜User｜>",
})  # fmt: skip
"""After one of these the model plays another part, unless it has said nothing yet."""

PREAMBLES = frozenset({
    "<|im_start|>assistant", "<|start|>assistant", "<|channel|>final", "<|start_header_id|>assistant",
    "<start_of_turn>model",
})  # fmt: skip
"""Longer tokens, with the name of the part that is Parley's."""

_OTHERS = frozenset({
    "<s>", "<bos>", "<pad>", "<unk>", "[/INST]", "<<SYS>>", "<</SYS>>", "<｜begin▁of▁sentence｜>", "<｜Assistant｜>",
})  # fmt: skip
LINE_BREAKS = frozenset({"<br>", "<br/>", "<br />"})
FENCES = ("```", "~~~")

CLOSERS = frozenset(THOUGHTS.values()) - REPLY_ENDS
TAGS = frozenset(THOUGHTS) | CLOSERS | REPLY_ENDS | PREAMBLES | _OTHERS | LINE_BREAKS
"""Every tag that is spelled out; besides these, anything of the form `<|name|>` is a token."""

STARTS = frozenset(tag[0] for tag in (*TAGS, *FENCES))
"""No tag begins with another character."""

_TOKEN = re.compile(r"<\|[\w./-]{1,30}\|>")
_TOKEN_BEGINNING = re.compile(r"<(?:\|(?:[\w./-]{1,30}\|?)?)?")
_BEGINNINGS = frozenset(tag[:length] for tag in (*TAGS, *FENCES) for length in range(1, len(tag)))

_THOUGHT = re.compile(
    "|".join(f"{re.escape(opener)}.*?(?:{re.escape(closer)}|$)" for opener, closer in THOUGHTS.items()), re.DOTALL
)
_UNOPENED = re.compile(rf"^.*(?:{'|'.join(map(re.escape, CLOSERS))})", re.DOTALL)
_ANY_TAG = re.compile("|".join(re.escape(tag) for tag in sorted(TAGS, key=len, reverse=True)) + "|" + _TOKEN.pattern)


def is_tag(text: str) -> bool:
    """Whether the text is one tag or token, whole."""
    return text in TAGS or _TOKEN.fullmatch(text) is not None


def may_become_tag(text: str) -> bool:
    """Whether more characters could make it a (longer) tag or fence."""
    return text in _BEGINNINGS or _TOKEN_BEGINNING.fullmatch(text) is not None


def without_tags(text: str) -> str:
    """The text without thoughts, tool calls and tokens; a closer alone takes all before it along."""
    return _ANY_TAG.sub(lambda tag: "\n" if tag[0] in LINE_BREAKS else "", _UNOPENED.sub("", _THOUGHT.sub("", text)))
