# ruff: noqa: RUF001  # full-width marks are what is looked for here
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.portions import portions


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("", 10, ()),
        ("  \n ", 10, ()),
        (" Short. ", 10, ("Short.",)),
        ("Exactly so.", 11, ("Exactly so.",)),
        ("It rains. We stay.", 12, ("It rains.", "We stay.")),
        ('"It rains!" We stay.', 14, ('"It rains!"', "We stay.")),
        ("One. Two. Three.", 11, ("One. Two.", "Three.")),
        # A sentence goes before a clause, and a clause before a word, even where that makes the portion shorter.
        ("It rains. So we stay, or not.", 22, ("It rains.", "So we stay, or not.")),
        ("If it rains, we stay at home", 22, ("If it rains,", "we stay at home")),
        ("If it rains — we stay at home", 22, ("If it rains —", "we stay at home")),
        ("we stay at home today", 16, ("we stay at home", "today")),
        ("we stay at home today", 15, ("we stay at home", "today")),
        ("we stay at home today", 14, ("we stay at", "home today")),
        # In the first third no cut is good.
        ("No. we stay at home today", 20, ("No. we stay at home", "today")),
        ("Oh, we stay at home today", 20, ("Oh, we stay at home", "today")),
        # Figures have no ends inside.
        ("it costs 12.50 or 1,200 today", 24, ("it costs 12.50 or 1,200", "today")),
        # Without blanks.
        ("今天下雨。我们留在家里。", 8, ("今天下雨。", "我们留在家里。")),
        ("如果下雨，我们留在家里", 8, ("如果下雨，", "我们留在家里")),
        ("我们今天留在家里", 5, ("我们今天留", "在家里")),
        ("a Donaudampfschiff", 10, ("a Donaudam", "pfschiff")),
    ],
)
def test_a_long_sentence_is_cut_where_a_reader_would_breathe(text: str, longest: int, expected: tuple[str, ...]):
    assert portions(text, longest) == expected


@given(st.text(alphabet="ab. ,!\n。，—\u00e9", max_size=80), st.integers(1, 30))
def test_no_portion_is_too_long_or_empty_and_only_white_space_is_lost(text: str, longest: int):
    cut = portions(text, longest)
    assert all(0 < len(portion) <= longest for portion in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())
