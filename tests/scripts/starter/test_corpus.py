"""The generator: same seed, same conversation, and nothing in it that must not be said."""

from __future__ import annotations

import random
import re

import pytest

from agent.policy.history import occasion
from scripts.starter import initiative, phrases, systems
from scripts.starter.corpus import Talk, conversation
from scripts.starter.hearing import heard


@pytest.fixture(scope="module")
def talks() -> list[Talk]:
    return [conversation(random.Random(seed)) for seed in range(300)]


def test_the_same_seed_gives_the_same_conversation() -> None:
    assert conversation(random.Random(4)).messages == conversation(random.Random(4)).messages


def test_no_slot_or_choice_is_left_unfilled(talks: list[Talk]) -> None:
    texts = [message.content for talk in talks for message in talk.messages if "[The user" not in message.content]
    assert not [text for text in texts if re.search(r"[{}|]|\[(?!You were interrupted)", text)]


def test_turns_begin_with_the_prompt_and_end_with_an_answer(talks: list[Talk]) -> None:
    assert all(talk.messages[0].role == "system" and talk.messages[-1].role == "assistant" for talk in talks)


def test_answers_have_at_most_three_sentences(talks: list[Talk]) -> None:
    answers = [message.content for talk in talks for message in talk.messages if message.role == "assistant"]
    assert max(len(re.findall(r"[.!?]+(?= |$)", answer)) for answer in answers) <= 4
    assert sum(len(re.findall(r"[.!?]+(?= |$)", answer)) <= 3 for answer in answers) / len(answers) > 0.99


def test_after_a_wish_for_quiet_the_answer_to_a_request_for_a_remark_is_pass(talks: list[Talk]) -> None:
    for talk in talks:
        for before, request, answer in zip(talk.messages[1:], talk.messages[3:], talk.messages[4:], strict=False):
            if before.family in {"good_night", "quiet", "bye"} and request.family == "initiative":
                assert answer.content == "PASS"


def test_a_request_for_a_remark_has_the_form_that_the_daemon_uses() -> None:
    assert initiative.request("4 minutes", "evening") == occasion(240, "evening")
    assert initiative.request("2 hours", "night", initiative.UNANSWERED) == occasion(
        7200, "night", initiative.UNANSWERED
    )


def test_the_answer_to_whats_your_name_holds_the_name_in_the_prompt(talks: list[Talk]) -> None:
    for talk in talks:
        for message in talk.messages:
            if message.family == "name_self" and message.role == "assistant" and not message.content.endswith("—"):
                assert talk.setting.me in message.content
        assert talk.setting.me in talk.messages[0].content


def test_held_out_names_are_never_trained_on() -> None:
    trained = set(phrases.names("names.txt")) | set(phrases.names("assistant_names.txt"))
    assert not trained & set(phrases.names("held_out_names.txt"))


def test_shipped_prompts_are_rendered_without_placeholders() -> None:
    for file in ("parley", "juniper", "flint"):
        assert "{" not in systems.render(systems.shipped(file), "Ada", "night", "Tom")


def test_the_recognisers_form_is_lower_case_without_marks() -> None:
    forms = [heard("i want to see Paris", random.Random(seed)) for seed in range(40)]
    assert any(form.islower() and not re.search(r"[.?!]", form) for form in forms)
