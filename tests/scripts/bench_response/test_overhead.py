from dataclasses import dataclass, field

import pytest

from agent.events import Decided, PromptIssued, Seconds, SentenceReady, SpeakingStarted, Turn, UtteranceHeard
from scripts.bench_response.overhead import turns
from scripts.bench_response.stamped import Given, Stamp

ORIGIN = 1000.0
"""What the machine's clock says at the daemon's second 0."""


class Clock:
    def from_monotonic(self, moment):
        return Seconds(moment - ORIGIN)


@dataclass
class Stage:
    stamps: dict[str, list[Stamp]] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def stamped(self, worker):
        return self.stamps[worker]


def stamp(kind, began, ended, *results, **more):
    return Stamp(
        kind=kind,
        began=ORIGIN + began,
        ended=ORIGIN + ended,
        inside_seconds=ended - began,
        results=tuple(Given(ORIGIN + at, at - began, text) for at, text in results),
        **more,
    )


def turn_with(until, prompted):
    """The last voiced sample at 10 s; each handover takes 1 ms; the model writes for 50 ms, the voice works for 20 ms."""
    reply, speak = prompted + 0.001, prompted + 0.053
    stage = Stage(
        {
            "ear": [
                stamp("SegmentEnded", 10.129, 10.131, speech_ended_at=ORIGIN + 10.0, silence_seconds=0.128),
            ],
            "stt": [stamp("Transcribe", 10.132, 10.232, (10.232, ""))],
            "mind": [stamp("Reply", reply, reply + 0.06, (reply + 0.03, "Hello."), (reply + 0.05, " I"))],
            "voice": [stamp("Speak", speak, speak + 0.03, (speak + 0.02, ""))],
        }
    )
    turn = Turn(1)
    heard = UtteranceHeard(
        at=Seconds(10.233),
        text="hello",
        audio_seconds=1.0,
        confidence=1.0,
        source="voice",
        speech_ended_at=Seconds(10.0),
    )
    waiting = Decided(
        at=Seconds(10.233), verdict="wait", rule="turn_may_go_on", reason="", until=until and Seconds(until), turn=None
    )
    events = [
        heard,
        *([waiting] if until else []),
        PromptIssued(
            at=Seconds(prompted),
            turn=turn,
            rule="turn_complete",
            tentative=False,
            heard="hello",
            occasion="",
            verbatim="",
            personality="",
        ),
        SentenceReady(at=Seconds(prompted + 0.052), turn=turn, index=0, text="Hello.", first_token_at=Seconds(reply)),
        SpeakingStarted(at=Seconds(speak + 0.021), turn=turn),
    ]
    (found,) = turns(events, stage)
    return found


def test_without_a_wait_every_handover_is_overhead():
    found = turn_with(until=None, prompted=10.234)
    assert (found.silence, found.ear, found.stt, found.wait) == pytest.approx((0.128, 0.002, 0.1, 0.0))
    assert (found.mind, found.voice) == pytest.approx((0.05, 0.02))
    # the frame, both ways of the transcript, the decision, the model's way, its sentence, the voice's way, the sound
    assert found.overhead == pytest.approx(0.008)


def test_what_the_wait_for_the_user_covers_is_no_overhead():
    found = turn_with(until=10.3, prompted=10.301)
    assert found.silence + found.ear + found.stt + found.wait == pytest.approx(0.3)
    assert found.overhead == pytest.approx(0.005)


def test_a_timer_that_is_late_is_overhead():
    assert turn_with(until=10.3, prompted=10.31).overhead == pytest.approx(0.014)


def test_the_hops_add_up_to_the_overhead_where_nothing_covers_them():
    found = turn_with(until=None, prompted=10.234)
    hops = found.hops
    parts = (hops.frame, hops.words, hops.prompt, hops.sentence, hops.handover, hops.play)
    assert sum(parts) == pytest.approx(found.overhead)
