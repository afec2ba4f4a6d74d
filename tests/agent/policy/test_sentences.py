from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.sentences import CLAUSE_AT_CHARACTERS, LONGEST_CHARACTERS, Splitter, feed, finish

REPLIES = st.text(alphabet="ab AB.!?…\n,;:\"'()[]`<>/|_*~tThinkd。5é", max_size=80) | st.text(max_size=60)


def split(*pieces, splitter=None):
    """Sentences that were ready after each piece, and what came at the end."""
    splitter = splitter or Splitter()
    ready = []
    for piece in pieces:
        splitter, sentences = feed(splitter, piece)
        ready.append(list(sentences))
    return ready, list(finish(splitter))


def all_of(*pieces, splitter=None):
    ready, rest = split(*pieces, splitter=splitter)
    return [sentence for sentences in ready for sentence in sentences] + rest


@pytest.mark.parametrize(
    "sentence", ["Hello there.", "Really?", "No!", "Oh…?", '"Yes."', "(I know.)", "**Good.**", "Hi!😊"]
)
def test_a_sentence_is_certain_once_white_space_follows_its_mark(sentence):
    assert split(sentence, " Then")[0] == [[], [sentence]]


@pytest.mark.parametrize("sentence", ["Hello there.", "Really?", "It costs 3.", "Wait..."])
def test_a_mark_at_the_very_end_waits_for_the_end(sentence):
    assert split(sentence) == ([[]], [sentence])


@pytest.mark.parametrize(
    "sentence",
    [
        "It is 3.5 or 1,000.25 or so",
        "Dr. Who and Mrs. Jones",
        "Use it, e.g. here, i.e. now",
        "Visit www.example.com/a.b?c=d now",
        "Write to bob.b@example.com soon",
        "At 5 p.m. we go",
        "Wait... what",
        "On Jan. 5 or No. 7",
        "J. R. Smith",
        "The U.S. and the E.U. agree",
        "Say `a. b` now",
        "See [this. And that](http://a.b) now",
        "1. First",
        "**2. Second**",
        "| a. b | c. d |",
    ],
)
def test_what_looks_like_an_end_within_a_sentence_is_none(sentence):
    assert all_of(sentence) == [sentence]


def test_an_abbreviation_ends_a_sentence_where_a_capital_follows():
    assert all_of("We left at 5 p.m. Then we ate, drank, etc. She sang.") == [
        "We left at 5 p.m.",
        "Then we ate, drank, etc.",
        "She sang.",
    ]


def test_lines_and_items_end_sentences_at_once():
    assert split("Shopping:\n- milk\n- bre", "ad\n")[0] == [["Shopping:", "- milk"], ["- bread"]]


def test_a_very_short_first_sentence_is_emitted_on_its_own():
    assert split("Yes. I think")[0] == [["Yes."]]


def test_a_long_first_sentence_gives_its_first_clause_early():
    text = "Well, as far as I can tell from what you told me, it is a good idea to go there, and soon."
    ready, rest = split(*text)
    emitted_after = next(index for index, sentences in enumerate(ready, 1) if sentences)
    assert emitted_after == CLAUSE_AT_CHARACTERS
    assert [*ready[emitted_after - 1], *rest] == [
        "Well, as far as I can tell from what you told me,",
        "it is a good idea to go there, and soon.",
    ]


def test_later_sentences_are_not_cut_at_clauses():
    text = "as far as I can tell from what you told me, it is a good idea to go there."
    assert all_of(f"Yes. Well, {text}") == ["Yes.", f"Well, {text}"]


def test_a_sentence_without_an_end_is_cut_between_words():
    sentences = all_of("word " * 200)
    assert all(len(sentence) <= LONGEST_CHARACTERS for sentence in sentences)
    assert " ".join(sentences) == ("word " * 200).strip()


def test_a_thought_gives_nothing_and_what_follows_it_everything():
    assert split("<thi", "nk>No. Yes.\n</th", "ink>Hello. ")[0] == [[], [], ["Hello."]]


def test_a_thought_without_opener_takes_back_what_was_not_emitted():
    splitter, sentences = feed(Splitter(), "They want a joke</think>Here")
    assert (sentences, finish(splitter)) == ((), ("Here",))
    assert splitter.unopened_thought


def test_a_model_known_to_begin_in_thought_is_not_overheard():
    assert all_of("They want. A joke. </think>Here.", splitter=Splitter(in_thought=True)) == ["Here."]


def test_a_code_block_is_one_raw_sentence():
    assert all_of("Look:\n```py\nx = 1. \n```\nDone.") == ["Look:", "```py\nx = 1. \n```", "Done."]


def test_a_code_block_may_hold_tags_and_an_open_one_is_kept():
    assert all_of("```\n<think> </s>\n") == ["```\n<think> </s>\n"]


def test_nothing_is_taken_from_what_a_model_writes_for_the_user():
    assert all_of("Hello.<|im_end|>\n<|im_start|>user\nMore. ") == ["Hello."]


def test_end_tokens_before_the_first_word_are_only_dropped():
    assert all_of("</s><|im_start|>assistant\nHello.") == ["Hello."]


@given(REPLIES, st.lists(st.integers(0, 1000), max_size=10))
def test_how_the_stream_is_divided_never_changes_the_sentences(text, cuts):
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert all_of(*pieces) == all_of(text)


@given(st.text(alphabet="abc AB.!?,;5\n'()", max_size=300))
def test_no_letter_of_plain_text_is_lost(text):
    assert "".join("".join(all_of(text)).split()) == "".join(text.split())
