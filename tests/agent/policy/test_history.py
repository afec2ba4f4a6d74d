from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import PromptIssued, Seconds, Turn
from agent.policy.history import (
    BLOCK,
    INTERRUPTED,
    MOST_ENTRIES,
    SAID_ALOUD,
    History,
    duration,
    hushed,
    messages,
    occasion,
    played,
    prompted,
)

SYSTEM = "You are Parley."
QUIET = occasion(240, "evening")


def prompt(turn, heard="", occasion="", verbatim=""):
    return PromptIssued(
        at=Seconds(0),
        turn=Turn(turn),
        rule="",
        tentative=False,
        heard=heard,
        occasion=occasion,
        verbatim=verbatim,
        personality="",
    )


def told(*turns):
    """A history of (prompt, played, interrupted) turns."""
    history = History()
    for issued, spoken, interrupted in turns:
        history = played(prompted(history, issued), issued.turn, spoken, interrupted=interrupted)
    return history


def shown(history, issued):
    return [(message.role, message.content) for message in messages(history, SYSTEM, issued)]


def test_the_first_prompt_is_the_system_prompt_and_the_words():
    assert shown(History(), prompt(1, "hello")) == [("system", SYSTEM), ("user", "hello")]


def test_a_reply_follows_what_it_answers():
    history = told((prompt(1, "hello"), "Hi there.", False))
    assert shown(history, prompt(2, "how are you")) == [
        ("system", SYSTEM),
        ("user", "hello"),
        ("assistant", "Hi there."),
        ("user", "how are you"),
    ]


def test_an_interrupted_reply_ends_with_a_dash_and_the_next_words_say_so():
    history = told((prompt(1, "tell me a story"), "Once upon", True))
    assert shown(history, prompt(2, "stop"))[2:] == [("assistant", "Once upon —"), ("user", f"{INTERRUPTED}\nstop")]


def test_words_that_got_no_sound_are_joined_with_the_next():
    history = told((prompt(1, "what is"), "", False), (prompt(2, "your name"), "", True))
    assert shown(history, prompt(3, "please")) == [("system", SYSTEM), ("user", "what is your name please")]


def test_words_that_a_prompt_repeats_are_told_once():
    history = prompted(prompted(History(), prompt(1, "i would like")), prompt(2, "i would like you to"))
    assert shown(history, prompt(3, "i would like you to sing")) == [
        ("system", SYSTEM),
        ("user", "i would like you to sing"),
    ]


def test_unanswered_words_stay_in_front_of_those_that_repeat_only_the_later_ones():
    history = told((prompt(1, "hello"), "", False), (prompt(2, "how"), "", False))
    assert shown(history, prompt(3, "how are you"))[1:] == [("user", "hello how are you")]


def test_a_word_that_only_begins_alike_is_no_repetition():
    history = told((prompt(1, "what"), "", False))
    assert shown(history, prompt(2, "whatever"))[1:] == [("user", "what whatever")]


def test_a_reply_that_ends_after_the_next_prompt_keeps_its_place():
    history = prompted(prompted(History(), prompt(1, "hello")), prompt(2, "stop"))
    history = played(history, Turn(1), "Hi", interrupted=True)
    assert shown(history, prompt(2, "stop"))[1:] == [
        ("user", "hello"),
        ("assistant", "Hi —"),
        ("user", f"{INTERRUPTED}\nstop"),
    ]


def test_a_remark_is_shown_with_its_occasion():
    history = told((prompt(1, "hello"), "Hi.", False), (prompt(2, occasion=QUIET), "Still there?", False))
    assert shown(history, prompt(3, "yes"))[3:] == [("user", QUIET), ("assistant", "Still there?"), ("user", "yes")]


def test_a_remark_that_was_passed_over_leaves_nothing():
    history = told((prompt(1, "hello"), "Hi.", False), (prompt(2, occasion=QUIET), "", False))
    assert shown(history, prompt(3, "yes"))[3:] == [("user", "yes")]
    assert shown(history, prompt(2, occasion=QUIET))[3:] == [("user", QUIET)]


def test_an_occasion_keeps_a_line_of_its_own():
    history = told((prompt(1, "hello"), "", False))
    assert shown(history, prompt(2, occasion=QUIET))[1:] == [("user", f"hello\n{QUIET}")]


def test_a_greeting_stands_behind_a_note_so_that_roles_alternate():
    history = told((prompt(1, verbatim="Good morning!"), "Good morning!", False))
    assert shown(history, prompt(2, "hello"))[1:] == [
        ("user", SAID_ALOUD),
        ("assistant", "Good morning!"),
        ("user", "hello"),
    ]


def test_the_reply_of_an_unknown_turn_changes_nothing():
    history = told((prompt(1, "hello"), "Hi.", False))
    assert played(history, Turn(9), "What?", interrupted=False) == history


def test_hushed_turns_are_remembered_but_not_for_ever():
    history = History()
    for turn in range(1000):
        history = hushed(history, Turn(turn))
    assert Turn(999) in history.hushed
    assert len(history.hushed) < 100


def test_old_entries_go_in_blocks():
    history, begins = History(), set()
    for turn in range(5 * MOST_ENTRIES):
        issued = prompt(turn, f"words {turn}")
        history = played(prompted(history, issued), issued.turn, "Yes.", interrupted=False)
        begins.add(history.entries[0].turn)
        assert len(history.entries) <= MOST_ENTRIES
    assert len(begins) <= 5 * MOST_ENTRIES // BLOCK + 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 seconds"),
        (1, "1 second"),
        (40.4, "40 seconds"),
        (59.7, "1 minute"),
        (240, "4 minutes"),
        (3580, "1 hour"),
        (7200, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_durations_are_told_as_people_do(seconds, words):
    assert duration(seconds) == words


def test_the_occasion_tells_why_the_model_is_asked():
    assert occasion(240, "evening") == (
        "[The user has been quiet for 4 minutes. It is evening. "
        "Say one short thing to them if it is worth it, or answer PASS.]"
    )
    assert "It is evening. They spoke of a trip. Say one" in occasion(240, "evening", "They spoke of a trip.")


WORDS = st.sampled_from(["hello", "hello you", "what", "what is that", "and then", "stop"])
SPOKEN = st.sampled_from(["", "Hi.", "Once upon a time."])
TURNS = st.lists(st.tuples(st.one_of(WORDS, st.none()), SPOKEN, st.booleans()), max_size=30)


@given(TURNS, WORDS)
def test_roles_alternate_after_the_system_prompt_and_the_user_comes_last(turns, words):
    history = told(
        *((prompt(turn, said or "", "" if said else QUIET), *rest) for turn, (said, *rest) in enumerate(turns))
    )
    roles = [role for role, _ in shown(history, prompt(len(turns), words))]
    assert roles == ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"]


@given(TURNS, WORDS, SPOKEN, st.booleans(), WORDS)
def test_a_prompt_begins_with_the_prompt_before_and_the_reply_to_it(turns, words, spoken, interrupted, next_words):
    history = told(
        *((prompt(turn, said or "", "" if said else QUIET), *rest) for turn, (said, *rest) in enumerate(turns))
    )
    issued = prompt(len(turns), words)
    before = shown(history, issued)
    after_reply = played(prompted(history, issued), issued.turn, spoken, interrupted=interrupted)
    after = shown(after_reply, prompt(len(turns) + 1, next_words))
    if spoken:
        assert after[: len(before)] == before
        assert after[len(before)] == ("assistant", spoken + (" —" if interrupted else ""))
    else:
        assert after[: len(before) - 1] == before[:-1]
