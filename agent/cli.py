"""The `parley` command: parse, then hand over.

Commands that only talk to a running companion must start fast, so everything else is imported where it is needed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from agent import __version__, remote
from agent.errors import ParleyError
from agent.wording import one_line, span

if TYPE_CHECKING:
    from agent.configuration import Effective

_EXAMPLES = """Examples:

  parley run                          listen and talk, until Ctrl+C

  parley run --personality juniper --set user.name=Ada

  parley why 5                        why it spoke or stayed silent

  parley ask what time of day is it   a turn typed instead of spoken

  parley vram free --for 2h           leave the memory to a game

  parley config show                  every setting, and where it comes from
"""


class _Commands(TyperGroup):
    """Tells an error of Parley's own in one line and leaves with its exit code."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ParleyError as error:
            typer.echo(f"parley: {error}", err=True)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    cls=_Commands,
    name="parley",
    help="A voice companion that listens, thinks and speaks on this computer.",
    epilog=_EXAMPLES,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(cls=_Commands, help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
vram_app = typer.Typer(cls=_Commands, invoke_without_command=True, rich_markup_mode=None)
app.add_typer(vram_app, name="vram")

Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings instead of ./config.toml or the user's own.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting; may be repeated.")
]
Who = Annotated[str | None, typer.Option(metavar="NAME", help="A file in prompts/, without .md.")]
JournalFile = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="Write every event as one JSON line.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show every event.")]
Content = Annotated[
    str | None, typer.Option(metavar="WHERE", help="Where what is said may appear: nowhere, terminal, everywhere.")
]
Words = Annotated[list[str], typer.Argument(metavar="TEXT")]


@app.callback()
def parley(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """A voice companion that listens, thinks and speaks on this computer."""
    if version:
        typer.echo(f"parley {__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


# --- the companion itself -------------------------------------------------------------------------------------------


@app.command()
def run(
    personality: Who = None,
    microphone: Annotated[str | None, typer.Option(metavar="NAME", help="From `parley devices`, or wav:FILE.")] = None,
    loudspeaker: Annotated[str | None, typer.Option(metavar="NAME", help="From `parley devices`, or wav:FILE.")] = None,
    journal: JournalFile = None,
    exit_after_silence: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.0, help="End when nothing has happened for so long.")
    ] = None,
    config: Config = None,
    settings: Set = None,
    verbose: Verbose = False,
    content: Content = None,
) -> None:
    """Start the companion; Ctrl+C ends it."""
    options = {
        "personality.name": ("--personality", personality),
        "sound.microphone": ("--microphone", microphone),
        "sound.loudspeaker": ("--loudspeaker", loudspeaker),
        **_log_options(journal, verbose=verbose, content=content),
    }
    effective = _load(config, settings, options)
    from agent import app as companion  # noqa: PLC0415  # slow, and needed here alone

    raise typer.Exit(companion.run(effective.settings, exit_after_silence=exit_after_silence))


@app.command()
def demo(
    recording: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="Recorded here: the user left, Parley right.")
    ] = None,
    personality: Who = None,
    journal: JournalFile = None,
    config: Config = None,
    settings: Set = None,
    verbose: Verbose = False,
    content: Content = None,
) -> None:
    """Hold a recorded conversation; needs no sound device."""
    options = {
        "personality.name": ("--personality", personality),
        **_log_options(journal, verbose=verbose, content=content),
    }
    effective = _load(config, settings, options)
    from agent import app as companion  # noqa: PLC0415  # slow, and needed here alone

    raise typer.Exit(companion.demo(effective.settings, recording=recording))


_Options = dict[str, tuple[str, str | None]]
"""section.key → (option, value if given)."""


def _log_options(journal: Path | None, *, verbose: bool, content: str | None) -> _Options:
    return {
        "logs.journal": ("--journal", str(journal) if journal else None),
        "logs.verbose": ("--verbose", "true" if verbose else None),
        "logs.content": ("--content", content),
    }


def _load(config: Path | None, given: list[str] | None, options: _Options) -> Effective:
    from agent import configuration  # noqa: PLC0415  # pydantic is slow to import

    overrides = [configuration.parse_override(text) for text in given or []]
    for name, (option, value) in options.items():
        if value is not None:
            section, key = name.split(".")
            overrides.append(configuration.Override(section, key, value, option))
    return configuration.load(config=config, overrides=overrides)


# --- talking to the running one -------------------------------------------------------------------------------------


@app.command()
def why(count: Annotated[int, typer.Argument(metavar="[N]", min=1, max=1000)] = 1) -> None:
    """Tell the last N verdicts; the last is in force."""
    from agent import answers  # noqa: PLC0415  # not every command needs it

    for line in answers.verdicts(remote.order("why", count=count)):
        typer.echo(line)


@app.command()
def status() -> None:
    """Tell what the companion is doing."""
    from agent import answers  # noqa: PLC0415  # not every command needs it

    for line in answers.facts(remote.order("status")):
        typer.echo(line)


