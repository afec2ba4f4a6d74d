from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.realtime_tts import MutedStream, SentenceEngine, SilenceTrimmer

SILENCE, SOUND = np.zeros(1600, np.int16), np.full(800, 5000, np.int16)


class Hum(SentenceEngine):
    """Gives half a second of hum in tenths; a sentence says what goes wrong."""

    name = "hum"
    rate = 16_000

    def chunks(self, sentence):
        for tenth in range(5):
            if sentence == "break" and tenth == 2:
                raise OSError("the hum broke")
            if self.stop_synthesis_event.is_set():
                return
            yield np.full(1600, 3000, np.int16).tobytes()


def _trimmed(pieces):
    trimmer = SilenceTrimmer()
    return np.concatenate([*(trimmer.feed(piece) for piece in pieces), trimmer.finish()])


def test_silence_around_a_sentence_is_cut_and_the_pause_inside_is_kept():
    trimmed = _trimmed([SILENCE, SOUND, SILENCE, SOUND, SILENCE, SILENCE])
    assert len(trimmed) == 160 + 800 + 1600 + 800 + 960
    assert not trimmed[:160].any()
    assert not trimmed[-960:].any()


def test_a_sentence_that_ends_abruptly_gets_its_silence_all_the_same():
    assert len(_trimmed([SOUND])) == 800 + 960


def test_silence_alone_is_nothing():
    assert len(_trimmed([SILENCE, SILENCE])) == 0


@given(st.lists(st.integers(0, 7200), max_size=6))
def test_how_the_sound_was_broken_apart_does_not_matter(cuts):
    whole = np.concatenate([SILENCE, SOUND, SILENCE, SOUND, SILENCE])
    assert np.array_equal(_trimmed(np.split(whole, sorted(min(cut, len(whole)) for cut in cuts))), _trimmed([whole]))


def test_a_sentence_comes_through_the_library_whole():
    stream = MutedStream(Hum())
    sound = b"".join(stream.speak("anything", lambda: False))
    assert len(sound) // 2 == pytest.approx(8000 + 960, abs=20)


def test_an_engine_that_breaks_is_told_and_the_next_sentence_works():
    stream = MutedStream(Hum())
    with pytest.raises(OSError, match="the hum broke"):
        list(stream.speak("break", lambda: False))
    assert list(stream.speak("again", lambda: False))


def test_a_sentence_cut_short_leaves_no_sound_for_the_next_one():
    stream = MutedStream(Hum())
    speech = stream.speak("one", lambda: False)
    next(speech)
    speech.close()
    assert len(b"".join(stream.speak("two", lambda: False))) // 2 == pytest.approx(8000 + 960, abs=20)


def test_what_was_cancelled_before_it_began_is_silent():
    assert list(MutedStream(Hum()).speak("anything", lambda: True)) == []
