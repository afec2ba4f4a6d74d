from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.settings import LogSettings, Settings, SoundSettings


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().sound.echo = "off"


def test_the_environment_does_not_leak_into_plain_settings(monkeypatch):
    monkeypatch.setenv("PARLEY_SOUND__ECHO", "off")
    assert Settings().sound.echo == "auto"


def test_equal_settings_have_equal_digests_and_others_have_not():
    changed = Settings(sound=SoundSettings(echo="off"))
    assert Settings().digest() == Settings().digest()
    assert len(Settings().digest()) == 12
    assert changed.digest() != Settings().digest()


def test_an_empty_journal_is_no_journal_and_a_tilde_is_home():
    assert LogSettings.model_validate({"journal": ""}).journal is None
    assert LogSettings(journal=Path("~/x.jsonl")).journal == Path.home() / "x.jsonl"


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_setting_is_explained(section):
    fields = Settings.model_fields[section].annotation.model_fields
    assert all(found.description for found in fields.values())