@app.command()
def say(text: Words) -> None:
    """Let it speak a text as it is."""
    remote.order("say", text=_joined(text))


@app.command()
def ask(text: Words) -> None:
    """Type a turn; shows the reply while it is spoken."""
    for sentence in remote.request("ask", patience_seconds=None, text=_joined(text)):
        typer.echo(one_line(sentence))


def _joined(words: list[str]) -> str:
    text = " ".join(words).strip()
    if not text:
        raise ParleyError("there is nothing to say; give a text")
    return text


@app.command()
def mute() -> None:
    """Close the microphone."""
    remote.order("mute")
    typer.echo("The microphone is closed. Open it with: parley unmute")


@app.command()
def unmute() -> None:
    """Open the microphone."""
    remote.order("unmute")
    typer.echo("The microphone is open.")


@app.command()
def stop() -> None:
    """End the companion."""
    if not remote.stop():
        raise ParleyError("the companion is still ending after ten seconds; its log may tell why")
    typer.echo("Parley has ended.")


@vram_app.callback()
def vram(ctx: typer.Context) -> None:
    """Tell what is in the memory, and who waits and why."""
    if ctx.invoked_subcommand is None:
        _tell_memory()


def _tell_memory() -> None:
    from agent import answers  # noqa: PLC0415  # not every command needs it

    for line in answers.memory(remote.order("vram")):
        typer.echo(line)


_UNITS = {"s": 1, "m": 60, "h": 3600}
_LONGEST_HOURS = 168


def _seconds(duration: str) -> float:
    """The length of a duration as people type it. Raises typer.BadParameter."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh])", duration.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST_HOURS * 3600:
        raise typer.BadParameter(f"a duration is a number and s, m or h, as in 30m; {_LONGEST_HOURS}h is the longest")
    return seconds


@vram_app.command()
def free(
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="DURATION", parser=_seconds, help="As in 90s, 30m, 2h; else until it is taken back."
        ),
    ] = None,
) -> None:
    """Leave the memory to others; what is light answers."""
    remote.order("vram_free", seconds=seconds)
    back = "Take it back with: parley vram back"
    typer.echo(f"The memory is free. {back if seconds is None else f'Parley takes it back in {span(seconds)}.'}")


@vram_app.command()
def back() -> None:
    """Take the memory back."""
    reason = remote.order("vram_back")
    typer.echo(f"Not yet: {one_line(reason)}." if reason else "Parley has the memory back.")


# --- looking around -------------------------------------------------------------------------------------------------


@app.command()
def devices(config: Config = None, settings: Set = None) -> None:
    """List microphones and loudspeakers."""
    effective = _load(config, settings, {})
    from agent import answers  # noqa: PLC0415  # not every command needs it

    found = remote.order("devices") if remote.is_running() else answers.installed_devices()
    sound = effective.settings.sound
    for line in answers.devices(found, microphone=sound.microphone, loudspeaker=sound.loudspeaker):
        typer.echo(line)


@app.command()
def models(config: Config = None, settings: Set = None) -> None:
    """List the models that are here, which are used, and what would be better."""
    effective = _load(config, settings, {})
    from agent import shelf  # noqa: PLC0415  # not every command needs it

    for line in shelf.lines(effective.settings):
        typer.echo(line)


@config_app.command("show")
def show(config: Config = None, settings: Set = None) -> None:
    """Print every setting with its value and where that comes from."""
    rows = list(_load(config, settings, {}).rows())
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, origin in rows:
        line = f"{name:<{names}}  {value:<{min(values, 40)}}  {origin}"
        typer.echo(line if origin == "default" else typer.style(line, bold=True))


# --- the entry ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Run the command line."""
    plain = _plain(sys.argv[1:])
    if plain is None:
        app(prog_name="parley")
    else:
        sys.exit(_carried_out(plain))


def _plain(arguments: list[str]) -> Callable[[], None] | None:
    """What these arguments ask of the running companion, if they need no parser: typer's takes longer than the rest."""
    orders = {"status": status, "mute": mute, "unmute": unmute, "stop": stop, "why": why, "vram": _tell_memory}
    match arguments:
        case [name] if name in orders:
            return orders[name]
        case ["why", count] if count.isascii() and count.isdigit() and 1 <= int(count) <= 1000:
            return partial(why, int(count))
        case ["vram", "free" | "back" as name]:
            return free if name == "free" else back
        case ["say" | "ask" as name, *words] if words and not any(word.startswith("-") for word in words):
            return partial(say if name == "say" else ask, words)
        case _:
            return None


def _carried_out(order: Callable[[], None]) -> int:
    """Carry the order out as typer would; the exit code."""
    try:
        order()
        sys.stdout.flush()
    except ParleyError as error:
        typer.echo(f"parley: {error}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed at the exit
        return 1
    return 0
