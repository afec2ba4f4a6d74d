from __future__ import annotations

import asyncio
import logging

import pytest

from agent import events as e
from agent.bus import Bus
from agent.character import Character
from agent.clock import Clock, run_virtual
from agent.engines.scripted import Script
from agent.personality import read
from tests.virtual_house import living

PLAIN = "---\nname: Ada\nvoice: en\n---\nYou are {name}.\n"
EDITED = "---\nname: Grace\nvoice: en-gb\nspeed: 1.5\npatience: 20\n---\nYou are {name}, an admiral.\n"
BROKEN = "---\nname: Ada\nspeed: fast\n---\nYou are {name}.\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ada.md"
    path.write_text(PLAIN)
    return path


@pytest.fixture
def told():
    return []


@pytest.fixture
def character(path, told):
    """It has read the file, and not looked at it since."""

    async def main():
        bus = Bus()
        bus.tap(told.append)
        return Character(read(path), bus, Clock())

    return run_virtual(main())


def looks(character, times=1):
    """The name in force after some looks at the file."""

    async def main():
        return [character.refresh().name for _ in range(times)][-1]

    return run_virtual(main())


def test_a_file_that_nobody_touches_changes_nothing(character, told):
    before = character.current
    assert looks(character, 3) == "Ada"
    assert character.current is before
    assert not told


def test_an_edited_file_is_in_force_and_told_once(character, path, told):
    path.write_text(EDITED)
    assert looks(character, 3) == "Grace"
    assert character.current == read(path)
    assert [(event.name, event.digest) for event in told] == [("Grace", read(path).digest)]


def test_an_edit_between_reading_and_the_first_look_is_not_lost(character, path):
    assert character.current.name == "Ada"
    path.write_text(EDITED)
    assert looks(character) == "Grace"


def test_a_file_that_was_saved_without_a_change_is_no_change(character, path, told):
    looks(character)
    path.unlink()
    path.write_text(PLAIN)
    looks(character)
    assert not told


def test_a_broken_file_changes_nothing_and_is_told_once_until_it_changes_again(character, path, told, caplog):
    path.write_text(BROKEN)
    assert looks(character, 3) == "Ada"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}:3: speed must be a number from 0.5 to 2; Ada stays as it was"
    ]
    path.write_text(BROKEN + "More.\n")
    looks(character, 3)
    assert len(caplog.records) == 2
    path.write_text(EDITED)
    assert looks(character) == "Grace"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert len(told) == 1


def test_a_file_that_is_gone_changes_nothing_and_counts_again_when_it_is_back(character, path, caplog):
    looks(character)
    path.unlink()
    assert looks(character, 3) == "Ada"
    assert "there is no personality ada" in caplog.text
    assert len(caplog.records) == 1
    path.write_text(EDITED)
    assert looks(character) == "Grace"


def test_a_link_that_leads_out_of_the_folder_is_not_followed(character, path, tmp_path_factory, caplog):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "ada.md"
    elsewhere.write_text(EDITED)
    path.unlink()
    path.symlink_to(elsewhere)
    assert looks(character) == "Ada"
    assert "leads out of" in caplog.text


def test_an_edit_while_the_companion_lives_counts_from_the_next_decision_on(path):
    async def main():
        async with living(personality=read(path)) as house:
            house.type("hello")
            await asyncio.sleep(5)
            path.write_text(EDITED)
            house.type("who are you")
            await asyncio.sleep(5)
            return house

    house = run_virtual(main())
    (changed,) = house.of(e.PersonalityChanged)
    before, after = house.of(e.PromptIssued)
    assert (changed.name, changed.digest, after.personality) == ("Grace", read(path).digest, changed.digest)
    assert before.personality != after.personality
    assert house.events.index(before) < house.events.index(changed) < house.events.index(after)
    assert [asked[0].content for asked in house.mind.asked] == ["You are Ada.", "You are Grace, an admiral."]
    assert [(asked.voice, asked.speed) for asked in house.voice.asked] == [("en", 1.0), ("en-gb", 1.5)]


def test_a_reply_keeps_the_voice_it_began_with(path):
    reply = Script(answers=("This is one. This is two. This is three. This is four.",), delay_seconds=0.2)

    async def main():
        async with living(personality=read(path), mind=reply) as house:
            house.bus.tap(lambda event: isinstance(event, e.SentenceReady) and path.write_text(EDITED))
            house.type("hello")
            await asyncio.sleep(15)
            return house

    house = run_virtual(main())
    (changed,) = house.of(e.PersonalityChanged)
    assert changed.at < house.of(e.ReplyFinished)[0].at
    assert [(asked.text, asked.voice) for asked in house.voice.asked] == [
        (f"This is {number}.", "en") for number in ("one", "two", "three", "four")
    ]


def test_an_edited_patience_moves_the_next_remark(path):
    async def main():
        async with living(personality=read(path)) as house:
            house.type("hello")
            await asyncio.sleep(5)
            path.write_text(EDITED)
            house.type("hello again")
            await asyncio.sleep(60)
            return house

    house = run_virtual(main())
    _, answer, remark = house.of(e.PromptIssued)[:3]
    assert remark.occasion is not None
    assert 20 <= remark.at - answer.at < 40
