from __future__ import annotations

import logging

from hypothesis import given
from hypothesis import strategies as st

from agent.engines.chat_template import ChatTemplate
from agent.engines.prompt import PromptWriter
from agent.policy.history import Message

BUDGET = 60


class Bytes:
    """A token is a byte."""

    def tokenize(self, text, add_bos=True, special=False):  # noqa: ARG002  # the template's tokens are text here
        return [*([0] if add_bos else []), *text]

    def detokenize(self, tokens):
        return bytes(tokens)


def _writer(bos="", budget=BUDGET):
    template = ChatTemplate(lambda messages: "".join(f"<{m.role[0]}>{m.content}." for m in messages) + "<a>")
    return PromptWriter(template, Bytes(), budget, bos)


def _written(*messages):
    prompt = _writer().write(messages)
    return bytes(prompt.tokens[1:]).decode(), prompt.dropped_messages


def test_a_short_conversation_is_written_whole():
    assert _written(Message("system", "be kind"), Message("user", "hello")) == ("<s>be kind.<u>hello.<a>", 0)


def test_a_template_that_begins_the_prompt_itself_gets_no_second_beginning():
    assert _writer(bos="<u>").write([Message("user", "hello")]).tokens[0] != 0


def test_old_messages_go_and_the_system_message_stays():
    text, dropped = _written(Message("system", "be kind"), *[Message("user", f"word {i}") for i in range(9)])
    assert text.startswith("<s>be kind.")
    assert text.endswith("word 8.<a>")
    assert dropped > 3


def test_a_message_too_long_loses_its_beginning_and_the_log_does_not_quote_it(caplog):
    with caplog.at_level(logging.WARNING):
        text, _ = _written(Message("system", "be kind"), Message("user", "secret " * 20 + "the end"))
    assert text.startswith("<s>be kind.")
    assert text.endswith("the end.<a>")
    assert "too long for the context" in caplog.text
    assert "secret" not in caplog.text


def test_a_system_message_too_long_loses_its_end():
    text, _ = _written(Message("system", "be kind " * 20), Message("user", "hello"))
    assert text.startswith("<s>be kind")
    assert text.endswith("<u>hello.<a>")


_TEXTS = st.text(max_size=90)


@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=12))
def test_no_prompt_is_ever_over_the_budget(system, texts):
    roles = ("user", "assistant")
    talk = [Message(roles[number % 2], text) for number, text in enumerate(texts)]
    prompt = _writer().write([Message("system", system), *talk])
    assert len(prompt.tokens) <= BUDGET
    assert prompt.dropped_messages < len(talk)


def test_what_was_said_of_the_reply_stands_behind_the_assistants_header():
    prompt = _writer().write([Message("user", "hello")], "well met")
    assert bytes(prompt.tokens[1:]).decode() == "<u>hello.<a>well met"
    assert bytes(prompt.begun).decode() == "well met"


def test_where_not_even_the_template_fits_what_was_said_stands_behind_what_is_left_of_it():
    writer = _writer(budget=5)
    assert bytes(writer.write([Message("user", "hello")]).tokens).decode() == ">.<a>"
    assert bytes(writer.write([Message("user", "hello")], "well met").tokens).decode() == ">.<a>well met"


@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=12), st.text(min_size=1, max_size=20))
def test_the_same_messages_are_kept_as_when_the_reply_began(system, texts, begun):
    talk = [Message("system", system), *(Message("user", text) for text in texts)]
    before, after = _writer().write(talk), _writer().write(talk, begun)
    assert after.tokens == before.tokens + after.begun
    assert bytes(after.begun) == begun.encode(errors="ignore")
    assert after.dropped_messages == before.dropped_messages
