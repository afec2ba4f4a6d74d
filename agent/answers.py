"""How the answers of the companion are shown by the commands. Cheap to import."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from agent.errors import DeviceError
from agent.wording import one_line, span

_LISTING_SECONDS: Final = 20.0
_LIST_DEVICES: Final = """\
import dataclasses, json
from agent.sound.portaudio import devices
print(json.dumps([dataclasses.asdict(device) for device in devices()]))
"""


def verdicts(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each verdict, and the words "now" at the one in force."""
    if not found:
        yield "Nothing has been decided yet."
    for index, verdict in enumerate(found):
        wall = dt.datetime.fromisoformat(verdict["wall"])
        line = f"{wall:%H:%M:%S}  {verdict['verdict']:<6}  {one_line(verdict['reason'])}  [{verdict['rule']}]"
        if index == len(found) - 1:
            line += _in_force(verdict, wall)
        yield line


def _in_force(verdict: Mapping[str, Any], wall: dt.datetime) -> str:
    if verdict["until"] is None:
        return "  in force until something happens"
    seconds = verdict["until"] - verdict["at"]
    return f"  in force until {wall + dt.timedelta(seconds=seconds):%H:%M:%S} ({span(seconds)}) or something happens"


def facts(found: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """One line for each fact, what belongs together indented below its name."""
    width = max((len(name) for name in found), default=0)
    for name, value in found.items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            yield f"{indent}{title}"
            yield from facts(cast("Mapping[str, Any]", value), indent + "  ")
        else:
            yield f"{indent}{title:<{width}}  {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(item) for item in cast("Sequence[Any]", value)) or "none"
    if isinstance(value, float):
        return f"{value:.2f}"
    return one_line(str(value)) if value not in {None, ""} else "none"


# --- memory ---------------------------------------------------------------------------------------------------------


def memory(found: Mapping[str, Any]) -> Iterator[str]:
    """How much there is, whether it is left to others, then each model, and who or what waits."""
    memory, yielding = found["memory"], found["yielding"]
    free, total = (_mib(memory[name]) for name in ("free_mib", "total_mib"))
    yield f"{one_line(memory['name'])}: {free} of {total} free, {_mib(memory['reserve_mib'])} kept for others"
    yield _left_to_others(yielding) if yielding else "left to others: no"
    rest = {name: value for name, value in found.items() if name not in {"memory", "yielding"}}
    yield from facts({"models": {name: value for name, value in rest.items() if isinstance(value, str)}})
    for name, value in rest.items():
        if not isinstance(value, str):
            yield f"{name}{'' if value else ': none'}"
            yield from (f"  {one_line(sentence)}" for sentence in value)


def _mib(size: int | None) -> str:
    return "?" if size is None else f"{size} MiB"


def _left_to_others(yielding: Mapping[str, Any]) -> str:
    until = f" ({dt.datetime.fromisoformat(yielding['until']):%H:%M:%S})" if yielding["until"] else ""
    return f"left to others: {one_line(yielding['reason'])}; until {one_line(yielding['ends'])}{until}"


# --- devices --------------------------------------------------------------------------------------------------------


def installed_devices() -> list[dict[str, Any]]:
    """The sound devices of this machine. Raises DeviceError.

    PortAudio is loaded by a short-lived child, as only the sound worker's room may touch it.
    """
    command = [sys.executable, "-c", _LIST_DEVICES]
    try:
        listed = subprocess.run(command, capture_output=True, timeout=_LISTING_SECONDS, check=True)
        return json.loads(listed.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        tail = getattr(error, "stderr", None) or b""
        last = tail.decode(errors="replace").strip().rpartition("\n")[2]
        raise DeviceError(f"sound devices cannot be listed: {one_line(last) or type(error).__name__}") from None


def devices(found: Sequence[Mapping[str, Any]], *, microphone: str, loudspeaker: str) -> Iterator[str]:
    """Microphones, then loudspeakers; the chosen ones have a star."""
    yield from _devices("Microphones", found, "input", microphone)
    yield from _devices("Loudspeakers", found, "output", loudspeaker)


def _devices(title: str, found: Sequence[Mapping[str, Any]], side: str, chosen: str) -> Iterator[str]:
    usable = [device for device in found if device[f"{side}s"]]
    yield f"{title}:" if usable else f"{title}: none"
    names = _chosen(usable, chosen, f"default_{side}")
    for device in usable:
        note = ", default" if device[f"default_{side}"] else ""
        yield f"  {'*' if device['name'] in names else ' '} {one_line(device['name'])}  ({device['rate']} Hz{note})"
    if chosen.startswith("wav:"):
        yield f"  * {one_line(chosen)}"
    elif len(names) != 1 and chosen != "default":
        trouble = "could be any of these" if names else "is chosen and not there"
        yield f'  ! "{one_line(chosen)}" {trouble}'


def _chosen(usable: Sequence[Mapping[str, Any]], chosen: str, default: str) -> list[str]:
    """The names that a setting means: the default, the very name, or all that hold it."""
    if chosen == "default":
        return [device["name"] for device in usable if device[default]]
    names = [device["name"] for device in usable]
    return [chosen] if chosen in names else [name for name in names if chosen.casefold() in name.casefold()]
