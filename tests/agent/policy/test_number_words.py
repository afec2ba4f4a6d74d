from __future__ import annotations

import pytest

from agent.policy.number_words import amount, cardinal, digits, ordinal, plural, year


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety-nine"),
        (100, "one hundred"),
        (1001, "one thousand one"),
        (-7, "minus seven"),
        (2_000_017, "two million seventeen"),
        (10**12, "one trillion"),
    ],
)
def test_whole_numbers(number, words):
    assert cardinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "first"),
        (12, "twelfth"),
        (20, "twentieth"),
        (45, "forty-fifth"),
        (100, "one hundredth"),
        (103, "one hundred third"),
    ],
)
def test_ordinals(number, words):
    assert ordinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1066, "ten sixty-six"),
        (1900, "nineteen hundred"),
        (1905, "nineteen oh five"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2010, "twenty ten"),
        (2026, "twenty twenty-six"),
    ],
)
def test_years(number, words):
    assert year(number) == words


def test_amounts_are_read_as_written():
    assert amount("1,200.50") == "one thousand two hundred point five zero"
    assert amount(".5") == "zero point five"
    assert amount("007") == "zero zero seven"
    assert amount("1" * 16) == " ".join(["one"] * 16)


def test_figures_one_by_one():
    assert digits("+49-30") == "four nine three zero"


def test_plurals_of_decades():
    assert [plural(word) for word in ("ninety", "twenty ten", "six")] == ["nineties", "twenty tens", "sixes"]
