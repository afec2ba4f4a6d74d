"""What is played, to the sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.sound.api import Finish, Play, PlaybackEnded, PlaybackStarted, Stop
from agent.sound.frame import to_bytes
from agent.sound.playback import FADE_SAMPLES, Began, Ended, Playback, TimedPlayback
from agent.sound.timeline import TimeLine


def ones(count: int, value: int = 1):
    return np.full(count, value, dtype=np.int16)


def test_silence_is_played_while_there_is_nothing_to_play():
    playback = Playback()
    samples, marks = playback.pull(100)
    assert not samples.any()
    assert marks == []
    assert playback.due is None


def test_a_turn_begins_with_its_first_sample_and_ends_after_its_last():
    playback = Playback()
    playback.pull(10)
    playback.play(1, ones(30))
    playback.finish(1)
    samples, marks = playback.pull(100)
    assert list(np.flatnonzero(samples)) == list(range(30))
    assert marks == [Began(1, 10), Ended(1, 40, 30, stopped=False, underruns=0)]


def test_the_next_turn_follows_without_a_gap():
    playback = Playback()
    playback.play(1, ones(30))
    playback.play(2, ones(30, 2))
    playback.finish(1)
    playback.finish(2)
    samples, marks = playback.pull(100)
    assert list(samples[:60]) == [1] * 30 + [2] * 30
    assert [type(mark) for mark in marks] == [Began, Ended, Began, Ended]


def test_the_next_turn_waits_until_the_one_before_is_finished():
    playback = Playback()
    playback.play(1, ones(30))
    playback.play(2, ones(30, 2))
    assert 2 not in playback.pull(100)[0]
    playback.finish(1)
    assert playback.pull(30)[0].tolist() == [2] * 30


def test_a_gap_in_the_middle_of_a_turn_is_one_underrun():
    playback = Playback()
    playback.play(1, ones(30))
    for _ in range(3):
        playback.pull(40)
    playback.play(1, ones(30))
    playback.finish(1)
    assert playback.pull(40)[1] == [Ended(1, 150, 60, stopped=False, underruns=1)]


def test_waiting_for_the_first_sample_or_for_the_finish_is_no_underrun():
    playback = Playback()
    playback.play(1, ones(0))
    playback.pull(40)
    playback.play(1, ones(40))
    playback.pull(40)
    playback.pull(40)
    playback.finish(1)
    assert playback.pull(0)[1] == [Ended(1, 120, 40, stopped=False, underruns=0)]


def test_a_stopped_turn_fades_and_the_rest_of_it_is_dropped():
    playback = Playback()
    playback.play(1, ones(16_000, 10_000))
    playback.pull(1000)
    playback.stop(1)
    samples, marks = playback.pull(1000)
    assert samples[0] == 10_000
    assert not samples[FADE_SAMPLES:].any()
    assert FADE_SAMPLES <= 0.020 * 16_000
    assert marks == [Ended(1, 1000 + FADE_SAMPLES, 1000 + FADE_SAMPLES, stopped=True, underruns=0)]


def test_a_turn_that_was_stopped_before_it_sounded_ends_too():
    playback = Playback()
    playback.stop(5)
    assert playback.pull(0)[1] == [Ended(5, 0, 0, stopped=True, underruns=0)]


def test_a_finished_turn_without_a_sample_ends():
    playback = Playback()
    playback.finish(5)
    assert playback.pull(0)[1] == [Ended(5, 0, 0, stopped=False, underruns=0)]


def test_what_comes_for_a_turn_that_has_ended_is_dropped():
    playback = Playback()
    playback.play(1, ones(10))
    playback.stop(1)
    playback.pull(10)
    for late in (lambda: playback.play(1, ones(100)), lambda: playback.finish(1), lambda: playback.stop(1)):
        late()
        samples, marks = playback.pull(100)
        assert not samples.any()
        assert marks == []
    assert playback.idle


def test_a_turn_in_the_queue_can_be_stopped_without_touching_the_one_that_sounds():
    playback = Playback()
    playback.play(1, ones(100))
    playback.pull(10)
    playback.play(2, ones(100, 2))
    playback.stop(2)
    samples, marks = playback.pull(100)
    assert samples.tolist() == [1] * 90 + [0] * 10
    assert marks == [Ended(2, 10, 0, stopped=True, underruns=0)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["play", "finish", "stop", "pull"]), st.integers(1, 4), st.integers(0, 700)),
        max_size=60,
    )
)
def test_every_turn_ends_exactly_once_and_no_sample_is_counted_twice(steps: list[tuple[str, int, int]]):
    playback, marks, turns, pulled = Playback(), [], set[int](), 0
    for step, turn, count in steps:
        if step == "pull":
            samples, new = playback.pull(count)
            assert len(samples) == count
            pulled += count
            marks += new
            continue
        turns.add(turn)
        if step == "play":
            playback.play(turn, ones(count))
        else:
            getattr(playback, step)(turn)
    for turn in turns:
        playback.finish(turn)
    _, new = playback.pull(40_000)
    marks += new
    ended = [mark for mark in marks if isinstance(mark, Ended)]
    began = [mark for mark in marks if isinstance(mark, Began)]
    assert sorted(mark.turn for mark in ended) == sorted(turns)
    assert sorted(mark.turn for mark in began) == sorted(mark.turn for mark in ended if mark.samples_played)
    assert playback.idle
    assert playback.position == pulled + 40_000


def test_sounds_are_placed_at_now_on_the_time_line():
    line, played = TimeLine(), []
    line.start(100.0)
    timed = TimedPlayback(line, played.append)
    assert timed.request(Play(turn=1, samples=to_bytes(ones(1600))), 101.0) == []
    assert timed.due() is not None
    assert timed.advance(101.05) == [PlaybackStarted(turn=1, started_at=101.0)]
    assert timed.due() is None
    timed.request(Finish(turn=1), 101.06)
    assert timed.due() == 101.1
    assert timed.advance(101.1) == [PlaybackEnded(turn=1, samples_played=1600, stopped=False)]
    assert list(np.flatnonzero(np.concatenate(played))) == list(range(16_000, 17_600))


def test_a_stop_sounds_no_longer_than_the_fade():
    line, played = TimeLine(), []
    timed = TimedPlayback(line, played.append)
    timed.request(Play(turn=1, samples=to_bytes(ones(16_000, 9_000))), 0.0)
    timed.request(Stop(turn=1), 0.5)
    (ended,) = timed.advance(0.52)
    assert ended == PlaybackEnded(turn=1, samples_played=8000 + FADE_SAMPLES, stopped=True)
    assert np.flatnonzero(np.concatenate(played)).max() < 8000 + FADE_SAMPLES
