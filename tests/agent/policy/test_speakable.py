"""Golden replies: tests/agent/policy/golden/*.txt."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.sentences import Splitter, feed, finish
from agent.policy.speakable import is_pass, speakable

GOLDEN = Path(__file__).parent / "golden"
PIECES = st.sampled_from(
    [
        *(
            "Hello ",
            "there. ",
            "é",
            "3.5 ",
            "$5 ",
            "10:30 ",
            "Dr. ",
            "e.g. ",
            "p.m. ",
            "! ",
            "? ",
            "...",
            ", ",
            "“",
            "”",
            "。",
        ),
        *("<think>", "</think>", "<|im_end|>", "[INST]", "</s>", "<", "|", "> ", "&amp;", "😊", "\n"),
        *("```", "`", "**", "*", "_", "a_b ", "[", "](", ")", "http://a.b/c. ", "- ", "1. ", "| ", "# ", "~~"),
    ]
)
REPLIES = st.lists(PIECES, max_size=25).map("".join)


def golden_cases():
    for path in sorted(GOLDEN.glob("*.txt")):
        _, *blocks = f"\n{path.read_text(encoding='utf-8')}".split("\n== ")
        for block in blocks:
            name, _, rest = block.partition("\n")
            reply, _, expected = f"\n{rest}\n".partition("\n--\n")
            yield pytest.param(reply.removeprefix("\n"), expected.strip("\n").split("\n"), id=f"{path.stem}: {name}")


CASES = list(golden_cases())


def spoken(pieces):
    splitter, raw = Splitter(), []
    for piece in pieces:
        splitter, ready = feed(splitter, piece)
        raw += ready
    return [text for sentence in (*raw, *finish(splitter)) if (text := speakable(sentence))]


def cut_at(text, cuts):
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(("reply", "expected"), CASES)
def test_a_reply_is_spoken_as_written_down(reply, expected):
    assert spoken([reply]) == [line for line in expected if line]


@pytest.mark.parametrize(("reply", "expected"), CASES)
def test_the_model_may_stream_it_character_by_character(reply, expected):
    assert spoken(reply) == [line for line in expected if line]


@given(REPLIES, st.lists(st.integers(0, 1000), max_size=12))
def test_how_a_reply_is_divided_never_changes_what_is_spoken(reply, cuts):
    assert spoken(cut_at(reply, cuts)) == spoken([reply])


@given(REPLIES)
def test_what_is_spoken_holds_no_tokens_code_marks_or_emoji(reply):
    for sentence in spoken([reply]):
        assert not any(token in sentence for token in ("<|im_end|>", "</s>", "[INST]", "think>", "`", "😊"))
        assert any(char.isalnum() for char in sentence)


@given(st.text(max_size=60))
def test_any_text_can_be_asked_for(text):
    assert isinstance(speakable(text), str)


def test_without_english_only_the_markup_goes():
    assert speakable("**Es kostet 5 €.** 😊", "de") == "Es kostet 5 €."


@pytest.mark.parametrize(
    "reply", ["PASS", "pass", "PASS.", " Pass. ", "**PASS**", "[PASS]", '"PASS"', "<think>no</think>PASS"]
)
def test_a_reply_that_is_only_pass_is_silence(reply):
    assert is_pass(reply, finished=True) is True
    assert is_pass(f"{reply}\nThe user is busy.") is True


@pytest.mark.parametrize(
    "reply", ["Passing by", "Pass me the salt.", "Hello", "I pass.", "Past", "[The end]", "PASS on it"]
)
def test_a_reply_that_only_begins_like_pass_is_none(reply):
    assert is_pass(reply, finished=True) is False
    assert is_pass(f"{reply} now") is False


@pytest.mark.parametrize("reply", ["", " ", "P", "pa", "PASS", "PASS.", "<thi", "<think>I", "<think>I</think>", "[P"])
def test_a_reply_that_may_become_pass_is_undecided(reply):
    assert is_pass(reply) is None


def test_silence_is_ruled_out_at_the_first_letter_that_does():
    assert [is_pass("Pardon"[:length]) for length in range(1, 4)] == [None, None, False]


@given(
    st.text(alphabet="abc XD,!?'\"-.", max_size=40)
    | st.lists(st.sampled_from(["etc.", "St. ", "I ", "and ", "Mr."])).map("".join)
)
def test_a_plain_sentence_takes_no_other_way_than_a_marked_up_one(text):
    assert speakable(text) == speakable(f"{text}<|im_end|>")
