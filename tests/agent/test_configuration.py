from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent.configuration import Override, as_toml, load, parse_override, render
from agent.errors import SettingsError
from agent.settings import Settings

SHIPPED = Path(__file__).parents[2] / "config.toml"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {"HOME": str(tmp_path / "home")}


def file(text, name="config.toml"):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def told(home, text=None, overrides=(), **environment):
    """What the user is told about these settings."""
    path = file(text) if text else None
    with pytest.raises(SettingsError) as raised:
        load(config=path, overrides=overrides, environment=home | environment)
    return str(raised.value)


def test_the_shipped_file_is_complete_explained_and_equal_to_the_defaults(home):
    assert SHIPPED.read_text() == render(Settings())
    assert load(config=SHIPPED, environment=home).settings == Settings()
    assert len(load(config=SHIPPED, environment=home).origins) == len(list(load(environment=home).rows()))


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(home):
    file('[voice]\nname = "file"\n[user]\nname = "file"\nabout = "file"\n')
    environment = home | {"PARLEY_VOICE__NAME": "variable", "PARLEY_USER__NAME": "variable"}
    found = load(overrides=[Override("voice", "name", "option", "--set voice.name")], environment=environment)
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
    assert load(environment=home).settings == Settings()
    file('[user]\nname = "own"', f"{home['HOME']}/.config/parley/config.toml")
    assert load(environment=home).settings.user.name == "own"
    file('[user]\nname = "here"')
    assert load(environment=home).settings.user.name == "here"


def test_texts_in_the_environment_become_numbers_and_booleans(home):
    given = {"PARLEY_MIND__THREADS": "3", "PARLEY_INITIATIVE__ENABLED": "false", "PARLEY_LOGS__JOURNAL": "x.jsonl"}
    found = load(environment=home | given).settings
    assert (found.mind.threads, found.initiative.enabled, found.logs.journal) == (3, False, Path("x.jsonl"))


def test_variables_of_others_are_left_alone(home):
    assert load(environment=home | {"PARLEY_CACHE": "x", "PATH": "y"}).settings == Settings()


def test_an_unknown_key_is_told_with_file_and_nearest_name(home):
    message = told(home, "[sound]\nmicrofone = 'x'\n")
    assert message.startswith(
        "config.toml: sound.microfone is no setting; did you mean microphone? known are microphone,"
    )


def test_an_unknown_section_is_told_with_the_nearest_and_the_known(home):
    assert "there is no section sond; did you mean sound? known are personality, user" in told(home, "[sond]\nx = 1")


def test_an_unknown_variable_is_told_by_its_name(home):
    message = told(home, PARLEY_SOUND__MICROFONE="x")
    assert message.startswith("PARLEY_SOUND__MICROFONE: sound.microfone is no setting; did you mean microphone?")
    assert told(home, PARLEY_SOND__X="1").startswith("PARLEY_SOND__X: there is no section sond; did you mean sound?")


@pytest.mark.parametrize("variable", ["PARLEY_LOGS_CONTENT", "PARLEY_LOGS"])
def test_a_variable_that_nearly_is_a_setting_is_not_passed_over(home, variable):
    assert f"{variable}: is no setting; did you mean PARLEY_LOGS__" in told(home, **{variable: "nowhere"})


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
def test_an_ill_typed_value_is_told_with_what_it_may_be(home, text, expected):
    message = told(home, text)
    assert message.startswith("config.toml: ")
    assert expected in message


def test_an_ill_typed_variable_and_option_are_told_by_their_names(home):
    assert told(home, PARLEY_LOGS__CONTENT="never") == (
        'PARLEY_LOGS__CONTENT: logs.content cannot be "never"; it must be one of "nowhere", "terminal", "everywhere"'
    )
    overrides = [Override("voice", "speed", "fast", "--set voice.speed")]
    assert told(home, overrides=overrides).startswith('--set voice.speed cannot be "fast"; it must be a number')


def test_a_fault_is_told_even_where_a_stronger_source_hides_it(home):
    assert "voice.speed cannot be 9" in told(home, "[voice]\nspeed = 9", PARLEY_VOICE__SPEED="1")


def test_several_faults_are_counted(home):
    assert told(home, "[voice]\nspeed = 9\nx = 1\ny = 1").endswith("(and 2 more)")


def test_broken_toml_is_told_with_file_and_line(home):
    message = told(home, "[voice]\nspeed = \n")
    assert message.startswith("config.toml: is not TOML: ")
    assert "line 2" in message


@pytest.mark.parametrize("text", ["voice = 3", "logs = []"])
def test_a_value_where_a_section_belongs_is_told(home, text):
    assert "is a section; write [" in told(home, text)


def test_a_file_that_cannot_be_read_is_told(home):
    with pytest.raises(SettingsError, match=r"^absent\.toml: cannot be read: No such file"):
        load(config=Path("absent.toml"), environment=home)
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(config=Path(), environment=home)
    Path("bad.toml").write_bytes(b"[user]\nname = '\xff'\n")
    with pytest.raises(SettingsError, match=r"is not UTF-8 \(byte 15\)"):
        load(config=Path("bad.toml"), environment=home)


@pytest.mark.parametrize("text", ["voice.speed", "speed=1", "voice.=1", ".speed=1", "="])
def test_a_malformed_override_is_told_with_an_example(text):
    with pytest.raises(SettingsError, match=r"for example --set voice\.speed=1\.2"):
        parse_override(text)


def test_an_override_may_hold_equals_signs_and_dots():
    assert parse_override("user.about=a=b.c")[:3] == ("user", "about", "a=b.c")


@pytest.mark.parametrize("value", ["", 'a "quote" \\ and\nlines', "ü\x7f\x00", 1, 1.5, True])
def test_values_are_written_as_toml_reads_them(value):
    assert tomllib.loads(f"x = {as_toml(value)}")["x"] == value
