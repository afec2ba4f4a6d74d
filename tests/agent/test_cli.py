from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent import __version__, answers, cli
from agent.errors import DeviceError
from tests.scripted_companion import DEVICES, running

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No settings and no companion but the test's own."""
    for variable, folder in {
        "HOME": "h",
        "XDG_CONFIG_HOME": "c",
        "XDG_STATE_HOME": "s",
        "XDG_RUNTIME_DIR": "r",
    }.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.chdir(tmp_path)


def parley(*arguments):
    return CliRunner().invoke(cli.app, arguments)


@pytest.fixture
def started(monkeypatch):
    """Stands in for the companion; remembers with what it was started."""
    calls = []
    app = types.ModuleType("agent.app")
    app.run = lambda settings, *, exit_after_silence: calls.append((settings, exit_after_silence)) or 0
    app.demo = lambda settings, *, recording: calls.append((settings, recording)) or 7
    monkeypatch.setitem(sys.modules, "agent.app", app)
    monkeypatch.setattr("agent.app", app, raising=False)
    return calls


def test_alone_it_shows_help_with_examples():
    found = parley()
    assert found.exit_code == 0
    assert "parley run --personality juniper" in found.output
    assert parley("--help").output == found.output


def test_it_tells_its_version():
    assert parley("--version").output == f"parley {__version__}\n"


def test_run_hands_the_options_over_as_settings(started):
    options = [
        "run", "--personality", "flint", "--microphone", "wav:in.wav", "--loudspeaker", "wav:out.wav",
        "--journal", "j.jsonl", "--exit-after-silence", "5", "--set", "user.name=Ada", "--verbose",
        "--content", "nowhere",
    ]  # fmt: skip
    assert parley(*options).exit_code == 0
    settings, silence = started[0]
    assert silence == 5.0
    assert settings.personality.name == "flint"
    assert (settings.sound.microphone, settings.sound.loudspeaker) == ("wav:in.wav", "wav:out.wav")
    assert (settings.logs.journal, settings.logs.verbose, settings.logs.content) == (Path("j.jsonl"), True, "nowhere")
    assert settings.user.name == "Ada"


def test_demo_hands_over_too_and_its_exit_code_is_ours(started):
    assert parley("demo", "--recording", "both.wav").exit_code == 7
    assert started[0][1] == Path("both.wav")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--content", "loud"], '--content: logs.content cannot be "loud"'),
        (["--set", "mind.temprature=1"], "--set mind.temprature is no setting; did you mean temperature?"),
        (["--set", "nonsense"], "--set section.key=value"),
        (["--config", "absent.toml"], "absent.toml: cannot be read"),
        (["--exit-after-silence", "-1"], "--exit-after-silence"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_code_2(started, options, words):
    found = parley("run", *options)
    assert found.exit_code == 2
    assert words in found.stderr
    assert "Traceback" not in found.output
    assert not started


@pytest.mark.usefixtures("started")
def test_an_error_of_the_companion_is_one_line_and_its_exit_code(monkeypatch):
    def fail(*_, **__):
        raise DeviceError('there is no microphone "x"')

    monkeypatch.setattr(sys.modules["agent.app"], "run", fail)
    found = parley("run")
    assert (found.exit_code, found.stderr) == (4, 'parley: there is no microphone "x"\n')


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["why"],
        ["say", "x"],
        ["ask", "x"],
        ["mute"],
        ["unmute"],
        ["stop"],
        ["vram"],
        ["vram", "free"],
        ["vram", "free", "--for", "5m"],
        ["vram", "back"],
    ],
    ids=" ".join,
)
def test_a_command_without_a_companion_is_exit_code_6(command):
    found = parley(*command)
    assert (found.exit_code, found.stderr) == (6, "parley: Parley is not running; start it with: parley run\n")


def test_commands_reach_the_companion():
    with running() as companion:
        assert parley("say", "good", "morning").exit_code == 0
        assert "parley unmute" in parley("mute").output
        assert parley("unmute").output == "The microphone is open.\n"
        assert companion.orders == ["say good morning", "mute", "unmute"]
        assert parley("ask", "how", "are", "you").output == "You said how are you.\nThat  [31mis all.\n"
        assert "state           listening\n" in parley("status").output
        assert len(parley("why", "2").output.splitlines()) == 2
        assert "It is early." in parley("why").output
        assert "USB Headset" in parley("devices").output
        assert "mind  loaded, heavy, 4000 MiB" in parley("vram").output


