"""The same through PyAudio, on sound cards that PulseAudio makes up."""

from __future__ import annotations

import pytest

from tests.end_to_end.companion import assert_closed, new_home
from tests.end_to_end.held import on_pulse
from tests.pulse import Pulse


def test_every_request_is_heard_and_answered_and_nobody_is_interrupted(pulse: Pulse):
    requests = (
        (2.0, "What is your favorite color?", "rms"),
        (6.0, "My sister gave me a book.", "slt"),
    )
    with new_home(pulse.env) as home:
        held = on_pulse(home, pulse, requests)
    assert held.status == 0
    assert held.mean_word_error_rate < 0.25, held.verdict.texts
    assert None not in held.verdict.gaps, held.verdict
    assert held.verdict.overlap_seconds == 0.0
    assert_closed(held.events)


@pytest.mark.parametrize("option", ["--microphone", "--loudspeaker"])
def test_a_device_that_is_not_there_is_told_by_its_name_with_those_that_are(pulse: Pulse, option: str):
    with new_home(pulse.env) as home:
        ended = home.parley("run", option, "No Such Device")
        assert ended.returncode == 4, ended.stderr
        assert "No Such Device" in ended.stderr
        assert '"pulse"' in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not home.family()
