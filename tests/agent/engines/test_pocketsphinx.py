"""The real engine and its own model, on synthetic voices."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean

import numpy as np
import pytest

from agent.engines.api import Hear, Partial, Transcribe
from agent.engines.pocketsphinx import Pocketsphinx, cleaned
from agent.errors import ModelMissing
from tests.speech import cough, noise, say, silence, trimmed, word_error_rate

SENTENCE = "i am feeling tired today"
CHUNK_BYTES = 1024


@pytest.fixture(scope="module")
def loaded():
    engine = Pocketsphinx({"language": "en"})
    engine.load(lambda _note: None)
    return engine


@pytest.fixture
def numbers():
    """Segments that no test shares."""
    return iter(range(1, 100))


def segment_of(sound, loudness=1.0):
    """As the ear gives it: with a pre-roll and the soft end's silence, in the hum of a room."""
    sound = np.concatenate([silence(0.38), sound * loudness, silence(0.13)])
    return (sound + noise(len(sound) / 16000, 8.0)).astype(np.int16).tobytes()


def asked(engine, request, cancelled=lambda: False):
    return list(engine.handle(request, cancelled))


def hear(engine, number, samples):
    chunks = [samples[start : start + CHUNK_BYTES] for start in range(0, len(samples), CHUNK_BYTES)]
    return [result for chunk in chunks for result in asked(engine, Hear(number, chunk))]


def transcribe(engine, number, samples):
    [transcript] = asked(engine, Transcribe(number, samples))
    assert transcript.segment == number
    return transcript


@pytest.fixture(scope="module")
def said():
    return segment_of(trimmed(say(SENTENCE)))


def test_it_hears_everyday_sentences(loaded, numbers):
    errors = [
        word_error_rate(sentence, transcribe(loaded, next(numbers), segment_of(trimmed(say(sentence, voice)))).text)
        for sentence, voice in [("tell me a joke", "rms"), ("what time is it now", "slt"), (SENTENCE, "awb")]
    ]
    assert mean(errors) <= 0.1


def test_the_words_so_far_come_while_the_user_speaks(loaded, numbers, said):
    number = next(numbers)
    partials = hear(loaded, number, said)
    assert all(isinstance(partial, Partial) and partial.segment == number for partial in partials)
    assert len(partials) >= 3
    assert partials[-1].text.startswith("i am feeling")


def test_the_words_so_far_come_only_when_they_changed(loaded, numbers, said):
    texts = [partial.text for partial in hear(loaded, next(numbers), said)]
    assert all(before != after for before, after in pairwise(texts))


def test_what_was_heard_before_is_not_decoded_again(said, monkeypatch):
    fresh = Pocketsphinx({})
    fresh.load(lambda _note: None)
    fed = []
    decoder = fresh._decoder

    class Counting:
        def process_raw(self, samples, **options):
            if not options["no_search"]:
                fed.append(len(samples))
            return decoder.process_raw(samples, **options)

        def __getattr__(self, name):
            return getattr(decoder, name)

    monkeypatch.setattr(fresh, "_decoder", Counting())
    hear(fresh, 1, said)
    before = sum(fed)
    assert transcribe(fresh, 1, said).text == SENTENCE
    assert sum(fed) == len(said)
    assert sum(fed) - before < 16000  # half a second was left for the end


def test_hearing_on_the_way_changes_nothing_in_the_transcript(said):
    texts = []
    for on_the_way in (False, True):
        engine = Pocketsphinx({})
        engine.load(lambda _note: None)
        if on_the_way:
            hear(engine, 1, said)
        texts.append(transcribe(engine, 1, said))
    assert texts[0] == texts[1]


def test_a_segment_other_than_what_was_heard_is_decoded_from_its_beginning(loaded, numbers, said):
    number = next(numbers)
    hear(loaded, number, segment_of(trimmed(say("tell me a joke")))[:32000])
    assert transcribe(loaded, number, said).text == SENTENCE


def test_a_segment_that_was_left_open_does_not_disturb_the_next(loaded, numbers, said):
    hear(loaded, next(numbers), segment_of(trimmed(say("tell me a joke"))))
    number = next(numbers)
    hear(loaded, number, said)
    assert transcribe(loaded, number, said).text == SENTENCE


def test_a_cancelled_segment_gives_nothing_and_the_next_one_works(loaded, numbers, said):
    assert asked(loaded, Transcribe(next(numbers), said), lambda: True) == []
    assert transcribe(loaded, next(numbers), said).text == SENTENCE


def test_after_an_error_the_next_segment_works(loaded, numbers, said):
    number = next(numbers)
    hear(loaded, number, said)

    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asked(loaded, Transcribe(number, said), fail)
    assert transcribe(loaded, next(numbers), said).text == SENTENCE


@pytest.mark.parametrize("loudness", [1.0, 0.1])
def test_the_first_sentence_is_heard_however_loud_it_is(loudness):
    """With the decoder's default for the channel half of the words are wrong at the lower of these."""
    engine = Pocketsphinx({})
    engine.load(lambda _note: None)
    assert transcribe(engine, 1, segment_of(trimmed(say(SENTENCE)), loudness)).text == SENTENCE


def test_noise_between_sentences_does_not_spoil_the_next_one(loaded, numbers, said):
    for loudness in (100.0, 3000.0, 300.0):
        transcribe(loaded, next(numbers), noise(1.0, loudness).tobytes())
    assert transcribe(loaded, next(numbers), said).text == SENTENCE


def test_a_cough_has_no_words(loaded, numbers):
    transcript = transcribe(loaded, next(numbers), segment_of(cough()))
    assert (transcript.text, transcript.confidence) == ("", 0.0)


def test_it_is_surer_of_speech_than_of_noise(loaded, numbers, said):
    speech = transcribe(loaded, next(numbers), said).confidence
    hiss = transcribe(loaded, next(numbers), noise(1.5, 2000.0).tobytes()).confidence
    assert speech > 0.6
    assert hiss < 0.4


@pytest.mark.parametrize("sound", [b"", bytes(2), bytes(640), bytes(32000)])
def test_next_to_no_sound_has_no_words(loaded, numbers, sound):
    assert transcribe(loaded, next(numbers), sound).text == ""


def test_another_language_is_refused_with_what_to_do():
    with pytest.raises(ModelMissing, match=r"only English, not 'de'.*\[stt\]"):
        Pocketsphinx({"language": "de"}).load(lambda _note: None)


def test_fillers_and_numbers_of_pronunciations_are_no_words():
    assert cleaned("<s> What(2) [NOISE] is ++UM++ it <sil> </s>") == "what is it"
