from __future__ import annotations

import pytest

from agent.wording import one_line, span


def test_a_text_cannot_steer_the_terminal():
    assert one_line("\x1b[31mred\r\n\x07end\n") == "[31mred   end"


def test_letters_of_all_scripts_stay():
    assert one_line("Grüße, 你好") == "Grüße, 你好"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0.0 s"), (0.25, "0.2 s"), (12, "12 s"), (119, "119 s"), (600, "10 min"), (27000, "7.5 h")],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds, expected):
    assert span(seconds) == expected
