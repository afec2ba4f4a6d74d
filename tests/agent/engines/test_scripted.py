from __future__ import annotations

import msgspec
import pytest

from agent.engines.api import (
    Frame,
    Hear,
    Piece,
    PromptRead,
    Reply,
    SegmentEnded,
    Speak,
    Transcribe,
    VoiceBegan,
    VoiceContinued,
    VoicePaused,
)
from agent.engines.scripted import Fault, MindEngine, Script, Segmenter, SttEngine, VoiceEngine
from agent.policy.history import Message

SILENCE = bytes(1024)
VOICE = (9000).to_bytes(2, "little") * 512
REPLY = Reply(messages=[Message("system", "be kind"), Message("user", "hello")])


def never() -> bool:
    return False


def mind(script: Script) -> MindEngine:
    engine = MindEngine(msgspec.to_builtins(script))
    engine.load(lambda _note: None)
    return engine


def test_answers_come_in_turn_and_then_from_the_start():
    engine = mind(Script(answers=("one", "two")))
    texts = [[r.text for r in engine.handle(REPLY, never) if isinstance(r, Piece)] for _ in range(3)]
    assert texts == [["one"], ["two"], ["one"]]


def test_the_prompt_is_counted_in_words():
    assert next(iter(mind(Script()).handle(REPLY, never))) == PromptRead(prompt_tokens=3, reused_tokens=2)


def test_a_reply_that_was_begun_goes_on_and_uses_up_no_answer():
    engine = mind(Script(answers=("one two three", "four")))
    texts = [
        [result.text for result in engine.handle(request, never) if isinstance(result, Piece)]
        for request in (REPLY, msgspec.structs.replace(REPLY, begun="one tw"), REPLY)
    ]
    assert texts == [["one", " two", " three"], ["o", " three"], ["four"]]


def test_a_fault_comes_at_its_call_and_its_result():
    engine = mind(Script(answers=("one two three",), faults=(Fault("raise", call=2, results=2),)))
    assert len(list(engine.handle(REPLY, never))) == 4
    results = engine.handle(REPLY, never)
    assert [next(results), next(results)] == [PromptRead(3, 2), Piece("one")]
    with pytest.raises(RuntimeError):
        next(results)


def test_a_fault_of_every_call_is_none_of_loading():
    script = Script(faults=(Fault("raise", call=-1),))
    assert script.fault(0, 0) is None
    assert script.fault(1, 0) == script.fault(9, 0) == "raise"


def test_a_misspelt_script_is_refused():
    with pytest.raises(msgspec.ValidationError):
        MindEngine({"anwsers": ["one"]})


def test_only_whole_segments_use_up_a_text():
    engine = SttEngine(msgspec.to_builtins(Script(answers=("one", "two"))))
    assert list(engine.handle(Hear(1, VOICE), never)) == []
    texts = [next(iter(engine.handle(Transcribe(segment, VOICE), never))).text for segment in (1, 2)]
    assert texts == ["one", "two"]


def test_a_voice_hums_as_long_as_the_text():
    sounds = list(VoiceEngine({}).handle(Speak("hello world"), never))
    assert sum(len(sound.samples) for sound in sounds) == 11 * 960 * 2
    assert max(len(sound.samples) for sound in sounds) == 3200


def test_a_segment_is_what_is_loud_with_a_pre_roll_and_a_soft_end():
    segmenter = Segmenter()
    pieces = [SILENCE] * 20 + [VOICE, SILENCE, VOICE] + [SILENCE] * 8
    notes = [
        note
        for index, samples in enumerate(pieces)
        for note in segmenter.feed(Frame(index * 512, samples, captured_at=(index + 1) * 0.032))
    ]
    assert [type(note) for note in notes if not isinstance(note, VoiceContinued)] == [
        VoiceBegan,
        VoicePaused,
        SegmentEnded,
    ]
    began, ended = notes[0], notes[-1]
    assert isinstance(began, VoiceBegan)
    assert isinstance(ended, SegmentEnded)
    assert began.samples == SILENCE * 12 + VOICE
    assert ended.samples == SILENCE * 12 + VOICE + SILENCE + VOICE + SILENCE * 7
    assert ended.voiced_seconds == pytest.approx(0.096)
    assert ended.silence_seconds == pytest.approx(0.224)
    assert ended.speech_ended_at == pytest.approx(23 * 0.032)
