from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from agent.configuration import Override, as_toml, load, parse_override, render
from agent.errors import SettingsError
from agent.settings import Settings

SHIPPED = Path(__file__).parents[2] / "config.toml"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No settings but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for variable in [name for name in os.environ if name.upper().startswith("PARLEY_")]:
        monkeypatch.delenv(variable)
    return tmp_path / "home"


def file(text, name="config.toml"):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def told(text=None, overrides=()):
    """What the user is told about these settings."""
    path = file(text) if text else None
    with pytest.raises(SettingsError) as raised:
        load(config=path, overrides=overrides)
    return str(raised.value)


def test_the_shipped_file_is_complete_explained_and_equal_to_the_defaults():
    assert SHIPPED.read_text() == render(Settings())
    assert load(config=SHIPPED).settings == Settings()
    assert len(load(config=SHIPPED).origins) == len(list(load().rows()))


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(monkeypatch):
    file('[voice]\nname = "file"\n[user]\nname = "file"\nabout = "file"\n')
    monkeypatch.setenv("PARLEY_VOICE__NAME", "variable")
    monkeypatch.setenv("PARLEY_USER__NAME", "variable")
    found = load(overrides=[Override("voice", "name", "option", "--set voice.name")])
    assert (found.settings.voice.name, found.settings.user.name, found.settings.user.about) == (
        "option",
        "variable",
        "file",
    )
    origins = {name: (value, origin) for name, value, origin in found.rows()}
    assert origins["voice.name"] == ('"option"', "--set voice.name")
    assert origins["user.name"] == ('"variable"', "PARLEY_USER__NAME")
    assert origins["user.about"] == ('"file"', str(Path.cwd() / "config.toml"))
    assert origins["voice.speed"] == ("1.0", "default")


def test_the_file_here_comes_before_the_users_own_and_none_is_needed(home):
    assert load().settings == Settings()
    file('[user]\nname = "own"', home / "parley" / "config.toml")
    assert load().settings.user.name == "own"
    file('[user]\nname = "here"')
    assert load().settings.user.name == "here"


def test_texts_in_the_environment_become_numbers_and_booleans(monkeypatch):
    monkeypatch.setenv("PARLEY_MIND__THREADS", "3")
    monkeypatch.setenv("PARLEY_INITIATIVE__ENABLED", "false")
    monkeypatch.setenv("PARLEY_LOGS__JOURNAL", "x.jsonl")
    found = load().settings
    assert (found.mind.threads, found.initiative.enabled, found.logs.journal) == (3, False, Path("x.jsonl"))


def test_variables_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("PARLEY_CACHE", "x")
    assert load().settings == Settings()


def test_a_variable_is_found_in_any_case_and_told_as_it_is_written(monkeypatch):
    monkeypatch.setenv("parley_Voice__SPEED", "1.5")
    found = load()
    assert found.settings.voice.speed == 1.5
    assert found.origins == {("voice", "speed"): "parley_Voice__SPEED"}


@pytest.mark.parametrize(("value", "told_as"), [("1.5", None), ("9", 'cannot be "9"')])
def test_an_option_may_be_written_in_any_case(value, told_as):
    overrides = [Override("voice", "Speed", value, "--set voice.Speed")]
    if told_as:
        assert told_as in told(overrides=overrides)
    else:
        assert load(overrides=overrides).origins == {("voice", "speed"): "--set voice.Speed"}


def test_settings_may_come_through_a_pipe():
    reader, writer = os.pipe()
    os.write(writer, b"[voice]\nspeed = 1.5\n")
    os.close(writer)
    assert load(config=Path(f"/dev/fd/{reader}")).settings.voice.speed == 1.5
    os.close(reader)


def test_an_unknown_key_is_told_with_file_and_nearest_name():
    message = told("[sound]\nmicrofone = 'x'\n")
    assert message.startswith(
        "config.toml: sound.microfone is no setting; did you mean microphone? known are microphone,"
    )


def test_an_unknown_section_is_told_with_the_nearest_and_the_known():
    assert "there is no section sond; did you mean sound? known are personality, user" in told("[sond]\nx = 1")


def test_a_section_in_another_case_is_no_section():
    assert "there is no section VOICE" in told('[VOICE]\nspeed = 1.5\n[voice]\nname = "x"')


def test_an_unknown_variable_is_told_by_its_name(monkeypatch):
    monkeypatch.setenv("PARLEY_SOUND__MICROFONE", "x")
    message = told()
    assert message.startswith("PARLEY_SOUND__MICROFONE: sound.microfone is no setting; did you mean microphone?")
    monkeypatch.setenv("PARLEY_SOND__X", "1")
    assert told().startswith("PARLEY_SOND__X: there is no section sond; did you mean sound?")


