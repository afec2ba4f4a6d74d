"""The real scheduler with two models in real processes, on a simulated graphics card."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar, cast

import msgspec
import pytest

from agent.bus import Bus
from agent.clock import Clock
from agent.engines.api import MindResult, Piece
from agent.engines.catalog import Choice
from agent.engines.scripted import Script
from agent.events import Event, LeaseGranted, LeaseReleased, Seconds
from agent.memory import Gpu
from agent.policy.history import Message
from agent.settings import VramSettings
from agent.vram import Vram
from agent.workers.models import MindWorker, ModelWorker, VoiceWorker
from scripts.soak_leases.processes import GONE_SECONDS, alive, end, group
from tests.fake_nvml import FakeGpu, FakeNvml, install

E = TypeVar("E", bound=Event)

Model = Literal["mind", "voice"]
Order = Literal["exit", "garbage", "hang"]

LOAD_SECONDS: Final = 3.0
"""The longest that a load may take here."""
DEADLINE_SECONDS: Final = 0.5
"""The longest that a result may take here."""
PATIENCE_SECONDS: Final = 30.0
"""For what has no bound of its own: long enough for a machine with other work."""
MESSAGES: Final = [Message("user", "how are you")]
ANSWER: Final = "one two three four five six seven eight nine ten"
_ROOT: Final = Path(__file__).parents[2]
_LOOK_SECONDS: Final = 0.002
_FOOTPRINT_MIB: Final = 4000
_SCRIPT: Final = Script(answers=(ANSWER,), load_seconds=0.1, delay_seconds=0.03, heavy=True, starts=("sleep", "3600"))
_FACTORIES: Final[dict[Model, str]] = {
    "mind": "scripts.soak_leases.engine:Obedient",
    "voice": "agent.engines.scripted:VoiceEngine",
}


class Card:
    """A GPU as `tests.fake_nvml` wants one, whose figures follow the processes that live."""

    uuid = "GPU-soak"
    name = "a simulated GPU"
    total_mib = 12288
    mig = None
    memory_error = 0
    processes_error = 0

    def __init__(self) -> None:
        self.foreign_mib = 0
        """What others use."""
        self.graphics: dict[int, int] = {}
        self._models: Sequence[ModelWorker] = ()
        self._pids: set[int] = set()

    def serve(self, models: Iterable[ModelWorker]) -> None:
        """Let these be loaded."""
        self._models = tuple(models)

    @property
    def compute(self) -> dict[int, int]:
        """What each process of ours takes, from the end of its load to its own end."""
        self._pids = alive(self._pids | {model.pid for model in self._models if model.loaded})
        self._pids |= {model.pid for model in self._models if model.pid}
        return dict.fromkeys(self._pids, _FOOTPRINT_MIB)

    @property
    def free_mib(self) -> int:
        """What nobody takes."""
        return max(self.total_mib - self.foreign_mib - sum(self.compute.values()), 0)


@contextmanager
def simulated_card() -> Generator[Card]:
    """A machine with this one GPU, for as long as the block lasts."""
    card = Card()
    with pytest.MonkeyPatch.context() as patch:
        install(patch, FakeNvml(cast("FakeGpu", card)))
        patch.setenv("PYTHONPATH", str(_ROOT))  # so that workers find the engine
        yield card


class House:
    """The scheduler and its models, and everything that they publish."""

    def __init__(self, card: Card, orders: Path) -> None:
        """`orders` is where the socket for the engine's orders is to be."""
        self.card = card
        self.bus, self.clock = Bus(), Clock()
        self.settings = VramSettings(load_seconds=LOAD_SECONDS, idle_seconds=0.0, return_seconds=0.0)
        self.memory = Gpu(0)
        self.load_began = Seconds(0.0)
        """The last load of the mind."""
        self.troubles: list[str] = []
        """What went wrong in the loop that nobody waited for."""
        self.processes: set[int] = set()
        """All that `group` ever found."""
        self._orders = orders
        self._seen: list[Event] = []
        self._changed = asyncio.Event()
        self._line: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()
        self.mind = MindWorker(
            "mind", lambda _form: self._choose("mind"), load_seconds=LOAD_SECONDS, deadline_seconds=DEADLINE_SECONDS
        )
        self.voice = VoiceWorker(
            "voice", lambda _form: self._choose("voice"), load_seconds=LOAD_SECONDS, deadline_seconds=DEADLINE_SECONDS
        )
        self.models: dict[str, ModelWorker] = {"mind": self.mind, "voice": self.voice}
        card.serve(self.models.values())
        self.vram = Vram(self.bus, self.clock, self.settings, self.models, memory=self.memory)
        self.bus.tap(self._take)

    async def __aenter__(self) -> Self:
        """Nothing is loaded yet."""
        asyncio.get_running_loop().set_exception_handler(self._be_troubled)
        async with AsyncExitStack() as stack:
            server = await asyncio.start_unix_server(self._connected, self._orders)
            stack.callback(server.close)
            await stack.enter_async_context(self.vram)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process."""
        await self._stack.aclose()

    def _choose(self, model: Model) -> Choice:
        settings: dict[str, Any] = msgspec.to_builtins(_SCRIPT)
        if model == "mind":
            self.load_began = self.clock.now()
            self._line = asyncio.Future()
            settings["orders"] = str(self._orders)
        return Choice("scripted", _FACTORIES[model], settings)

    # --- what is done in it -----------------------------------------------------------------------------------------

    async def reply(self) -> str:
        """A whole turn of the mind, under a lease. Raises EngineError."""
        async with self.vram.lease("mind", owner="thinking", kind="replying"), aclosing(self.speaks()) as results:
            return "".join([result.text async for result in results if isinstance(result, Piece)])

    def speaks(self) -> AsyncGenerator[MindResult, None]:
        """The results of a reply; the lease must be held."""
        return self.mind.reply(MESSAGES)

    @asynccontextmanager
    async def someone_at(self, model: Model) -> AsyncGenerator[asyncio.Event]:
        """Someone asks for a lease of the model, and has it or waits for it until the end of the block.

        The event is set when they have it.
        """
        has_it, over = asyncio.Event(), asyncio.Event()

        async def use() -> None:
            async with self.vram.lease(model, owner="someone", kind="replying"):
                has_it.set()
                await over.wait()

        using = asyncio.create_task(use())
        try:
            await asyncio.sleep(0)
            yield has_it
            over.set()
            await using
        finally:
            using.cancel()

    async def order(self, order: Order) -> Seconds:
        """Have the mind's engine do it; when it was told."""
        _, writer = await self._line
        writer.write(f"{order}\n".encode())
        told = self.clock.now()
        if order == "hang":
            await self._hears("will hang")
        return told

    async def hangs(self) -> None:
        """Return when the engine hangs that was ordered to."""
        await self._hears("hangs")

    async def _hears(self, word: str) -> None:
        reader, _ = await self._line
        if (line := await reader.readline()) != f"{word}\n".encode():
            raise AssertionError(f"the engine said {line!r} instead of {word!r}")

    async def loads(self, since: Seconds) -> None:
        """Return when the mind's engine is in the middle of a load that began at or after this moment."""
        while self.load_began < since:  # noqa: ASYNC110  # it is no event
            await asyncio.sleep(_LOOK_SECONDS)
        await self._line

    async def empty(self) -> None:
        """Unload everything."""
        self.vram.press("the soak wants it")
        await self.vram.emptied()
        self.vram.relieve()

    # --- what is seen of it -----------------------------------------------------------------------------------------

    async def first(self, kind: type[E], since: Seconds, model: Model | None = None) -> E:
        """The first such event at or after this moment, once it is there. Raises AssertionError."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (found := self._find(kind, since, model)) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} within {PATIENCE_SECONDS:g} s") from None
        return found

    def _find(self, kind: type[E], since: Seconds, model: Model | None) -> E | None:
        for event in self._seen:
            if isinstance(event, kind) and event.at >= since and model in {None, getattr(event, "model", None)}:
                return event
        return None

    def group(self, model: Model = "mind") -> set[int]:
        """The processes of the model's worker: itself, and what it started."""
        pid = self.models[model].pid
        found = group(pid) if pid else set[int]()
        self.processes |= found
        return found

    def unrest(self) -> list[str]:
        """Why the scheduler is not idle, and what else went wrong; empty if all is well."""
        granted = sum(isinstance(event, LeaseGranted) for event in self._seen)
        released = sum(isinstance(event, LeaseReleased) for event in self._seen)
        still = [f"{granted - released} leases are still held"] if granted != released else []
        return [*still, *map(str, self.vram.describe()["waiting"]), *self.troubles]

    def _take(self, event: Event) -> None:
        self._seen.append(event)
        self._changed.set()

    def _be_troubled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.troubles.append(f"{context['message']}: {context.get('exception')!r}")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._stack.callback(writer.close)
        self._line.set_result((reader, writer))


@asynccontextmanager
async def furnished(card: Card) -> AsyncGenerator[House]:
    """A house that leaves nobody behind. Raises AssertionError if it does."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        house = House(card, Path(folder) / "orders")
        async with house:
            yield house
    if await end(house.processes, seconds=GONE_SECONDS) is None:
        raise AssertionError(f"these processes outlived the house: {sorted(alive(house.processes))}")