def test_the_memory_is_left_to_others_and_taken_back():
    with running() as companion:
        assert parley("vram", "free").output == "The memory is free. Take it back with: parley vram back\n"
        assert parley("vram", "back").output == "Parley has the memory back.\n"
        assert parley("vram", "free", "--for", "1m").output == "The memory is free. Parley takes it back in 60 s.\n"
        assert parley("vram", "back").output == "Not yet: a game is running.\n"
        assert companion.orders == ["free None", "back", "free 60.0", "back"]


@pytest.mark.parametrize(
    ("duration", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), ("1.5h", 5400.0), ("168h", 604_800.0)]
)
def test_a_duration_is_a_number_and_a_unit(duration, seconds):
    with running() as companion:
        assert parley("vram", "free", "--for", duration).exit_code == 0
        assert companion.orders == [f"free {seconds}"]


@pytest.mark.parametrize("duration", ["5", "m", "0s", "-5m", "1e3s", "5 min", "169h", ""])
def test_any_other_duration_is_refused(duration):
    found = parley("vram", "free", "--for", duration)
    assert found.exit_code == 2
    assert "as in 30m; 168h is the longest" in found.stderr


def test_an_error_from_the_companion_keeps_its_exit_code():
    with running():
        found = parley("say", "miss")
    assert (found.exit_code, found.stderr) == (3, "parley: there is no voice on this machine\n")


@pytest.mark.parametrize("command", ["say", "ask"])
def test_an_empty_text_is_refused(command):
    assert parley(command, " ").exit_code == 1
    assert parley(command).exit_code == 2


def test_without_a_companion_devices_are_listed_all_the_same(monkeypatch):
    monkeypatch.setattr(answers, "installed_devices", lambda: DEVICES)
    found = parley("devices", "--set", "sound.microphone=USB")
    assert "  * USB Headset" in found.output


def test_config_show_tells_value_and_origin(monkeypatch):
    monkeypatch.setenv("PARLEY_VOICE__SPEED", "1.5")
    lines = [line.split() for line in parley("config", "show", "--set", "user.name=Ada").output.splitlines()]
    assert ["voice.speed", "1.5", "PARLEY_VOICE__SPEED"] in lines
    assert ["user.name", '"Ada"', "--set", "user.name"] in lines
    assert ["sound.echo", '"auto"', "default"] in lines


def real(*arguments, **more):
    """The command in a process of its own."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def test_a_command_that_only_talks_imports_nothing_slow():
    code = (
        "import sys, agent.cli\n"
        "sys.argv = ['parley', 'status']\n"
        "try: agent.cli.main()\n"
        "except SystemExit as end: assert end.code == 6\n"
        "slow = {'pydantic', 'asyncio', 'msgspec', 'yaml', 'rich.console', 'agent.settings', 'agent.app'}\n"
        "sys.exit(' '.join(slow & set(sys.modules)) or None)\n"
    )
    found = real("-c", code)
    assert (found.returncode, found.stderr) == (0, "parley: Parley is not running; start it with: parley run\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["why", "2"],
        ["say", "good", "day"],
        ["say", "miss"],
        ["ask", "x"],
        ["mute"],
        ["why", "0"],
        ["say", "--x"],
        ["vram"],
        ["vram", "free"],
        ["vram", "back"],
    ],
    ids=" ".join,
)
def test_the_short_way_without_a_parser_does_what_the_parser_does(arguments, monkeypatch, capfd):
    with running() as companion:
        parsed, orders = parley(*arguments), companion.orders.copy()
        companion.orders.clear()
        monkeypatch.setattr(sys, "argv", ["parley", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert companion.orders == orders
    assert end.value.code == parsed.exit_code
    told = capfd.readouterr()
    assert told.out == parsed.stdout
    if parsed.exit_code != 2:  # usage is shown under the name the program was called by
        assert told.err == parsed.stderr


def test_a_reader_who_goes_away_ends_the_command_quietly():
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); import agent.cli; agent.cli.main()"
    with running():
        found = real("-c", code, "why", "2")
    assert (found.returncode, found.stderr) == (1, "")


def test_the_real_command_ends_with_its_exit_code_and_without_a_traceback():
    found = real("-m", "agent", "run", "--set", "voice.speed=9")
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr == (
        'parley: --set voice.speed cannot be "9"; it must be a number, at least 0.5 and at most 2\n'
    )
