"""WAV files as devices."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from agent.errors import DeviceError
from agent.sound.api import Exhausted, Finish, Play, PlaybackEnded, PlaybackStarted
from agent.sound.device import Captured
from agent.sound.frame import Samples, to_bytes
from agent.sound.timeline import TimeLine
from agent.sound.wav_file import WavLoudspeaker, WavMicrophone, read_wav, refuse_same_file, wav_path

TONE = (np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * 10_000).astype(np.int16)


def write(path: Path, samples: Samples, rate: int = 16_000, subtype: str = "PCM_16"):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def ignore(samples: Samples, moment: float):
    del samples, moment


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "PCM_U8"])
def test_every_sample_format_is_read(tmp_path: Path, subtype: str):
    samples = read_wav(write(tmp_path / "in.wav", TONE, subtype=subtype))
    assert np.abs(samples.astype(int) - TONE).max() <= (256 if subtype == "PCM_U8" else 1)


def test_44_khz_stereo_is_mixed_and_resampled(tmp_path: Path):
    left = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100) * 0.5
    soundfile.write(tmp_path / "in.wav", np.stack([left, np.zeros(44_100)], axis=1), 44_100)
    samples = read_wav(tmp_path / "in.wav")
    assert len(samples) == 16_000
    assert np.abs(samples).max() == pytest.approx(0.25 * 32_768, rel=0.02)


def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = write(tmp_path / "in.wav", TONE)
    path.write_bytes(path.read_bytes()[:20_044])
    with caplog.at_level(logging.WARNING):
        assert len(read_wav(path)) == 10_000
    assert "shorter than its header says" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a WAV file"),
        (b"hello, this is a text and no sound at all. " * 4, "not a WAV file"),
        (None, "is no file"),
    ],
)
def test_what_is_no_wav_file_is_refused(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "in.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceError, match=message):
        read_wav(path)


def test_a_file_without_a_sample_is_refused(tmp_path: Path):
    with pytest.raises(DeviceError, match="holds no sound"):
        read_wav(write(tmp_path / "in.wav", TONE[:0]))


def test_another_format_is_refused_by_its_name(tmp_path: Path):
    soundfile.write(tmp_path / "in.wav", TONE, 16_000, format="AIFF")
    with pytest.raises(DeviceError, match="not a WAV file but AIFF"):
        read_wav(tmp_path / "in.wav")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path):
    with pytest.raises(DeviceError, match="cannot be written"):
        WavLoudspeaker(tmp_path / "missing" / "out.wav", TimeLine(), ignore)


def test_one_file_cannot_be_both(tmp_path: Path):
    path = tmp_path / "in.wav"
    with pytest.raises(DeviceError, match="at once"):
        refuse_same_file(path, tmp_path / "." / "in.wav")
    refuse_same_file(path, None)


def test_a_device_is_a_file_by_its_prefix():
    assert wav_path("wav:some/in.wav") == Path("some/in.wav")
    assert wav_path("default") is None


def test_the_microphone_delivers_no_sample_before_its_time_and_silence_after_the_end(tmp_path: Path):
    microphone = WavMicrophone(write(tmp_path / "in.wav", TONE), TimeLine())
    microphone.open(50.0)
    assert microphone.due(512) == pytest.approx(50.032)
    assert microphone.advance(50.0) == []
    (half,) = microphone.advance(50.5)
    assert isinstance(half, Captured)
    assert np.array_equal(half.samples, TONE[:8000])
    assert half.ended_at == 50.5
    rest, exhausted = microphone.advance(51.25)
    assert isinstance(rest, Captured)
    assert np.array_equal(rest.samples[:8000], TONE[8000:])
    assert not rest.samples[8000:].any()
    assert exhausted == Exhausted()
    (silent,) = microphone.advance(51.5)
    assert isinstance(silent, Captured)
    assert not silent.samples.any()


def test_time_goes_on_while_the_microphone_is_closed(tmp_path: Path):
    microphone = WavMicrophone(write(tmp_path / "in.wav", TONE), TimeLine())
    microphone.open(50.0)
    microphone.close()
    assert microphone.advance(50.4) == []
    assert microphone.due(512) is None
    microphone.open(50.5)
    (captured,) = microphone.advance(50.6)
    assert isinstance(captured, Captured)
    assert np.array_equal(captured.samples, TONE[8000:9600])


def test_the_loudspeaker_writes_on_the_time_line_of_the_microphone(tmp_path: Path):
    line = TimeLine()
    WavMicrophone(write(tmp_path / "in.wav", TONE), line).open(50.0)
    loudspeaker = WavLoudspeaker(tmp_path / "out.wav", line, ignore)
    assert loudspeaker.request(Play(turn=1, samples=to_bytes(TONE)), 51.0) == []
    assert loudspeaker.advance(51.1) == [PlaybackStarted(turn=1, started_at=51.0)]
    loudspeaker.request(Finish(turn=1), 51.2)
    assert loudspeaker.due() == 52.0
    assert loudspeaker.advance(52.0) == [PlaybackEnded(turn=1, samples_played=16_000, stopped=False)]
    loudspeaker.close(53.0)
    played, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert (rate, len(played)) == (16_000, 48_000)
    assert not played[:16_000].any()
    assert np.array_equal(played[16_000:32_000], TONE)
    assert not played[32_000:].any()


def test_a_crash_leaves_a_readable_file(tmp_path: Path):
    line = TimeLine()
    line.start(0.0)
    loudspeaker = WavLoudspeaker(tmp_path / "out.wav", line, ignore)
    assert soundfile.info(tmp_path / "out.wav").frames == 0
    loudspeaker.advance(0.5)
    assert soundfile.info(tmp_path / "out.wav").frames == 0
    loudspeaker.advance(1.0)
    assert soundfile.info(tmp_path / "out.wav").frames == 16_000
    loudspeaker.request(Play(turn=1, samples=to_bytes(TONE)), 1.5)
    loudspeaker.advance(1.75)
    assert soundfile.info(tmp_path / "out.wav").frames == 28_000
    loudspeaker.close(1.75)


def test_a_full_disk_ends_the_file_and_not_the_companion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    line = TimeLine()
    line.start(0.0)
    loudspeaker = WavLoudspeaker(tmp_path / "out.wav", line, ignore)

    def full(samples: bytes):
        del samples
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loudspeaker._wave, "writeframes", full)
    with caplog.at_level(logging.WARNING):
        loudspeaker.request(Play(turn=1, samples=to_bytes(TONE)), 1.0)
        loudspeaker.request(Finish(turn=1), 1.0)
        assert [type(note) for note in loudspeaker.advance(2.0)] == [PlaybackStarted, PlaybackEnded]
    loudspeaker.close(2.0)
    assert caplog.text.count("the rest is not written") == 1
