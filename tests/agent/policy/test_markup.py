from __future__ import annotations

import pytest

from agent.policy.markup import TAGS, is_tag, may_become_tag, without_tags


@pytest.mark.parametrize("tag", [*sorted(TAGS), "<|anything_9|>"])
def test_every_beginning_of_a_tag_may_become_one(tag):
    assert is_tag(tag)
    assert all(may_become_tag(tag[:length]) for length in range(1, len(tag)))


@pytest.mark.parametrize("text", ["<b>", "< ", "[a]", "<3", "a", "", "<|a b|>", "`a`"])
def test_what_is_no_tag_is_none(text):
    assert not is_tag(text)
    assert not may_become_tag(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("a<think>b", "a"),
        ("a<|x|>b</s>", "ab"),
        ("plain <b>text</b>", "plain <b>text</b>"),
        ("a<br>b", "a\nb"),
    ],
)
def test_thoughts_and_tokens_are_taken_out(text, left):
    assert without_tags(text) == left
