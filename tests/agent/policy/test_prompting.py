"""Every rule of the Prompter as a row of a table: what has happened, what time it is, what is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from agent.events import (
    CompanionStarted,
    Event,
    HushIssued,
    MuteChanged,
    PromptCommitted,
    PromptIssued,
    ReplyDeclined,
    ReplyFailed,
    ReplyFinished,
    SayRequested,
    Seconds,
    SentenceReady,
    SpeakingEnded,
    SpeakingFailed,
    SpeakingStarted,
    SpeechDiscarded,
    SpeechPaused,
    SpeechStarted,
    UtteranceHeard,
)
from agent.policy.daytime import QuietHours
from agent.policy.prompting import (
    Commit,
    Hush,
    Prompt,
    PromptingPolicy,
    Silent,
    Wait,
    decide,
    pause_seconds,
)
from agent.policy.situation import Situation, advance, after_crash
from agent.policy.turn_taking import Waits

POLICY = PromptingPolicy(
    waits=Waits(finished_seconds=0.3),
    patience_seconds=60,
    chattiness=0.5,
    quiet_hours=QuietHours.parse("22:30-07:30"),
)
NOON = 12 * 60
FINISHED, UNFINISHED = "what is your name", "i would like to"


def started(at: float = 0) -> Event:
    return CompanionStarted(at=Seconds(at), personality="d")


def speech(at: float) -> Event:
    return SpeechStarted(at=Seconds(at))


def paused(at: float) -> Event:
    return SpeechPaused(at=Seconds(at), silence_seconds=0.2)


def heard(at: float, text: str = FINISHED, *, ended: float | None = None, typed: bool = False) -> Event:
    ended_at = at if typed else at - 0.25 if ended is None else ended
    source: Any = "typed" if typed else "voice"
    return UtteranceHeard(
        at=Seconds(at), text=text, audio_seconds=1, confidence=1, source=source, speech_ended_at=Seconds(ended_at)
    )


def cough(at: float) -> Event:
    return SpeechDiscarded(at=Seconds(at), reason="noise", voiced_seconds=0.1, confidence=0, detail="")


def prompt(at: float, turn: int = 1, *, text: str = FINISHED, tentative: bool = False, own: bool = False) -> Event:
    return PromptIssued(
        at=Seconds(at),
        turn=turn,
        rule="x",
        tentative=tentative,
        heard="" if own else text,
        occasion="[quiet]" if own else "",
        verbatim="",
        personality="d",
    )


def sentence(at: float, text: str = "I am fine.", turn: int = 1) -> Event:
    return SentenceReady(at=Seconds(at), turn=turn, index=0, text=text, first_token_at=Seconds(at))


def replied(at: float, sentences: int = 1, turn: int = 1) -> Event:
    return ReplyFinished(at=Seconds(at), turn=turn, sentences=sentences, prompt_tokens=1, reused_tokens=0)


def sounds(at: float, turn: int = 1) -> Event:
    return SpeakingStarted(at=Seconds(at), turn=turn)


def spoken(at: float, turn: int = 1, *, interrupted: bool = False) -> Event:
    return SpeakingEnded(at=Seconds(at), turn=turn, spoken="I am fine.", interrupted=interrupted, underruns=0)


def hush(at: float, turn: int = 1) -> Event:
    return HushIssued(at=Seconds(at), turn=turn, rule="x")


def remark(at: float, turn: int) -> list[Event]:
    """A remark of Parley's own, from the prompt to its last sample one second later."""
    return [
        prompt(at, turn, own=True),
        sentence(at, turn=turn),
        replied(at, turn=turn),
        sounds(at, turn),
        spoken(at + 1, turn),
    ]


@dataclass(frozen=True)
class Row:
    name: str
    events: list[Event]
    now: float
    verdict: type
    rule: str
    until: float | None = None
    minute: float = NOON
    policy: PromptingPolicy = POLICY