@pytest.mark.parametrize("variable", ["PARLEY_LOGS_CONTENT", "PARLEY_LOGS"])
def test_a_variable_that_nearly_is_a_setting_is_not_passed_over(monkeypatch, variable):
    monkeypatch.setenv(variable, "nowhere")
    assert f"{variable}: is no setting; did you mean PARLEY_LOGS__" in told()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[sound]\necho = "loud"', 'sound.echo cannot be "loud"; it must be one of "auto", "on", "headphones", "off"'),
        (
            '[mind]\ntemperature = "warm"',
            'mind.temperature cannot be "warm"; it must be a number, at least 0 and at most 2',
        ),
        ('[mind]\nthreads = "4"', 'mind.threads cannot be "4"; it must be a whole number, at least 0'),
        ("[mind]\nthreads = true", "mind.threads cannot be true; it must be a whole number, at least 0"),
        ("[mind]\nthreads = 1.5", "mind.threads cannot be 1.5; it must be a whole number, at least 0"),
        ("[voice]\nspeed = 9", "voice.speed cannot be 9; it must be a number, at least 0.5 and at most 2"),
        ("[voice]\nspeed = nan", "voice.speed cannot be nan; it must be a number"),
        ("[sound]\nstall_seconds = 0", "sound.stall_seconds cannot be 0; it must be a number, more than 0"),
        ("[user]\nname = 5", "user.name cannot be 5; it must be a text"),
        ("[user]\nname = 2026-01-05", "user.name cannot be a list, a table or a date; it must be a text"),
        ("[user]\nname = ['x']", "user.name cannot be a list, a table or a date; it must be a text"),
        ("[logs]\nverbose = 1", "logs.verbose cannot be 1; it must be true or false"),
        ('[initiative]\nquiet_hours = "25:00-07:00"', 'it must be two times like "22:30-07:30", or ""'),
    ],
)
def test_an_ill_typed_value_is_told_with_what_it_may_be(text, expected):
    message = told(text)
    assert message.startswith("config.toml: ")
    assert expected in message


def test_an_ill_typed_variable_and_option_are_told_by_their_names(monkeypatch):
    overrides = [Override("voice", "speed", "fast", "--set voice.speed")]
    assert told(overrides=overrides).startswith('--set voice.speed cannot be "fast"; it must be a number')
    monkeypatch.setenv("PARLEY_LOGS__CONTENT", "never")
    assert told() == (
        'PARLEY_LOGS__CONTENT: logs.content cannot be "never"; it must be one of "nowhere", "terminal", "everywhere"'
    )


def test_a_fault_is_told_even_where_a_stronger_source_hides_it(monkeypatch):
    monkeypatch.setenv("PARLEY_VOICE__SPEED", "1")
    assert "voice.speed cannot be 9" in told("[voice]\nspeed = 9")


def test_an_out_of_range_variable_is_told_as_it_is_written(monkeypatch):
    monkeypatch.setenv("PARLEY_VOICE__SPEED", "9")
    assert told().startswith('PARLEY_VOICE__SPEED: voice.speed cannot be "9"; it must be a number, at least 0.5')


def test_several_faults_are_counted():
    assert told("[voice]\nspeed = 9\nx = 1\ny = 1").endswith("(and 2 more)")


def test_broken_toml_is_told_with_file_and_line():
    message = told("[voice]\nspeed = \n")
    assert message.startswith("config.toml: is not TOML: ")
    assert "line 2" in message


@pytest.mark.parametrize("text", ["voice = 3", "logs = []"])
def test_a_value_where_a_section_belongs_is_told(text):
    assert "is a section; write [" in told(text)


def test_a_file_that_cannot_be_read_is_told():
    with pytest.raises(SettingsError, match=r"^absent\.toml: cannot be read: No such file"):
        load(config=Path("absent.toml"))
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(config=Path())
    Path("bad.toml").write_bytes(b"[user]\nname = '\xff'\n")
    with pytest.raises(SettingsError, match=r"is not UTF-8 \(byte 15\)"):
        load(config=Path("bad.toml"))


@pytest.mark.parametrize("text", ["voice.speed", "speed=1", "voice.=1", ".speed=1", "="])
def test_a_malformed_override_is_told_with_an_example(text):
    with pytest.raises(SettingsError, match=r"for example --set voice\.speed=1\.2"):
        parse_override(text)


def test_an_override_may_hold_equals_signs_and_dots():
    assert parse_override("user.about=a=b.c")[:3] == ("user", "about", "a=b.c")


@pytest.mark.parametrize("value", ["", 'a "quote" \\ and\nlines', "ü\x7f\x00", 1, 1.5, True])
def test_values_are_written_as_toml_reads_them(value):
    assert tomllib.loads(f"x = {as_toml(value)}")["x"] == value
