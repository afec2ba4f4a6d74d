"""Samples, levels, rates and frames."""

from __future__ import annotations

import numpy as np
import pytest

from agent.sound import frame


def tone(hertz: float, seconds: float, rate: int = 16_000, amplitude: int = 10_000):
    return (np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate) * amplitude).astype(np.int16)


def test_samples_survive_the_wire():
    samples = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    assert np.array_equal(frame.from_bytes(frame.to_bytes(samples)), samples)


def test_half_a_sample_is_refused():
    with pytest.raises(ValueError, match="multiple of"):
        frame.from_bytes(b"abc")


def test_two_channels_become_their_mean():
    assert list(frame.mono(np.array([[100, 300], [-200, 0]], dtype=np.int16))) == [200, -100]


def test_a_clip_keeps_its_length_and_its_pitch_at_another_rate():
    clip = frame.resampled(tone(440, 1.0, rate=44_100), 44_100)
    assert len(clip) == 16_000
    assert np.argmax(np.abs(np.fft.rfft(clip))) == 440


def test_a_fade_begins_as_it_was_and_ends_in_silence_without_a_jump():
    faded = frame.faded_out(np.full(256, 10_000, dtype=np.int16))
    assert (faded[0], faded[-1]) == (10_000, 0)
    assert np.abs(np.diff(faded)).max() < 100


def test_levels_are_relative_to_full_scale():
    assert frame.level_dbfs(tone(440, 1.0, amplitude=32_767)) == pytest.approx(-3.01, abs=0.01)
    assert frame.level_dbfs(frame.silence(512)) == frame.QUIETEST_DBFS
    assert frame.level_dbfs(frame.silence(0)) == frame.QUIETEST_DBFS


@pytest.mark.parametrize(("rate", "to_rate"), [(48_000, 16_000), (44_100, 16_000), (16_000, 44_100), (16_000, 48_000)])
def test_a_resampled_stream_is_the_clip_resampled_at_once(rate: int, to_rate: int):
    stream = frame.Resampler(rate, to_rate)
    given = tone(440, 1.0, rate=rate)
    got = np.concatenate([stream.resample(given[at : at + 333]) for at in range(0, len(given), 333)])
    wanted = tone(440, 1.0, rate=to_rate)[: len(got)]
    assert stream.backlog_seconds == pytest.approx(1.0 - len(got) / to_rate)
    middle = slice(to_rate // 10, len(got) - to_rate // 10)
    assert np.abs(got[middle].astype(int) - wanted[middle]).max() < 20


def test_equal_rates_pass_through_at_once():
    stream = frame.Resampler(16_000, 16_000)
    assert np.array_equal(stream.resample(tone(440, 0.01)), tone(440, 0.01))
    assert stream.backlog_seconds == 0


def test_frames_are_cut_in_order_and_stamped_with_the_moment_of_their_last_sample():
    framer = frame.Framer()
    samples = np.arange(1100, dtype=np.int16)
    assert framer.cut(samples[:500], ended_at=9.0) == []
    assert framer.missing == 12
    first, second = framer.cut(samples[500:], ended_at=10.0)
    assert (first.position, second.position) == (0, 512)
    assert second.captured_at == pytest.approx(10.0 - 76 / 16_000)
    assert first.captured_at == pytest.approx(10.0 - (76 + 512) / 16_000)
    assert np.array_equal(frame.from_bytes(first.samples + second.samples), samples[:1024])
