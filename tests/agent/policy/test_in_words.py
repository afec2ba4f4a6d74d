"""Most of it is in the golden replies (golden/numbers.txt); here are the traps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.in_words import in_words


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("You may 5 times", "You may five times"),
        ("May 5 is fine", "May fifth is fine"),
        ("a 5-year-old", "a five-year-old"),
        ("the 3 - 2 lead", "the three minus two lead"),
        ("it is 5'10\" tall", "it is five foot ten tall"),
        ("at 14:00 sharp", "at fourteen hundred sharp"),
        ("at 10:30:15", "at ten:thirty:fifteen"),
        ("5G and 4K", "5G and 4K"),
        ("5 m, 5m and $5m", "Five meters, five meters and five million dollars"),
        ("-3", "Minus three"),
        ("word-3", "word-three"),
        ("1, 2, 3", "One, two, three"),
        ("1,2", "One,two"),
        ("€1.5 billion", "One point five billion euros"),
        ("", ""),
    ],
)
def test_figures_in_their_surroundings(text, spoken):
    assert in_words(text) == spoken


@given(st.text(alphabet="0123456789 .,:/-+$€%kmap'x#=th", max_size=30))
def test_any_row_of_figures_can_be_said(text):
    assert isinstance(in_words(text), str)
