import pytest

from agent.policy.prebuffering import LONGEST_SECONDS, Pace, lead_seconds, produced, replied


@pytest.mark.parametrize(
    ("factor", "reply_seconds", "lead"),
    [
        (0.0, 6.0, 0.0),  # nothing measured yet: begin at once
        (0.3, 6.0, 0.0),  # faster than real time
        (1.0, 60.0, 0.0),  # just as fast
        (1.2, 5.0, 1.0),  # five seconds of sound take six
        (1.5, 2.0, 1.0),
        (4.0, 20.0, LONGEST_SECONDS),  # hopeless: a pause is the lesser evil
    ],
)
def test_gathers_what_the_reply_will_lack(factor: float, reply_seconds: float, lead: float) -> None:
    assert lead_seconds(Pace(factor=factor, reply_seconds=reply_seconds)) == pytest.approx(lead)


def test_a_slow_voice_that_began_after_its_lead_never_runs_dry() -> None:
    pace = produced(Pace(), work_seconds=2.6, sound_seconds=2.0)
    pace = replied(pace, sound_seconds=4.0)
    sound = pace.reply_seconds
    ready_at = [2.0 * 1.3 * (number + 1) / 2.0 for number in range(int(sound))]  # each second of sound, when it is made
    begins = next(at for at, have in zip(ready_at, range(1, 99), strict=False) if have >= lead_seconds(pace))
    assert all(made <= begins + played for played, made in enumerate(ready_at[1:], 1))


def test_the_first_measure_counts_in_full_and_later_ones_in_part() -> None:
    once = produced(Pace(), work_seconds=2.0, sound_seconds=1.0)
    assert once.factor == pytest.approx(2.0)
    assert 1.0 < produced(once, work_seconds=1.0, sound_seconds=1.0).factor < 2.0


def test_silence_measures_nothing() -> None:
    assert produced(Pace(factor=0.5), work_seconds=1.0, sound_seconds=0.0) == Pace(factor=0.5)
    assert replied(Pace(), sound_seconds=0.0) == Pace()
