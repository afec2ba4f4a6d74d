"""The command line of `scripts/gpu_check`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.engines.catalog import COQUI_PYTHON
from agent.errors import ParleyError
from agent.memory import Gpu, Memory, open_memory
from agent.settings import VramSettings
from scripts.bench_response import figures
from scripts.gpu_checks import report
from scripts.gpu_checks.abilities import Skipped, why_no_gpu
from scripts.gpu_checks.loading import Measured, measure
from scripts.gpu_checks.subjects import Given, Subject, subjects
from scripts.gpu_checks.swapping import HandOver, swap, why_no_swap

_SWAP: Final = "the swap of mind and voice"
_INTERRUPTED: Final = 130


def main() -> int:
    """Measure what can be measured; 1 if anything of that failed."""
    asked = _parser().parse_args()
    try:
        return _check(asked)
    except ParleyError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("gpu_check: interrupted; what was started has ended, and nothing is written", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/gpu_check",
        description="Loads each engine on the NVIDIA GPU: memory, load cold and warm, first token and first sound, "
        "what comes back at its end, and the swap of mind and voice. Without a GPU on the processor, as far as that "
        "goes. Ends with 0 if all that could be measured was.",
        epilog="Where no model is given, the largest in the models directory is taken, else a small one.",
    )
    parser.add_argument("--mind", default="", metavar="FILE", help="a language model as GGUF")
    parser.add_argument("--stt", default="", metavar="DIR", help="a faster-whisper model")
    parser.add_argument("--voice", default="", metavar="DIR", help="an XTTS model")
    parser.add_argument("--coqui-licence", action="store_true", help="you agree to the licence of XTTS's weights")
    parser.add_argument("--gpu", type=int, default=0, metavar="N", help="as nvidia-smi counts; -1: the processor (0)")
    parser.add_argument("--rounds", type=_count, default=3, metavar="N", help="warm loads and swaps of each kind (3)")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="also put the table into this document")
    return parser


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _check(asked: argparse.Namespace) -> int:
    memory = open_memory(VramSettings(gpu=max(asked.gpu, -1)))
    skipped = [] if isinstance(memory, Gpu) else [Skipped("the GPU", why_no_gpu(asked.gpu))]
    heading, machine = report.title(memory), report.machine(memory)
    print(heading, *(f"{one.what} is skipped: {one.why}" for one in skipped), sep="\n", flush=True)
    python = os.environ.get("COQUI_PYTHON", str(COQUI_PYTHON))
    given = Given(asked.mind, asked.stt, asked.voice, asked.coqui_licence, python)
    with tempfile.TemporaryDirectory(prefix="parley-gpu-check-") as folder:
        found, left_out = subjects(given, memory.environment, Path(folder), on_gpu=isinstance(memory, Gpu))
        check = _Checked(skipped=[*skipped, *left_out])
        asyncio.run(check.run(found, memory, asked.rounds, Path(folder)))
    body = report.body(check.found, check.swaps, check.skipped, check.failed, memory)
    print(f"\n{body}")
    if asked.write:
        command = report.command(sys.argv[1:])
        report.write(asked.write, heading, figures.section(heading, command, machine, body))
    return 1 if check.failed else 0


@dataclass
class _Checked:
    """What was measured, and what was not."""

    skipped: list[Skipped]
    failed: list[Skipped] = field(default_factory=list[Skipped])
    found: list[Measured] = field(default_factory=list[Measured])
    swaps: Mapping[str, Sequence[HandOver]] = field(default_factory=dict[str, list[HandOver]])

    async def run(self, which: Sequence[Subject], memory: Memory, rounds: int, folder: Path) -> None:
        """Each engine alone, then mind and voice by turns."""
        for subject in which:
            try:
                self.found.append(await measure(subject, memory, rounds, _tell))
            except ParleyError as error:
                self._fail(subject.organ, str(error).replace(str(subject.model), subject.model.name))
        if reason := why_no_swap(self.found):
            self.skipped.append(Skipped(_SWAP, reason))
            return
        try:
            self.swaps = await swap(self.found, memory, rounds, folder, _tell)
        except ParleyError as error:
            self._fail(_SWAP, str(error))

    def _fail(self, what: str, error: str) -> None:
        _tell(f"{what} failed: {error}")
        self.failed.append(Skipped(what, error))


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