# fmt: off
TURN = [started(), speech(1), paused(2), heard(2.1)]
TABLE = [
    Row("before the start it is not ready", [], 0, Silent, "not_ready"),
    Row("words before the start wait for it", [speech(1), paused(2), heard(2.1)], 3, Silent, "not_ready"),
    Row("while the user speaks it waits", [started(), speech(1)], 2, Wait, "user_speaking", 121),
    Row("a speech without an end holds nobody back for ever", [started(), speech(1)], 121, Silent, "something_sounds"),
    Row("while the words are made out it waits", [started(), speech(1), paused(2)], 2, Wait, "transcribing", 27),
    Row("words that never come are not awaited for ever", [started(), speech(1), paused(2)], 27, Silent, "something_sounds"),
    Row("a finished turn is prepared at once", TURN, 2.1, Prompt, "turn_may_go_on", 2.15),
    Row("a finished turn is answered after a short wait", TURN, 2.15, Prompt, "turn_complete"),
    Row(
        "an unfinished turn is given time",
        [started(), speech(1), paused(2), heard(2.1, UNFINISHED)],
        2.2,
        Prompt,
        "turn_may_go_on",
        3.45,
    ),
    Row("a tentative turn waits for its commit", [*TURN, prompt(2.1, tentative=True)], 2.1, Wait, "turn_may_go_on", 2.15),
    Row("a tentative turn is committed in time", [*TURN, prompt(2.1, tentative=True)], 2.15, Commit, "turn_complete"),
    Row(
        "a committed turn is not committed twice",
        [*TURN, prompt(2.1, tentative=True), PromptCommitted(at=Seconds(2.2), turn=1)],
        2.3,
        Wait,
        "thinking",
        62.1,
    ),
    Row("typed words are complete", [started(), heard(2, UNFINISHED, typed=True)], 2, Prompt, "turn_complete"),
    Row("going on before the first sound ends the turn", [*TURN, prompt(2.2), speech(2.4)], 2.4, Hush, "user_went_on"),
    Row("speaking over it ends the turn", [*TURN, prompt(2.2), sentence(2.3), sounds(2.4), speech(3)], 3, Hush, "barge_in"),
    Row("it does not start over the user", [started(), prompt(99, own=True), speech(99.1)], 99.1, Hush, "user_spoke_first"),
    Row("typed words end what it says", [*TURN, prompt(2.2), sounds(2.4), heard(3, typed=True)], 3, Hush, "new_words"),
    Row("while it thinks it waits", [*TURN, prompt(2.2)], 3, Wait, "thinking", 62.2),
    Row("while it speaks it waits", [*TURN, prompt(2.2), sentence(2.3), sounds(2.4)], 3, Wait, "speaking", 63.9),
    Row("a turn without progress is ended", [*TURN, prompt(2.2)], 62.2, Hush, "stuck"),
    Row("after the reply it is patient", [*TURN, prompt(2.2), sentence(2.3), replied(2.3), sounds(2.4), spoken(4)], 5, Silent, "patience", 64),
    Row("a reply with nothing to say is over", [*TURN, prompt(2.2), replied(2.3, sentences=0)], 2.4, Silent, "patience", 62.1),
    Row("a declined reply is over", [*TURN, prompt(2.2), ReplyDeclined(at=Seconds(2.3), turn=1)], 3, Silent, "patience", 62.1),
    Row("a failed reply is over", [*TURN, prompt(2.2), ReplyFailed(at=Seconds(2.3), turn=1, error="e")], 3, Silent, "patience", 62.1),
    Row(
        "a reply that fails in the middle is still spoken so far",
        [*TURN, prompt(2.2), sentence(2.3), sounds(2.4), ReplyFailed(at=Seconds(2.5), turn=1, error="e")],
        2.6,
        Wait,
        "speaking",
        63.9,
    ),
    Row("a voice that fails ends the turn", [*TURN, prompt(2.2), SpeakingFailed(at=Seconds(3), turn=1, error="e")], 3, Silent, "patience", 62.1),
    Row("a cough before the reply does not lose the reply", [*TURN, prompt(2.2), speech(2.3), hush(2.3), cough(2.6)], 2.6, Prompt, "turn_complete"),
    Row("the two halves of a turn are answered as one", [*TURN, prompt(2.2), speech(2.3), hush(2.3), paused(3), heard(3.1)], 3.2, Prompt, "turn_complete"),
    Row("the user may go on while the first words are made out", [started(), speech(1), paused(2), speech(2.05), heard(2.1)], 2.2, Wait, "user_speaking"),
    Row("old news does not end a new turn", [*TURN, prompt(2.2, 2), spoken(2.3, 1)], 3, Wait, "thinking", 62.2),
    Row("what it is told to say is said", [started(), SayRequested(at=Seconds(1), text="Hi.", rule="said_from_outside")], 1, Prompt, "said_from_outside"),
    Row("the greeting is said", [started(), SayRequested(at=Seconds(0), text="Hi.", rule="greeting")], 0, Prompt, "greeting"),
    Row("what it is told to say waits for the reply", [*TURN, prompt(2.2), SayRequested(at=Seconds(3), text="Hi.", rule="said_from_outside")], 3, Wait, "thinking"),
    Row("the user comes before what it is told to say", [*TURN, SayRequested(at=Seconds(2.1), text="Hi.", rule="said_from_outside")], 2.2, Prompt, "turn_complete"),
    Row("after its patience it starts by itself", [started()], 60, Prompt, "long_silence"),
    Row("before its patience it does not", [started()], 59, Silent, "patience", 60),
    Row("muted it does not start", [started(), MuteChanged(at=Seconds(1), muted=True)], 90, Silent, "muted"),
    Row("muted it still answers what was said", [*TURN, MuteChanged(at=Seconds(2.1), muted=True)], 3, Prompt, "turn_complete"),
    Row("unmuted it may start again", [started(), MuteChanged(at=Seconds(1), muted=True), MuteChanged(at=Seconds(2), muted=False)], 90, Prompt, "long_silence"),
    Row("switched off it never starts", [started()], 900, Silent, "initiative_off", policy=PromptingPolicy(initiative=False)),
    Row("a taciturn personality never starts", [started()], 900, Silent, "initiative_off", policy=PromptingPolicy(chattiness=0)),
    Row("in quiet hours it does not start", [started()], 90, Silent, "quiet_hours", 90 + 8.5 * 3600, minute=23 * 60),
    Row("quiet hours end in the morning", [started()], 90, Silent, "quiet_hours", 150, minute=7 * 60 + 29),
    Row("in quiet hours it answers", TURN, 2.2, Prompt, "turn_complete", minute=23 * 60),
    Row("to an empty room it does not speak", [started()], 1800, Silent, "nobody_there"),
    Row("an ignored remark doubles the pause", [started(), *remark(60, 1)], 62, Silent, "patience", 181),
    Row("two ignored remarks double it again", [started(), *remark(60, 1), *remark(181, 2)], 183, Silent, "patience", 422),
    Row("after three ignored remarks it waits for the user", [started(), *remark(60, 1), *remark(181, 2), *remark(422, 3)], 1500, Silent, "unanswered"),
    Row("an answer makes it patient as before", [started(), *remark(60, 1), heard(70, typed=True), prompt(70, 2), replied(70, 0, 2)], 71, Silent, "patience", 130),
    Row("a declined remark doubles the pause too", [started(), prompt(60, own=True), ReplyDeclined(at=Seconds(60), turn=1)], 61, Silent, "patience", 180),
    Row(
        "it keeps to the hourly cap",
        [started(), *remark(60, 1), heard(70, typed=True), prompt(70, 2), replied(70, 0, 2), *remark(200, 3)],
        400,
        Silent,
        "hourly_cap",
        3660,
        policy=PromptingPolicy(remarks_per_hour=2),
    ),
    Row("a cap of none is none", [started()], 60, Silent, "hourly_cap", policy=PromptingPolicy(remarks_per_hour=0)),
]
# fmt: on


