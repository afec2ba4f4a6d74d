"""When to step aside, and when to come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.events import Seconds
from agent.policy.yielding import (
    Reading,
    Surroundings,
    YieldRules,
    asked,
    called_back,
    decide,
    games_counted,
    memory_read,
    memory_unwatched,
    why_back,
)

RULES = YieldRules(reserve_mib=500, pressed_seconds=2, room_seconds=30, game_over_seconds=10)


def cause(surroundings, now):
    found = decide(surroundings, Seconds(now), RULES)
    return found.cause if found else None


# --- the user -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "called_back_at", "aside_at", "back_at"),
    [
        (None, 1000.0, 999.0, 1000.0),
        (60.0, None, 64.9, 65.0),
        (60.0, 20.0, 19.0, 20.0),
    ],
)
def test_who_asks_has_the_memory_until_the_time_is_over_or_they_call_back(seconds, called_back_at, aside_at, back_at):
    before = asked(Surroundings(), Seconds(5.0), seconds)
    after = called_back(before) if called_back_at else before
    assert cause(before, aside_at) == "asked"
    assert cause(after, back_at) is None


def test_who_asks_again_is_given_the_new_time():
    twice = asked(asked(Surroundings(), Seconds(0), None), Seconds(10), 5.0)
    assert (cause(twice, 14.9), cause(twice, 15.0)) == ("asked", None)


# --- games ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "now", "expected"),
    [
        ([], 100, None),
        ([(0, 0)], 5, None),
        ([(0, 1)], 0, "game"),
        ([(0, 1)], 100_000, "game"),
        ([(0, 2), (50, 1)], 100, "game"),
        ([(0, 1), (50, 0)], 59.9, "game"),
        ([(0, 1), (50, 0)], 60, None),
        ([(0, 1), (50, 0), (55, 0)], 60, None),  # told twice, ended once
        ([(0, 1), (50, 0), (55, 1)], 100, "game"),
        ([(0, 1), (50, 0), (55, 1), (90, 0)], 99.9, "game"),
    ],
)
def test_a_game_has_the_memory_until_a_while_after_its_end(counts, now, expected):
    surroundings = Surroundings()
    for at, games in counts:
        surroundings = games_counted(surroundings, Seconds(at), games)
    assert cause(surroundings, now) == expected


# --- others in the reserve ------------------------------------------------------------------------------------------


def readings(rows, surroundings=None, largest_mib=4000, rules=RULES):
    """Take `(at, free_mib, foreign_mib)`; the causes after each."""
    surroundings, causes = surroundings or Surroundings(), []
    for at, free_mib, foreign_mib in rows:
        reading = Reading(at=Seconds(at), free_mib=free_mib, foreign_mib=foreign_mib, largest_mib=largest_mib)
        surroundings = memory_read(surroundings, reading, rules)
        causes.append(cause(surroundings, at))
    return surroundings, causes


EASE = (0, 800, 3000)
"""300 MiB more than the reserve are free."""


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([EASE, (2, 500, 3300), (4, 500, 3300)], None),  # up to the reserve, and no further
        ([EASE, (2, 499, 3301)], None),  # it has to last
        ([EASE, (2, 499, 3301), (4, 499, 3301)], "pressed"),
        ([EASE, (2, 499, 3301), (3.9, 100, 3700)], None),
        ([EASE, (2, 400, 3400), (3, 600, 3200), (4, 400, 3400), (5, 400, 3400)], None),  # it has to last in one piece
        ([EASE, (2, 400, 3400), (3, None, None), (4, 400, 3400), (5, 400, 3400)], None),  # not read is not seen
        ([EASE, (2, 100, 3000), (4, 100, 3000), (99, 100, 3000)], None),  # it was we who grew
        ([EASE, (2, 100, 3064), (4, 100, 3064)], None),  # a desktop breathes
        ([EASE, (2, 100, 3065), (4, 100, 3065)], "pressed"),
        ([EASE, (2, 600, 3400), (4, 480, 3420), (6, 480, 3420)], None),  # they grew while there was room
        ([(0, 100, 3000), (2, 100, 3000), (4, 100, 3000)], None),  # what was there when we came did not grow
        ([(0, 100, 3000), (2, 50, 3100), (4, 50, 3100)], "pressed"),
        ([(0, 100, None), (2, 100, None)], "pressed"),  # the driver does not tell whose it is
        ([(0, None, 3000), (2, None, 9000), (4, None, 9000)], None),
    ],
)
def test_others_press_when_they_have_grown_into_the_reserve_and_stayed(rows, expected):
    assert readings(rows)[1][-1] == expected


PRESSED = [EASE, (2, 200, 3600), (4, 200, 3600)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(6, 4499, 3600), (60, 4499, 3600)], "pressed"),  # the largest model would not fit
        ([(6, 4500, 3300), (35.9, 4500, 3300)], "pressed"),
        ([(6, 4500, 3300), (36, 4500, 3300)], None),
        ([(6, 4500, 3300), (20, 4499, 3301), (36, 4500, 3300), (65, 4500, 3300)], "pressed"),  # anew from 36
        ([(6, 9000, 0), (20, None, None), (36, 9000, 0)], "pressed"),  # not read is no room
        ([(6, 9000, None), (36, 9000, None)], None),
    ],
)
def test_it_comes_back_when_there_has_been_room_for_its_largest_model_for_a_while(rows, expected):
    pressed, causes = readings(PRESSED)
    assert causes[-1] == "pressed"
    assert readings(rows, pressed, largest_mib=0)[1][-1] == expected


def cycle(surroundings, at):
    """They press, and leave once Parley has gone: how many seconds of room it took, and what is so then."""
    rows = [(at + second, free_mib, foreign_mib) for second, free_mib, foreign_mib in PRESSED]
    surroundings, _ = readings(rows, surroundings)
    needed = surroundings.crowding.needs_seconds
    surroundings, causes = readings([(at + 5, 9000, 0), (at + 5 + needed, 9000, 0)], surroundings, largest_mib=0)
    assert causes == ["pressed", None]
    return needed, surroundings


def test_who_is_pressed_again_soon_waits_twice_as_long_up_to_a_bound_and_after_a_calm_as_at_first():
    surroundings, now, needed = Surroundings(), 0.0, []
    for calm in (60, 60, 60, 60, 60, 60, 596):  # and 4 s until they press
        seconds, surroundings = cycle(surroundings, now)
        needed.append(seconds)
        now += 5 + seconds + calm
    assert needed == [30, 60, 120, 240, 480, 600, 600]
    assert cycle(surroundings, now)[0] == 30


def test_who_is_set_to_wait_longer_than_the_bound_never_waits_less():
    patient = replace(RULES, room_seconds=900)
    surroundings, _ = readings(PRESSED, rules=patient)
    surroundings, causes = readings([(5, 9000, 0), (905, 9000, 0)], surroundings, largest_mib=0, rules=patient)
    assert causes == ["pressed", None]
    surroundings, _ = readings([(at + 906, *rest) for at, *rest in PRESSED], surroundings, rules=patient)
    assert surroundings.crowding.needs_seconds == 900


def test_what_others_took_while_nothing_of_ours_was_there_does_not_count():
    grown = [(100, 300, 5000), (102, 300, 5000), (104, 300, 5000)]
    at_ease, _ = readings([EASE])
    assert readings(grown, at_ease)[1][-1] == "pressed"
    assert readings(grown, memory_unwatched(at_ease))[1][-1] is None


def test_pressing_does_not_end_because_nothing_of_ours_is_left():
    pressed, _ = readings(PRESSED)
    assert cause(memory_unwatched(pressed), 100) == "pressed"


# --- in words -------------------------------------------------------------------------------------------------------


def game(at):
    return games_counted(Surroundings(), Seconds(at), 1)


@pytest.mark.parametrize(
    ("surroundings", "reason", "ends", "until"),
    [
        (asked(Surroundings(), Seconds(0), None), "you asked for the memory", "you call it back", None),
        (
            asked(Surroundings(), Seconds(0), 90.0),
            "you asked for the memory",
            "the time is over or you call it back",
            90,
        ),
        (
            readings(PRESSED)[0],
            "other programs left 200 MiB free, where 500 MiB are reserved for them",
            "4500 MiB have been free for 30 s",
            None,
        ),
        (game(0), "a game is running", "no game has been running for 10 s", None),
        (games_counted(game(0), Seconds(1), 0), "a game is running", "no game has been running for 10 s", 11),
    ],
)
def test_it_tells_why_it_is_aside_and_until_when(surroundings, reason, ends, until):
    found = decide(surroundings, Seconds(5), RULES)
    assert (found.reason, found.ends, found.until) == (reason, ends, until)


def test_of_several_causes_the_user_is_told_first_and_each_holds_by_itself():
    both = asked(games_counted(readings(PRESSED)[0], Seconds(5), 1), Seconds(5), 10.0)
    assert (cause(both, 5), cause(both, 15)) == ("asked", "pressed")
    assert cause(asked(game(0), Seconds(0), 10.0), 10) == "game"


@pytest.mark.parametrize(
    ("surroundings", "now", "reason"),
    [
        (asked(Surroundings(), Seconds(0), None), 9, "you called it back"),
        (asked(Surroundings(), Seconds(0), 10.0), 9, "you called it back"),
        (asked(Surroundings(), Seconds(0), 10.0), 10, "the time that you asked for is over"),
        (readings(PRESSED)[0], 50, "there is room again"),
        (game(0), 50, "the game is over"),
    ],
)
def test_it_tells_why_it_is_back(surroundings, now, reason):
    assert why_back(decide(surroundings, Seconds(5), RULES), Seconds(now)) == reason
