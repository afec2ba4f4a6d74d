"""What has to leave for a load, and for whom it stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.events import Seconds
from agent.policy.lease_queue import wakes_at
from agent.policy.lease_terms import Evict, Skip
from tests.agent.policy.lease_desk import Desk, heavy

MIB = {"mind": 6000, "voice": 4500, "eyes": 2500}
LINGER = 3.0


class Card(Desk):
    """A desk that knows the memory, and answers what is measured, ended and loaded of itself."""

    def __init__(self, total_mib: int) -> None:
        known = [replace(heavy(name), footprints=(("full", mib),)) for name, mib in MIB.items()]
        super().__init__(*known, linger_seconds=LINGER, remark_ages_seconds=60, chore_ages_seconds=300)
        self.total_mib = total_mib

    def free_mib(self) -> int:
        held = ("loading", "resident", "evicting")
        return self.total_mib - sum(MIB[home.name] for home in self.state.models if home.phase in held)

    def settle(self) -> None:
        """Answer until nothing is asked."""
        while busy := [home for home in self.state.models if home.phase in ("measuring", "evicting", "loading")]:
            home = busy[0]
            match home.phase:
                case "measuring":
                    self.measured(home.name, self.free_mib())
                case "evicting":
                    self.evicted(home.name)
                case _:
                    self.load(home.name, footprint_mib=MIB[home.name])

    def use(self, model: str, kind: Any = "replying") -> None:
        """From asking to leaving."""
        number = self.ask(model, kind=kind)
        self.settle()
        assert self.holds(number)
        self.leave(number)
        self.settle()

    def asks(self, model: str, kind: Any, within: float = 999.0) -> int:
        number = self.ask(model, kind=kind, within=within)
        self.settle()
        return number

    def passes(self, seconds: float) -> None:
        self.wait(seconds)
        self.settle()

    def foresee(self, *models: str) -> None:
        for model in models:
            self.foreseen(model)
            self.settle()

    def there(self) -> set[str]:
        return {home.name for home in self.state.models if home.phase == "resident"}


def any_two() -> Card:
    card = Card(11_500)
    card.use("mind")
    card.use("voice")
    card.passes(LINGER)
    assert card.there() == {"mind", "voice"}
    return card


def only_one() -> Card:
    card = Card(7_400)
    card.use("mind")
    return card


# --- the polite -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["chore", "remark"])
def test_between_two_sentences_the_voice_does_not_leave_for_a_chore(kind):
    card = only_one()
    card.use("voice")
    polite = card.asks("mind", kind)
    assert card.there() == {"voice"}
    card.passes(LINGER - 0.5)
    card.use("voice")
    card.passes(LINGER - 0.5)
    assert card.there() == {"voice"}
    assert wakes_at(card.state, Seconds(card.now)) == pytest.approx(card.now + 0.5)
    card.passes(0.5)
    assert card.holds(polite)


@pytest.mark.parametrize("kind", ["replying", "hearing"])
def test_what_somebody_waits_for_takes_the_room_at_once(kind):
    card = only_one()
    card.use("voice")
    assert card.holds(card.asks("mind", kind))


def test_while_the_mind_writes_a_resting_voice_does_not_leave_for_a_chore():
    card = any_two()
    mind = card.asks("mind", "replying")
    chore = card.asks("eyes", "chore")
    card.passes(60.0)
    assert card.there() == {"mind", "voice"}
    card.leave(mind)
    card.passes(LINGER)
    assert card.holds(chore)


def test_while_a_remark_is_made_a_chore_makes_no_room_for_itself():
    card = any_two()
    card.asks("mind", "remark")
    card.asks("eyes", "chore")
    assert "voice" in card.there()


def test_who_was_polite_to_one_who_is_refused_makes_room_for_itself():
    card = only_one()
    card.passes(LINGER)
    remark = card.ask("voice", kind="remark")
    hearing = card.ask("eyes", kind="hearing")
    card.measured("voice", card.free_mib())
    assert card.phase("voice") == "blocked"
    card.measured("eyes", None)
    assert card.refusal(hearing)
    card.settle()
    assert card.holds(remark)


def test_a_chore_that_aged_takes_the_room_in_the_middle_of_a_reply():
    card = any_two()
    mind = card.asks("mind", "replying")
    card.asks("eyes", "chore")
    for _ in range(3):
        card.passes(99.0)
        card.check(mind)
    assert "eyes" not in card.there()
    card.passes(3.0)
    assert card.there() == {"mind", "eyes"}


def test_two_chores_do_not_take_the_room_from_each_other_with_every_piece():
    card = only_one()
    card.passes(LINGER)
    eyes = card.asks("eyes", "chore")
    card.leave(eyes)
    card.asks("mind", "chore")
    piece = card.asks("eyes", "chore")
    assert card.holds(piece), "the mind waits for its room politely, so the eyes go on"
    card.effects.clear()
    card.leave(piece)
    card.settle()
    assert not any(isinstance(effect, Evict) for effect in card.effects)
    card.passes(LINGER)
    assert card.there() == {"mind"}


# --- foresight ------------------------------------------------------------------------------------------------------


def test_what_left_for_a_chore_comes_back_when_no_chore_uses_what_it_left_for():
    card = any_two()
    card.use("eyes", "chore")
    assert card.there() == {"voice", "eyes"}
    card.passes(LINGER - 0.5)
    card.use("eyes", "chore")
    card.passes(LINGER - 0.5)
    assert card.there() == {"voice", "eyes"}
    assert wakes_at(card.state, Seconds(card.now)) == pytest.approx(card.now + 0.5)
    card.passes(0.5)
    assert card.there() == {"voice", "mind"}
    card.effects.clear()
    card.passes(60.0)
    assert not card.effects


def test_a_chores_model_that_left_for_another_does_not_come_back():
    card = Card(7_400)
    card.use("mind", "chore")
    card.passes(LINGER)
    card.use("eyes", "chore")
    card.passes(60.0)
    assert card.there() == {"eyes"}


def test_what_left_for_a_reply_comes_back_in_the_place_of_a_chores_model():
    card = Card(10_600)
    card.use("mind")
    card.passes(LINGER)
    card.use("eyes", "chore")
    card.use("voice")
    assert card.there() == {"eyes", "voice"}
    card.passes(LINGER)
    assert card.there() == {"mind", "voice"}


def test_what_left_for_a_reply_does_not_come_back_in_the_place_of_what_it_left_for():
    card = any_two()
    card.use("eyes")
    card.passes(60.0)
    assert card.there() == {"voice", "eyes"}


def test_when_the_user_begins_to_speak_a_chores_model_leaves_at_once():
    card = any_two()
    card.use("eyes", "chore")
    card.passes(0.5)
    card.foresee("mind", "voice")
    assert card.there() == {"mind", "voice"}


def test_foresight_waits_for_a_chore_to_end():
    card = any_two()
    eyes = card.asks("eyes", "chore")
    card.foresee("mind")
    assert card.phase("mind") == "blocked"
    assert card.holds(eyes)
    card.leave(eyes)
    card.settle()
    assert card.there() == {"mind", "voice"}


@pytest.mark.parametrize("use", ["reply", "foresight"])
def test_foresight_does_not_end_what_was_not_only_for_chores(use):
    card = only_one()
    if use == "foresight":
        card = Card(7_400)
        card.foresee("mind")
    card.passes(60.0)
    card.use("mind", "chore")
    card.passes(60.0)
    card.foresee("voice")
    assert card.there() == {"mind"}
    assert card.effects[-1] == Skip("voice", "The voice needs 4500 MiB, and the mind may be needed as soon.")


def test_foresight_takes_no_room_that_somebody_waits_for():
    card = Card(10_600)
    card.use("eyes")
    mind = card.asks("mind", "replying")
    voice = card.ask("voice", within=99.0)
    card.measured("voice", card.free_mib())
    assert card.phase("eyes") == "evicting"
    card.total_mib = 10_000
    card.settle()
    card.passes(1.0)
    assert card.there() == {"mind"}, "the eyes would fit, but not beside the voice"
    assert card.home("eyes").foreseen
    card.total_mib = 10_600
    card.passes(1.0)
    assert card.there() == {"mind", "voice"}
    card.leave(mind)
    assert card.holds(voice)


def test_the_voice_that_left_for_a_summary_does_not_end_the_mind_to_come_back():
    card = only_one()
    card.use("voice")
    card.passes(LINGER)
    card.use("mind", "chore")
    card.passes(60.0)
    assert card.there() == {"mind"}
    assert not card.home("voice").foreseen
