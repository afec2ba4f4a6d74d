"""The real ear, fed faster than real time: it counts in seconds of sound."""

from __future__ import annotations

import logging
import threading
from itertools import pairwise

import numpy as np
import pytest

from agent.engines import realtime_stt_ear
from agent.engines.api import (
    SAMPLE_RATE,
    Frame,
    SegmentEnded,
    VoiceBegan,
    VoiceContinued,
    VoicePaused,
)
from agent.engines.realtime_stt_ear import CHUNK_SAMPLES, CHUNK_SECONDS, LONGEST_SEGMENT_SECONDS, RealtimeSttEar
from agent.errors import EngineFailed, ModelMissing
from tests.speech import noise, say, silence, trimmed

SETTINGS = {"sensitivity": 0.4, "soft_end_seconds": 0.1, "pre_roll_seconds": 0.4}
OPENED_AT = 1000.0
PATIENCE_SECONDS = 60.0
REQUEST = trimmed(say("i would like you to"))
REST = trimmed(say("tell me a story"))


class Hearing:
    """An ear, what it was fed, and what it said."""

    def __init__(self, **settings):
        self.notes = []
        self.stream = b""
        self._told = threading.Condition()
        self.ear = RealtimeSttEar(SETTINGS | settings)
        self.facts = self.ear.load(self._take)

    def _take(self, note):
        with self._told:
            self.notes.append(note)
            self._told.notify_all()

    def feed(self, *sounds, frame_samples=CHUNK_SAMPLES):
        samples = np.concatenate(sounds)
        for start in range(0, len(samples), frame_samples):
            piece = samples[start : start + frame_samples]
            position = len(self.stream) // 2
            self.stream += piece.tobytes()
            captured_at = OPENED_AT + len(self.stream) / 2 / SAMPLE_RATE
            self.ask(Frame(position, piece.tobytes(), captured_at))

    def ask(self, request):
        assert list(self.ear.handle(request, lambda: False)) == []

    def segments(self, count):
        """Wait until so many segments have ended."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.all(SegmentEnded)) >= count, PATIENCE_SECONDS)
        return self.all(SegmentEnded)

    def all(self, kind):
        return [note for note in self.notes if isinstance(note, kind)]

    def span(self, segment):
        """First and last second of the segment in what was fed."""
        start = self.stream.index(segment.samples)
        return start / 2 / SAMPLE_RATE, (start + len(segment.samples)) / 2 / SAMPLE_RATE


@pytest.fixture
def hearing():
    hearings = []

    def listen(**settings):
        hearings.append(Hearing(**settings))
        return hearings[-1]

    yield listen
    for each in hearings:
        each.ear.close()


def seconds(samples):
    return len(samples) / SAMPLE_RATE


def background(*sounds):
    """The sounds in the hum of a room."""
    samples = np.concatenate(sounds)
    return (samples + noise(seconds(samples), 20.0)).astype(np.int16)


def test_a_sentence_is_told_from_its_onset_to_its_soft_end(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(1)))
    [segment] = listening.segments(1)
    kinds = [type(note) for note in listening.notes if not isinstance(note, VoiceContinued)]
    assert kinds[0] is VoiceBegan
    assert set(kinds[1:-1]) == {VoicePaused}
    assert kinds[-1] is SegmentEnded
    start, end = listening.span(segment)
    assert start <= 1.0
    assert end >= 1.0 + seconds(REQUEST)


def test_what_was_told_while_it_went_on_is_exactly_the_segment(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(0.5), REST, silence(1)))
    for segment in listening.segments(2):
        told = [
            note.samples
            for note in listening.notes
            if isinstance(note, VoiceBegan | VoiceContinued) and note.segment == segment.segment
        ]
        assert b"".join(told) == segment.samples


@pytest.mark.parametrize("voice", ["rms", "slt", "awb"])
def test_the_moment_speech_ended_is_right_to_three_chunks(hearing, voice):
    listening = hearing()
    clip = trimmed(say("what do you think about music", voice))
    listening.feed(background(silence(1), clip, silence(1)))
    segment = listening.segments(1)[-1]
    assert segment.speech_ended_at == pytest.approx(OPENED_AT + 1 + seconds(clip), abs=3 * CHUNK_SECONDS)


def test_voice_and_silence_of_a_segment_are_the_detectors_own(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(1)))
    [segment] = listening.segments(1)
    assert segment.voiced_seconds == pytest.approx(seconds(REQUEST), abs=0.15)
    assert segment.silence_seconds == pytest.approx(4 * CHUNK_SECONDS)
    _, end = listening.span(segment)
    assert OPENED_AT + end - segment.speech_ended_at == pytest.approx(segment.silence_seconds)


def test_a_pause_is_told_a_soft_end_before_the_segment_ends(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(1)))
    listening.segments(1)
    assert listening.all(VoicePaused)[-1].silence_seconds == pytest.approx(CHUNK_SECONDS)
    after = listening.notes[listening.notes.index(listening.all(VoicePaused)[-1]) :]
    assert sum(isinstance(note, VoiceContinued) for note in after) == round(0.1 / CHUNK_SECONDS)


@pytest.mark.parametrize("hole", [0.3, 0.5, 0.8])
def test_who_goes_on_after_a_soft_end_is_heard_whole(hearing, hole):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(hole), REST, silence(1)))
    first, second = listening.segments(2)
    assert listening.span(first)[1] >= 1 + seconds(REQUEST)
    assert listening.span(second)[0] <= 1 + seconds(REQUEST) + hole - 0.1
    assert listening.span(second)[1] >= 1 + seconds(REQUEST) + hole + seconds(REST)


def test_segments_that_follow_each_other_closely_are_all_told(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(0.3), REST, silence(0.3), REQUEST, silence(1)))
    assert [segment.segment for segment in listening.segments(3)] == [1, 2, 3]


def test_quiet_speech_loses_no_first_word(hearing):
    """RealtimeSTT as it comes finds this onset after 0.6 s, longer than the pre-roll."""
    listening = hearing()
    clip = (trimmed(say("can you tell me a story about a dog", "slt")) * 0.1).astype(np.int16)
    listening.feed(background(silence(1), clip, silence(1)))
    start, _ = listening.span(listening.segments(1)[0])
    assert start <= 1.0


def test_an_onset_is_followed_by_no_false_pause(hearing):
    """RealtimeSTT as it comes has its detector forget everything there."""
    listening = hearing()
    for sentence in ("tell me a joke", "what is your name", "please be quiet"):
        listening.feed(background(silence(1), trimmed(say(sentence)), silence(1)))
    listening.segments(3)
    for began, after in pairwise(listening.notes):
        assert not (isinstance(began, VoiceBegan) and isinstance(after, VoicePaused))


def test_equal_sound_gives_equal_notes(hearing):
    sound = background(silence(1), REQUEST, silence(0.3), REST, silence(1))
    first, second = hearing(), hearing()
    second.feed(sound)
    second.segments(2)
    assert first.notes == []  # two ears of one process share the clock, so the first must be quiet
    again = hearing()
    again.feed(sound)
    again.segments(2)
    assert again.notes == second.notes


def test_frames_of_any_size_give_the_same_segments(hearing):
    sound = background(silence(1), REQUEST, silence(1))
    whole = hearing()
    whole.feed(sound)
    [expected] = whole.segments(1)
    small = hearing()
    small.feed(sound, frame_samples=160)
    [segment] = small.segments(1)
    assert segment.samples == expected.samples
    assert segment.speech_ended_at == pytest.approx(expected.speech_ended_at, abs=0.001)


def test_minutes_in_a_quiet_room_leave_nothing_behind_and_speech_is_heard(hearing):
    listening = hearing()
    room = noise(30.0, 5.0)
    for count in range(1, 5):
        listening.feed(room, background(REQUEST, silence(1)))
        assert len(listening.segments(count)) == count
    listening.ear.close()  # and so its thread is done with the last one
    recorder = listening.ear._recorder
    assert recorder.frames == []
    assert recorder.recorded_audio_queue.empty()
    assert recorder._external_transcription_threads == []


def test_a_microphone_that_closes_in_a_sentence_ends_the_segment(hearing):
    listening = hearing()
    listening.feed(background(silence(1), REQUEST))
    [segment] = listening.segments(1)
    assert segment.silence_seconds == pytest.approx(4 * CHUNK_SECONDS)
    listening.feed(background(silence(1), REST, silence(1)))
    assert len(listening.segments(2)) == 2


def test_speech_without_a_pause_is_cut_and_goes_on_without_a_gap(hearing):
    listening = hearing(soft_end_seconds=2.0)
    speech = np.concatenate([REQUEST, REST] * 17)
    listening.feed(background(silence(1), speech[: 34 * SAMPLE_RATE], silence(3)))
    first, second = listening.segments(2)
    assert len(first.samples) / 2 / SAMPLE_RATE == pytest.approx(LONGEST_SEGMENT_SECONDS, abs=CHUNK_SECONDS)
    assert listening.span(second)[0] <= listening.span(first)[1]
    assert listening.span(second)[1] > 35


def test_a_recorder_that_takes_no_sound_is_told(hearing):
    listening = hearing()
    listening.ear.close()
    with pytest.raises(EngineFailed, match="recording thread"):
        listening.feed(silence(0.1))


def test_a_minute_of_sound_that_nobody_takes_is_told(hearing):
    listening = hearing()
    hold = threading.Event()
    listening.ear._recorder.on_recorded_chunk = lambda _chunk: hold.wait(PATIENCE_SECONDS)
    with pytest.raises(EngineFailed, match="stuck"):
        listening.feed(silence(65))
    hold.set()


def test_without_the_detectors_weights_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(realtime_stt_ear, "find_spec", lambda _name: None)
    with pytest.raises(ModelMissing, match="pip install silero-vad"):
        RealtimeSttEar(SETTINGS).load(lambda _note: None)


def test_it_writes_no_file_prints_nothing_and_adds_no_log_handler(hearing, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    listening = hearing()
    listening.feed(background(silence(1), REQUEST, silence(1)))
    listening.segments(1)
    listening.ear.close()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("realtimestt").handlers == []


def test_closing_ends_its_thread(hearing):
    listening = hearing()
    listening.ear.close()
    assert not listening.ear._recorder.recording_thread.is_alive()
