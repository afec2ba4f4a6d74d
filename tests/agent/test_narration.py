from __future__ import annotations

import pytest

from agent import events as e
from agent.events import Seconds, Turn
from agent.narration import Line, Narrator

HEARD = e.UtteranceHeard(
    at=Seconds(6), text="what a day", audio_seconds=1.8, confidence=0.92, source="voice", speech_ended_at=Seconds(5.7)
)


def decided(verdict, rule, at=0.0, until=None):
    end = None if until is None else Seconds(until)
    return e.Decided(at=Seconds(at), verdict=verdict, rule=rule, reason=f"Because {rule}.", until=end, turn=None)


def prompt(turn, at):
    return e.PromptIssued(
        at=Seconds(at), turn=Turn(turn), rule="r", tentative=False, heard="", occasion="", verbatim="", personality=""
    )


def sentence(turn, at, index=0, first_token_at=None, text="Indeed."):
    first = Seconds(at if first_token_at is None else first_token_at)
    return e.SentenceReady(at=Seconds(at), turn=Turn(turn), index=index, text=text, first_token_at=first)


def measured(**stages):
    names = ("endpoint", "stt", "lease_wait", "model_load", "first_token", "first_sentence", "first_audio", "total")
    return e.TurnMeasured(at=Seconds(1), turn=Turn(1), **{f"{name}_ms": stages.get(name, 0.0) for name in names})


def test_an_utterance_is_quoted_with_its_length_and_confidence():
    assert Narrator("terminal").tell(HEARD) == Line("heard", '"what a day"', "1.8 s, confidence 0.92")


def test_with_content_nowhere_only_words_are_counted():
    narrator = Narrator("nowhere", verbose=True)
    assert narrator.tell(HEARD).body == "(3 words)"
    assert narrator.tell(sentence(1, 1)).body == "(1 word)"
    assert "day" not in repr(narrator.tell(e.PartialHeard(at=Seconds(1), text="what a day")))


def test_a_sentence_tells_how_long_after_the_prompt_it_came():
    narrator = Narrator("terminal")
    assert narrator.tell(prompt(1, 6.0)) is None
    assert narrator.tell(sentence(1, 6.28, first_token_at=6.17)).note == "+0.28 s, first token +0.17 s"
    assert narrator.tell(sentence(1, 6.5, index=1, first_token_at=6.17)).note == "+0.50 s"
    assert narrator.tell(sentence(9, 7.0)).note == ""


@pytest.mark.parametrize("verdict", ["prompt", "hush"])
def test_prompting_and_hushing_are_always_told(verdict):
    narrator = Narrator("terminal")
    assert narrator.tell(decided(verdict, "r")) == Line(verdict, "Because r.", "[r]")
    assert narrator.tell(decided(verdict, "r")) is not None


def test_silence_is_told_with_its_reason_and_how_long_it_may_last():
    line = Narrator("terminal").tell(decided("silent", "patience", at=4, until=64))
    assert line == Line("silent", "Because patience.", "[patience] may change in 60 s")


def test_the_same_reason_for_silence_is_not_repeated_within_a_minute():
    narrator = Narrator("terminal")
    assert narrator.tell(decided("silent", "patience", at=0))
    assert narrator.tell(decided("wait", "user_speaking", at=10))
    assert narrator.tell(decided("silent", "patience", at=20)) is None
    assert narrator.tell(decided("silent", "presence", at=30))
    assert narrator.tell(decided("silent", "patience", at=61))


def test_a_wait_of_less_than_a_second_is_not_worth_a_line():
    assert Narrator("terminal").tell(decided("wait", "turn_may_go_on", at=5, until=5.7)) is None


def test_the_ledger_of_a_turn_leaves_out_what_took_no_time():
    line = Narrator("terminal").tell(measured(endpoint=290, stt=12.4, first_token=70, total=542))
    assert line == Line("timing", "First sound after 0.54 s", "= endpoint 290 + stt 12 + first token 70 ms")


def test_an_interruption_tells_what_was_played():
    ended = e.SpeakingEnded(at=Seconds(8), turn=Turn(2), spoken="That sounds", interrupted=True, underruns=0)
    assert Narrator("terminal").tell(ended) == Line("cut", 'Stopped after "That sounds"', "turn 2")


def test_repeated_noise_is_told_once_a_minute():
    narrator = Narrator("terminal")

    def discarded(at):
        return e.SpeechDiscarded(
            at=Seconds(at), reason="too_short", voiced_seconds=0.1, confidence=0.0, detail="0.10 s of voice"
        )

    assert narrator.tell(discarded(1)) == Line("ignored", "That was no utterance: too short.", "0.10 s of voice")
    assert narrator.tell(discarded(2)) is None
    assert narrator.tell(discarded(62)) is not None


@pytest.mark.parametrize(
    ("event", "label", "words"),
    [
        (
            e.ModelLoaded(at=Seconds(1), model="mind", engine="Qwen", seconds=1.4, footprint_mib=3120, heavy=True),
            "model",
            "3120 MiB",
        ),
        (e.ModelEvicted(at=Seconds(1), model="mind", reason="idle"), "model", "mind is unloaded: idle"),
        (e.SteppedAside(at=Seconds(1), reason="a game is running"), "model", "stepped aside: a game is running."),
        (e.CameBack(at=Seconds(1), reason="the game is over"), "model", "came back: the game is over."),
        (e.RoutineCrashed(at=Seconds(1), routine="mind", error="died", retry_seconds=0.5), "crash", "again in 0.5 s"),
        (e.RoutineRestarted(at=Seconds(1), routine="mind", attempt=2), "ready", "mind runs again"),
        (e.RoutineGaveUp(at=Seconds(1), routine="mind", error="died"), "crash", "stays down: died"),
        (e.DeviceLost(at=Seconds(1), device="USB", error="no frames"), "device", "USB is lost: no frames"),
        (e.DeviceFound(at=Seconds(1), device="USB"), "device", "USB is back."),
        (e.ReplyFailed(at=Seconds(1), turn=Turn(1), error="it hung"), "failed", "No reply: it hung"),
        (e.SpeakingFailed(at=Seconds(1), turn=Turn(1), error="it hung"), "failed", "Not spoken: it hung"),
        (e.ReplyDeclined(at=Seconds(1), turn=Turn(1)), "pass", "chose to say nothing"),
        (e.MuteChanged(at=Seconds(1), muted=True), "muted", "The microphone is closed."),
        (e.PersonalityChanged(at=Seconds(1), name="Flint", digest="abc"), "ready", "The personality is Flint."),
        (e.CompanionStarted(at=Seconds(1), personality="abc"), "ready", "Parley listens."),
    ],
)
def test_what_happens_to_the_companion_is_told(event, label, words):
    line = Narrator("terminal").tell(event)
    assert line.label == label
    assert words in f"{line.body} {line.note}"


def test_only_verbose_tells_of_every_event():
    event = e.LeaseReleased(at=Seconds(1), model="mind", owner="thinking", held_seconds=0.5)
    assert Narrator("terminal").tell(event) is None
    assert Narrator("terminal", verbose=True).tell(event) == Line(
        "event", "LeaseReleased", "model=mind owner=thinking held_seconds=0.5"
    )


def test_a_text_cannot_steer_the_terminal():
    assert "\x1b" not in Narrator("terminal").tell(sentence(1, 1, text="\x1b[2Jgone")).body
