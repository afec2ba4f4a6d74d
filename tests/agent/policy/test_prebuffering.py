import math
from dataclasses import replace

import pytest

from agent.policy.prebuffering import LONGEST_SECONDS, Pace, lead_seconds, produced, replied


@pytest.mark.parametrize(
    ("factor", "sentence_seconds", "reply_seconds", "lead"),
    [
        (0.0, 2.0, 6.0, 0.0),  # nothing measured yet: begin at once
        (0.3, 2.0, 6.0, 0.0),  # faster than real time
        (1.0, 2.0, 60.0, 0.0),  # just as fast
        (1.25, 1.0, 6.0, 2.0),  # a sentence, and a fifth of the five seconds behind it
        (2.0, 0.5, 4.0, 2.25),
        (1.25, 2.0, 1.0, 2.0),  # a reply shorter than a sentence ends before it has the lead
        (4.0, 2.0, 20.0, LONGEST_SECONDS),  # hopeless: a pause is the lesser evil
    ],
)
def test_gathers_what_the_reply_will_lack(
    factor: float, sentence_seconds: float, reply_seconds: float, lead: float
) -> None:
    pace = Pace(factor=factor, sentence_seconds=sentence_seconds, reply_seconds=reply_seconds)
    assert lead_seconds(pace) == pytest.approx(lead)


@pytest.mark.parametrize("factor", [1.05, 1.3, 1.6])
@pytest.mark.parametrize("sentences", [1, 2, 4])
def test_sentences_that_began_after_their_lead_never_run_dry(factor: float, sentences: int) -> None:
    pace = produced(Pace(), work_seconds=factor, sound_seconds=1.0)
    pace = replace(pace, reply_seconds=float(sentences))
    made_at = [factor * number for number in range(1, sentences + 1)]  # each sentence, a second of sound
    gathered = min(math.ceil(lead_seconds(pace)), sentences)
    begins = made_at[gathered - 1]
    assert all(made <= begins + number for number, made in enumerate(made_at))


def test_the_first_measure_counts_in_full_and_later_ones_in_part() -> None:
    once = produced(Pace(), work_seconds=2.0, sound_seconds=1.0)
    assert once.factor == pytest.approx(2.0)
    assert 1.0 < produced(once, work_seconds=1.0, sound_seconds=1.0).factor < 2.0


def test_how_long_a_sentence_sounds_is_measured_with_its_work() -> None:
    once = produced(Pace(), work_seconds=2.0, sound_seconds=4.0)
    assert once.sentence_seconds == pytest.approx(4.0)
    assert 1.0 < produced(once, work_seconds=1.0, sound_seconds=1.0).sentence_seconds < 4.0


def test_silence_measures_nothing() -> None:
    assert produced(Pace(factor=0.5), work_seconds=1.0, sound_seconds=0.0) == Pace(factor=0.5)
    assert replied(Pace(), sound_seconds=0.0) == Pace()