def after(events: list[Event]) -> Situation:
    situation = Situation()
    for event in events:
        situation = advance(situation, event)
    return situation


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_rule(row: Row):
    decision = decide(after(row.events), Seconds(row.now), row.minute, row.policy)
    assert (type(decision), decision.rule) == (row.verdict, row.rule)
    assert decision.reason.endswith(".")
    if row.until is not None:
        assert decision.until == pytest.approx(row.until)


def test_merged_pieces_are_told_in_order():
    situation = after([*TURN, prompt(2.2), speech(2.3), hush(2.3), paused(3), heard(3.1, "and how old are you")])
    decision = decide(situation, Seconds(9), NOON, POLICY)
    assert isinstance(decision, Prompt)
    assert decision.heard == f"{FINISHED} and how old are you"


def test_after_a_barge_in_the_old_words_are_not_answered_again():
    situation = after([*TURN, prompt(2.2), sounds(2.4), speech(3), hush(3), paused(4), heard(4.1, "stop")])
    decision = decide(situation, Seconds(9), NOON, POLICY)
    assert isinstance(decision, Prompt)
    assert decision.heard == "stop"


def test_the_model_is_told_how_long_it_was_quiet_and_what_time_of_day_it_is():
    decision = decide(after([started()]), Seconds(240), 20 * 60, POLICY)
    assert isinstance(decision, Prompt)
    assert "4 minutes" in decision.occasion
    assert "evening" in decision.occasion


def test_the_model_is_told_that_its_question_was_not_answered():
    events = [started(), prompt(60, own=True), sentence(60, "How are you?"), replied(60), sounds(60), spoken(61)]
    decision = decide(after(events), Seconds(500), NOON, POLICY)
    assert isinstance(decision, Prompt)
    assert "did not answer" in decision.occasion


def test_a_crash_of_the_prompter_loses_no_word():
    situation = after_crash(after([*TURN, prompt(2.2)]))
    assert situation.pieces == (FINISHED,)
    assert situation.turn is None


def test_every_try_doubles_the_pause():
    assert [pause_seconds(POLICY, tries) for tries in range(4)] == [60, 120, 240, 480]
