from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.chat_template import ChatTemplate, StopText, in_turns
from agent.policy.history import Message

SYSTEM, USER, ASSISTANT = Message("system", "s"), Message("user", "u"), Message("assistant", "a")


def _roles(messages):
    return " ".join(message.role for message in messages)


def _no_system(messages):
    if any(message.role == "system" for message in messages):
        raise ValueError
    return _roles(messages)


def _strict(messages):
    turns = [message.role for message in messages if message.role != "system"]
    if turns[:1] == ["assistant"] or any(a == b for a, b in pairwise(turns)):
        raise ValueError
    return _roles(messages)


def test_a_template_that_takes_everything_is_given_everything():
    assert ChatTemplate(_roles).render([SYSTEM, ASSISTANT, USER, USER]) == "system assistant user user"


def test_a_template_without_a_system_role_hears_it_from_the_user():
    assert ChatTemplate(_no_system).render([SYSTEM, USER]) == "user user"


def test_a_template_that_wants_turns_gets_them_when_parley_spoke_first():
    rendered = ChatTemplate(_strict).render([SYSTEM, ASSISTANT, ASSISTANT, USER, USER])
    assert rendered == "system user assistant user"


def test_a_broken_template_is_refused_at_once():
    def broken(_messages):
        raise ValueError("no such filter")

    with pytest.raises(ValueError, match="no such filter"):
        ChatTemplate(broken)


def test_joining_turns_loses_no_words():
    joined = in_turns([Message("user", "one"), Message("user", "two"), Message("assistant", "three")])
    assert joined == [Message("user", "one\ntwo"), Message("assistant", "three")]


def _let_through(pieces):
    stop = StopText(("<|end|>", "</s>"))
    text = ""
    for piece in pieces:
        text += stop.feed(piece)
        if stop.reached:
            return text
    return text + stop.finish()


@given(st.text("<|end>/s a", max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_where_the_text_was_broken_apart_does_not_change_what_is_let_through(text, cuts):
    cuts = sorted({min(cut, len(text)) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert _let_through(pieces) == _let_through([text])


def test_nothing_of_a_stop_is_let_through():
    assert _let_through(["Hello", " there.<", "|en", "d|", ">more"]) == "Hello there."


def test_what_only_looked_like_a_stop_is_let_through_at_the_end():
    assert _let_through(["a <", "|en"]) == "a <|en"
