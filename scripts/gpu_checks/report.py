"""From what was measured to text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from agent.memory import Gpu, Memory
from scripts.bench_response import figures
from scripts.gpu_checks.abilities import Skipped
from scripts.gpu_checks.loading import BACK_SECONDS, BACK_SHARE, Life, Measured
from scripts.gpu_checks.swapping import HandOver
from scripts.gpu_checks.work import FIRST_RESULT

_HEADER: Final = "# On a GPU\n\nWhat `scripts/gpu_check` measured, as it wrote it down.\n"
_ON_THE_PROCESSOR: Final = "On the processor, in RAM, without a GPU"
_SMALL: Final = "**a small model** that says nothing of the times and sizes of a large one"


def title(memory: Memory) -> str:
    """Of the section, which says at once whether there was a GPU."""
    return f"On {memory.name}" if isinstance(memory, Gpu) else _ON_THE_PROCESSOR


def machine(memory: Memory) -> str:
    """What a reader must know of the computer, the driver's versions among it."""
    told = figures.machine()
    if not isinstance(memory, Gpu):
        return told
    return re.sub(r", (no GPU|an NVIDIA GPU \(not used\)), ", lambda _: f", {memory.versions()}, ", told)


def command(arguments: Iterable[str]) -> str:
    """The command line, with files by their names only: where they lie is nobody's business."""
    named = (re.sub(r"^(--[a-z-]+=)?(/|~).*/(?=.)", r"\1", argument.rstrip("/")) for argument in arguments)
    return " ".join(["scripts/gpu_check", *named])


def write(path: Path, heading: str, text: str) -> None:
    """Put the section into the document, in the place of the one with its title."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_HEADER)
    figures.write(path, heading, text)


def body(
    found: Sequence[Measured],
    swaps: Mapping[str, Sequence[HandOver]],
    skipped: Sequence[Skipped],
    failed: Sequence[Skipped],
    memory: Memory,
) -> str:
    """All of it but title, date, machine and command."""
    parts = ["\n".join(map(_engine, found)), _lives(found), _swaps(swaps), _explanation(found, memory)]
    parts += [_listed("Skipped", skipped), _listed("Failed", failed)]
    return "\n\n".join(part for part in parts if part)


def _engine(measured: Measured) -> str:
    subject = measured.subject
    versions = f" ({subject.versions})" if subject.versions else ""
    small = f"; {_SMALL}" if subject.small else ""
    return f"- {subject.organ}: {measured.engine}{versions}{small}"


def _listed(heading: str, which: Sequence[Skipped]) -> str:
    return "\n".join([f"{heading}:\n", *(f"- {one.what}: {one.why}" for one in which)]) if which else ""


# --- one engine alone -----------------------------------------------------------------------------------------------


def _lives(found: Sequence[Measured]) -> str:
    if not found:
        return ""
    heads = ["", *(measured.subject.organ for measured in found)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for told, cell in _ROWS.items():
        lines.append(f"| {told} | {' | '.join(cell(measured) for measured in found)} |")
    return "\n".join(lines)


def _first_result(measured: Measured) -> str:
    return FIRST_RESULT[measured.subject.organ]


def _warm_seconds(of: Callable[[Life], float]) -> Callable[[Measured], str]:
    return lambda measured: _seconds([of(life) for life in measured.warm])


def _mib(of: Callable[[Life], int | None]) -> Callable[[Measured], str]:
    """The median of all loads."""

    def cell(measured: Measured) -> str:
        figures = [of(life) for life in (measured.cold, *measured.warm)]
        told = [figure for figure in figures if figure is not None]
        return f"{np.median(told):.0f}" if len(told) == len(figures) else "not told"

    return cell


def _back(measured: Measured) -> str:
    waits = [life.back_seconds for life in (measured.cold, *measured.warm)]
    seen = [seconds for seconds in waits if seconds is not None]
    unseen = len(waits) - len(seen)
    times = [_seconds(seen)] if seen else []
    return "; ".join([*times, *([f"{unseen} of {len(waits)} times not within {BACK_SECONDS:g} s"] if unseen else [])])


_ROWS: Final[dict[str, Callable[[Measured], str]]] = {
    "load, cold, s": lambda measured: f"{measured.cold.load_seconds:.2f}",
    "load, warm, s": _warm_seconds(lambda life: life.load_seconds),
    "loaded: its processes, MiB": _mib(lambda life: life.own_mib),
    "loaded: less is free than before, MiB": _mib(lambda life: life.difference_mib),
    "after its first work: its processes, MiB": _mib(lambda life: life.worked_mib),
    "first result": _first_result,
    "— after a cold load, s": lambda measured: f"{measured.cold.first_seconds:.3f}",
    "— after a warm load, s": _warm_seconds(lambda life: life.first_seconds),
    "process ended after, s": lambda measured: _seconds(
        [life.ended_seconds for life in (measured.cold, *measured.warm)]
    ),
    "its memory seen back after that, s": _back,
    "left of its processes, MiB": _mib(lambda life: life.left_mib),
}


# --- mind and voice by turns ----------------------------------------------------------------------------------------


def _swaps(swaps: Mapping[str, Sequence[HandOver]]) -> str:
    if not swaps:
        return ""
    heads = ("mind and voice by turns", "lease granted after, s", "of it end and memory back", "of it load")
    heads = (*heads, "first result after that, s", "in all, s", "loads")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [
        f"| {room}, to the {to} | {_hand_overs([one for one in made if one.to == to])} |"
        for room, made in swaps.items()
        for to in ("voice", "mind")
    ]
    return "\n".join(lines)


def _hand_overs(made: Sequence[HandOver]) -> str:
    columns = [
        [one.waited_seconds for one in made],
        [one.waited_seconds - one.load_seconds for one in made],
        [one.load_seconds for one in made],
        [one.first_seconds for one in made],
        [one.waited_seconds + one.first_seconds for one in made],
    ]
    loads = sum(one.load_seconds > 0 for one in made)
    return " | ".join([*map(_seconds, columns), f"{loads} / {len(made)}"])


# --- words ----------------------------------------------------------------------------------------------------------


def _explanation(found: Sequence[Measured], memory: Memory) -> str:
    if not found:
        return ""
    source = "NVML" if isinstance(memory, Gpu) else "the kernel (proportional set sizes, so that mapped weights count)"
    return (
        f"Times are medians, with their range in brackets: of {len(found[0].warm)} warm runs; of ends, all runs. "
        f"MiB are medians of all runs, as {source} tells. A load is from the start of the process to its "
        "readiness: imports, weights, and what the engine runs to warm up. Dropped before the cold load: "
        f"{_dropped(found)}. What other processes have mapped stays in it, and the host of a virtual machine has a "
        "cache of its own. A mind that stayed loaded has read the prompt before. "
        f"Memory counts as back when {BACK_SHARE:.0%} of what the process held is free again. What "
        "others on the machine take or free meanwhile moves the figures of what is free, which are therefore worth "
        "less than those of the processes."
    )


def _dropped(found: Sequence[Measured]) -> str:
    organs: dict[str, list[str]] = {}
    for measured in found:
        organs.setdefault(measured.dropped, []).append(measured.subject.organ)
    return "; ".join(f"{dropped} ({', '.join(names)})" for dropped, names in organs.items())


def _seconds(values: Sequence[float]) -> str:
    digits = 3 if np.median(values) < 1 else 2
    middle, low, high = (f"{figure:.{digits}f}" for figure in (np.median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"  # noqa: RUF001  # a range
