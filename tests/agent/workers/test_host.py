"""Real child processes with scripted engines. Deadlines of 10 s are never reached unless a test fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec import Raw
from msgspec.msgpack import Decoder

from agent.engines.api import Facts, Frame, MindResult, Piece, PromptRead, Reply, VoiceBegan
from agent.engines.scripted import Fault, How, Script
from agent.errors import EngineError, EngineFailed, EngineHung, ModelMissing, OutOfMemory, WorkerDied
from agent.policy.history import Message
from agent.workers import wire
from agent.workers.host import CANCEL_SECONDS, Worker

T = TypeVar("T")

REPLY = Reply(messages=[Message("user", "a secret")])
RESULTS: Decoder[MindResult] = Decoder(MindResult)
BRIEF = 0.3
LONG = 10.0


def run(main: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await main

    return asyncio.run(bounded())


def make(script: Script, engine: str = "MindEngine", **more: Any) -> Worker:
    settings = msgspec.to_builtins(script)
    return Worker(
        "mind", f"agent.engines.scripted:{engine}", settings, load_seconds=more.pop("load_seconds", LONG), **more
    )


@asynccontextmanager
async def running(script: Script | None = None, engine: str = "MindEngine", **more: Any) -> AsyncGenerator[Worker]:
    worker = make(script or Script(), engine, **more)
    await worker.start()
    try:
        yield worker
    finally:
        worker.kill()
        await worker.exited()


async def ask(worker: Worker, deadline_seconds: float = LONG) -> str:
    results = await worker.ask(REPLY, RESULTS, deadline_seconds=deadline_seconds)
    return "".join(result.text for result in results if isinstance(result, Piece))


async def consume(worker: Worker, begun: asyncio.Event) -> None:
    """Set `begun` at the first result."""
    async with aclosing(worker.stream(REPLY, RESULTS, deadline_seconds=LONG)) as results:
        async for _ in results:
            begun.set()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@contextlib.contextmanager
def watched(*pids: int) -> Generator[list[int]]:
    """Descriptors that become readable when the processes end."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def all_end(descriptors: list[int], seconds: float) -> bool:
    return all(select.select([descriptor], [], [], seconds)[0] for descriptor in descriptors)


def started_by(facts: Facts) -> int:
    return int(facts.engine.split()[-1])


# --- asking ---------------------------------------------------------------------------------------------------------


def test_results_stream_in_order_and_the_worker_can_be_asked_again():
    async def main() -> None:
        async with running(Script(answers=("one two", "three"))) as worker:
            results = await worker.ask(REPLY, RESULTS, deadline_seconds=LONG)
            assert results == [PromptRead(2, 0), Piece("one"), Piece(" two")]
            assert await ask(worker) == "three"

    run(main())


def test_requests_in_flight_are_answered_each_with_its_own_results():
    async def main() -> None:
        async with running(Script(answers=("a b c", "d e f", "g"), delay_seconds=0.01)) as worker:
            assert await asyncio.gather(ask(worker), ask(worker), ask(worker)) == ["a b c", "d e f", "g"]

    run(main())


def test_a_closed_stream_leaves_the_worker_alive_and_nothing_of_it_reaches_the_next_request():
    async def main() -> None:
        async with running(Script(answers=("word " * 500, "next"), delay_seconds=0.01)) as worker:
            async with aclosing(worker.stream(REPLY, RESULTS, deadline_seconds=LONG)) as results:
                await anext(results)
            assert worker.running()
            assert await ask(worker) == "next"

    run(main())


def test_a_cancelled_task_cancels_its_request():
    async def main() -> None:
        async with running(Script(answers=("word " * 500, "next"), delay_seconds=0.01)) as worker:
            begun = asyncio.Event()
            task = asyncio.create_task(consume(worker, begun))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert worker.running()
            assert await ask(worker) == "next"

    run(main())


def test_a_request_that_still_waits_is_cancelled_without_disturbing_the_one_before_it():
    async def main() -> None:
        async with running(Script(answers=("a b c d e f g h i j", "second", "third"), delay_seconds=0.05)) as worker:
            first = asyncio.create_task(ask(worker))
            await asyncio.sleep(0)
            second = asyncio.create_task(ask(worker))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            assert not first.done()
            assert await first == "a b c d e f g h i j"
            assert await ask(worker) == "second"  # the cancelled one never was a call

    run(main())


@pytest.mark.parametrize("how", ["hang", "freeze"])
def test_an_engine_that_does_not_heed_a_cancel_loses_its_process(how: How):
    async def main() -> None:
        async with running(Script(faults=(Fault(how, call=1, results=1),))) as worker:
            async with aclosing(worker.stream(REPLY, RESULTS, deadline_seconds=LONG)) as results:
                await anext(results)
            assert is_gone(worker.pid)
            assert isinstance(worker.death(), EngineHung)
            assert "250 ms" in str(worker.death())

    run(main())


def test_who_is_cancelled_again_and_again_still_waits_until_the_process_is_gone():
    async def main() -> None:
        async with running(Script(faults=(Fault("hang", call=1, results=1),))) as worker:
            begun = asyncio.Event()
            task = asyncio.create_task(consume(worker, begun))
            await begun.wait()
            for _ in range(5):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert is_gone(worker.pid)

    run(main())


def test_an_engine_that_raises_fails_the_request_and_does_the_next():
    async def main() -> None:
        async with running(Script(faults=(Fault("raise", call=1, results=1),))) as worker:
            with pytest.raises(EngineFailed, match=r"RuntimeError at engines/scripted\.py:\d+\.$"):
                await ask(worker)
            assert await ask(worker) == "I see."

    run(main())


@pytest.mark.parametrize("how", ["seize", "freeze"])
def test_no_result_before_the_deadline_ends_the_process(how: How):
    async def main() -> None:
        async with running(Script(faults=(Fault(how, call=1, results=1),))) as worker:
            with pytest.raises(EngineHung, match=r"no result for 0\.3 s"):
                await ask(worker, BRIEF)
            assert is_gone(worker.pid)
            with pytest.raises(EngineHung):
                await ask(worker)

    run(main())


def test_each_result_has_the_whole_deadline_for_itself():
    async def main() -> None:
        async with running(Script(answers=("a b c d e",), delay_seconds=0.3)) as worker:
            assert await ask(worker, deadline_seconds=1.0) == "a b c d e"

    run(main())


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exit", "exit status 0"),
        ("kill", "signal SIGKILL"),
        ("garbage", "garbage: a frame"),
        ("nonsense", "garbage: a body"),
    ],
)
def test_a_process_that_ends_in_the_middle_ends_the_stream_after_what_came_before(how: How, words: str):
    async def main() -> None:
        causes: list[EngineError] = []
        async with running(Script(faults=(Fault(how, call=1, results=2),)), ended=causes.append) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            assert await anext(results) == PromptRead(2, 0)
            assert await anext(results) == Piece("I")
            with pytest.raises(WorkerDied, match=words):
                await anext(results)
            await worker.exited()
            assert is_gone(worker.pid)
            assert [type(cause) for cause in causes] == [WorkerDied]

    run(main())


# --- starting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang"])
def test_a_worker_that_never_becomes_ready_is_killed(how: How):
    async def main() -> None:
        worker = make(Script(faults=(Fault(how, call=0),)), load_seconds=BRIEF)
        with pytest.raises(EngineHung, match=r"not ready after 0\.3 s"):
            await worker.start()
        assert is_gone(worker.pid)

    run(main())


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("missing", ModelMissing, "there is no model"),
        ("out_of_memory", OutOfMemory, "The mind model does not fit into memory: .*no room"),
        ("raise", EngineFailed, r"RuntimeError at engines/scripted\.py:\d+: as the script says"),
        ("exit", WorkerDied, "exit status 0"),
        ("kill", WorkerDied, "SIGKILL"),
        ("garbage", WorkerDied, "garbage"),
    ],
)
def test_a_worker_that_fails_to_load_says_why_and_is_gone(how: How, error: type[Exception], words: str):
    async def main() -> None:
        worker = make(Script(faults=(Fault(how, call=0),)))
        with pytest.raises(error, match=words):
            await worker.start()
        assert is_gone(worker.pid)

    run(main())


def test_an_engine_that_does_not_exist_is_named():
    async def main() -> None:
        with pytest.raises(EngineFailed, match=r"No module named 'agent\.engines\.clairvoyance'"):
            await Worker("mind", "agent.engines.clairvoyance:Medium", {}, load_seconds=LONG).start()

    run(main())


def test_an_interpreter_that_does_not_exist_is_named_with_its_setting():
    async def main() -> None:
        with pytest.raises(EngineFailed, match=r"/no/python: No such file or directory.*\[mind\]"):
            await make(Script(), python="/no/python").start()

    run(main())


def test_a_start_that_is_cancelled_leaves_no_process():
    async def main() -> None:
        worker = make(Script(faults=(Fault("hang", call=0),)))
        task = asyncio.create_task(worker.start())
        while not worker.pid:  # noqa: ASYNC110  # the moment between spawning and being ready has no event
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert is_gone(worker.pid)

    run(main())


def test_the_child_imports_no_asyncio_and_finds_agent_without_a_path():
    boot = Path("agent/workers/boot.py").resolve()
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='boot');"
        "import agent.workers.child; print(sorted({'asyncio', 'numpy', 'torch'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-P", "-c", code, str(boot)], check=True, capture_output=True, cwd="/"
    ).stdout
    assert printed == b"[]\n"


# --- ending ---------------------------------------------------------------------------------------------------------


def test_stopping_ends_the_process_in_order_and_what_it_had_started():
    async def main() -> None:
        worker = make(Script(starts=("sleep", "600")))
        facts = await worker.start()
        with watched(started_by(facts)) as grandchild:
            assert await worker.stop() == 0
            assert is_gone(worker.pid)
            assert all_end(grandchild, LONG)
        with pytest.raises(WorkerDied, match="was stopped"):
            await ask(worker)

    run(main())


def test_a_loop_that_was_held_up_does_not_take_an_answered_cancel_for_a_missing_one():
    async def main() -> None:
        async with running(Script(answers=("word " * 50,), delay_seconds=0.01)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            hold_up = threading.Event()
            asyncio.get_running_loop().call_soon(hold_up.wait, CANCEL_SECONDS * 2)
            await results.aclose()
            assert worker.running()

    run(main())


def test_stopping_in_the_middle_of_a_request_ends_it():
    async def main() -> None:
        async with running(Script(answers=("word " * 500,), delay_seconds=0.01)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            assert await worker.stop() == 0
            with pytest.raises(WorkerDied):  # what was cut off does not look whole
                await anext(results)

    run(main())


def test_a_worker_that_does_not_stop_in_order_is_killed():
    async def main() -> None:
        async with running(Script(faults=(Fault("hang", call=1, results=1),))) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            assert await worker.stop(grace_seconds=BRIEF) == -signal.SIGKILL
            with pytest.raises(WorkerDied, match="was stopped"):
                await anext(results)

    run(main())


@pytest.mark.parametrize("how", [None, "seize", "freeze"])
def test_when_the_parent_is_killed_child_and_grandchild_are_gone_within_two_seconds(how: How | None):
    script = Script(starts=("sleep", "600"), faults=(Fault(how, call=1),) if how else ())
    code = f"""
import asyncio
from agent.engines.api import MindResult, Reply
from agent.workers.host import Worker

async def main():
    worker = Worker("mind", "agent.engines.scripted:MindEngine", {msgspec.to_builtins(script)!r}, load_seconds=10)
    facts = await worker.start()
    worker.send(Reply(messages=[]))
    print(worker.pid, facts.engine.split()[-1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        with watched(*map(int, parent.stdout.readline().split())) as descriptors:
            parent.kill()
            assert all_end(descriptors, 2.0)


def test_twenty_restarts_leak_no_descriptor_and_no_thread():
    async def main() -> None:
        async with running():
            pass
        before = descriptors()
        for how in ("kill", "exit", "garbage", "raise") * 5:
            async with running(Script(faults=(Fault(how, call=1, results=1),))) as worker:
                with pytest.raises(EngineError):
                    await ask(worker)
        assert descriptors() == before

    run(main())


# --- pausing --------------------------------------------------------------------------------------------------------


async def nothing_comes(results: AsyncGenerator[Any]) -> asyncio.Task[Any]:
    """That the worker gives no result for far longer than it takes; the task that goes on waiting for one."""
    waiting = asyncio.ensure_future(anext(results, None))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    return waiting


def test_a_paused_engine_gives_no_result_until_it_is_resumed_and_loses_none():
    async def main() -> None:
        async with running(Script(answers=("a b c d",), delay_seconds=0.02)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            await worker.pause()
            waiting = await nothing_comes(results)
            worker.resume()
            assert (await waiting).text == "a"
            assert [result.text async for result in results if isinstance(result, Piece)] == [" b", " c", " d"]

    run(main())


def test_an_engine_stands_still_in_the_middle_of_a_step_that_looks_whether_it_was_cancelled():
    async def main() -> None:
        async with running(Script(delay_seconds=5.0)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            waiting = asyncio.ensure_future(anext(results))
            await asyncio.sleep(0)
            await worker.pause()
            assert worker.running()
            waiting.cancel()
            await asyncio.wait([waiting])
            assert worker.running()

    run(main())


def test_a_pause_in_front_of_a_request_holds_it():
    async def main() -> None:
        async with running() as worker:
            await worker.pause()
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            waiting = await nothing_comes(results)
            worker.resume()
            assert await waiting == PromptRead(2, 0)
            await results.aclose()

    run(main())


def test_an_engine_that_has_nothing_to_do_any_more_stands_still_already():
    async def main() -> None:
        async with running() as worker:
            await ask(worker)
            await worker.pause()
            worker.resume()
            assert await ask(worker) == "I see."

    run(main())


def test_a_pause_outlasts_the_request_and_holds_the_next():
    async def main() -> None:
        async with running(Script(answers=("word " * 500, "next"), delay_seconds=0.01)) as worker:
            async with aclosing(worker.stream(REPLY, RESULTS, deadline_seconds=LONG)) as results:
                await anext(results)
                await worker.pause()
            assert worker.running()  # the cancel was heeded
            waiting = await nothing_comes(worker.stream(REPLY, RESULTS, deadline_seconds=LONG))
            worker.resume()
            assert await waiting == PromptRead(2, 0)

    run(main())


def test_a_request_that_a_pause_holds_is_cancelled_at_once():
    async def main() -> None:
        async with running(Script(answers=("first", "second"))) as worker:
            await worker.pause()
            held = asyncio.create_task(ask(worker))
            await asyncio.sleep(0)
            held.cancel()
            await asyncio.wait([held])
            assert worker.running()
            worker.resume()
            assert await ask(worker) == "first"  # the cancelled one never was a call

    run(main())


def test_pausing_twice_and_resuming_what_runs_are_harmless():
    async def main() -> None:
        async with running(Script(answers=("a b", "c"), delay_seconds=0.01)) as worker:
            worker.resume()
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            await asyncio.gather(worker.pause(), worker.pause())
            await worker.pause()
            worker.resume()
            worker.resume()
            assert len([result async for result in results]) == 2
            assert await ask(worker) == "c"

    run(main())


def test_pauses_and_resumes_in_quick_succession_end_as_the_last_of_them_says():
    async def main() -> None:
        async with running(Script(answers=("a b c",), delay_seconds=0.02)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            pausing = []
            for _ in range(20):
                pausing.append(asyncio.create_task(worker.pause()))
                await asyncio.sleep(0)
                worker.resume()
            await asyncio.gather(*pausing)
            await worker.pause()
            waiting = await nothing_comes(results)
            worker.resume()
            assert (await waiting).text == "a"
            await results.aclose()

    run(main())


def test_an_answer_to_an_earlier_pause_that_crossed_with_a_resume_is_not_taken_for_one_to_the_next():
    async def main() -> None:
        async with running(Script(faults=(Fault("hang", call=1, results=1),))) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            first = asyncio.create_task(worker.pause())
            await asyncio.sleep(0)
            worker.resume()
            second = asyncio.create_task(worker.pause())
            await first
            worker._received(wire.Paused(1))
            await asyncio.sleep(0.01)
            assert not second.done()
            worker._received(wire.Paused(2))
            await second

    run(main())


def test_a_pause_that_nobody_waits_for_any_more_costs_no_life_once_it_is_resumed():
    async def main() -> None:
        async with running(Script(faults=(Fault("hang", call=1, results=1),))) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            pausing = asyncio.create_task(worker.pause())
            await asyncio.sleep(0)
            pausing.cancel()
            worker.resume()
            await asyncio.wait([asyncio.create_task(worker.exited())], timeout=0.5)
            assert worker.running()

    run(main())


@pytest.mark.parametrize("how", ["hang", "seize", "freeze"])
def test_an_engine_that_does_not_stand_still_loses_its_process(how: How):
    async def main() -> None:
        async with running(Script(faults=(Fault(how, call=1, results=1),))) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            with pytest.raises(WorkerDied, match="stand still within 2 s"):
                await worker.pause()
            assert is_gone(worker.pid)
            with pytest.raises(WorkerDied):
                await anext(results)

    run(main())


def test_the_death_of_a_paused_engine_is_noticed_by_who_pauses_and_who_waits():
    async def main() -> None:
        causes: list[EngineError] = []
        async with running(Script(delay_seconds=0.01), ended=causes.append) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            await worker.pause()
            waiting = await nothing_comes(results)
            os.kill(worker.pid, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="SIGKILL"):
                await waiting
            with pytest.raises(WorkerDied, match="SIGKILL"):
                await worker.pause()
            worker.resume()
            assert len(causes) == 1

    run(main())


def test_a_process_that_ends_while_it_is_to_pause_tells_who_pauses():
    async def main() -> None:
        async with running(Script(faults=(Fault("hang", call=1, results=1),))) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            pausing = asyncio.create_task(worker.pause())
            await asyncio.sleep(0)
            os.kill(worker.pid, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="SIGKILL"):
                await pausing

    run(main())


def test_a_paused_worker_ends_in_order_with_a_request_begun_and_another_held():
    async def main() -> None:
        async with running(Script(answers=("word " * 500,), delay_seconds=0.01)) as worker:
            results = worker.stream(REPLY, RESULTS, deadline_seconds=LONG)
            await anext(results)
            held = asyncio.create_task(ask(worker))
            await worker.pause()
            assert await worker.stop() == 0
            with pytest.raises(WorkerDied, match="was stopped"):
                await held

    run(main())


def test_a_paused_worker_ends_in_order_with_something_unread_that_asks_for_no_answer():
    async def main() -> None:
        async with running() as worker:
            await worker.pause()
            worker.send(REPLY)
            assert await worker.stop() == 0

    run(main())


def test_a_pause_that_is_forgotten_ends_at_the_deadline_of_who_waits():
    async def main() -> None:
        async with running() as worker:
            await worker.pause()
            with pytest.raises(EngineHung, match=r"no result for 0\.3 s"):
                await ask(worker, BRIEF)

    run(main())


# --- telling, one way -----------------------------------------------------------------------------------------------


def frame(position: int, height: int) -> Frame:
    return Frame(position, height.to_bytes(2, "little") * 512, captured_at=float(position))


def test_notes_come_unasked_and_in_order():
    async def main() -> None:
        notes: asyncio.Queue[Raw] = asyncio.Queue()
        async with running(engine="EarEngine", noted=notes.put_nowait) as worker:
            worker.send(frame(0, 0))
            worker.send(frame(512, 9000))
            note = worker.decode(Decoder(VoiceBegan), await notes.get())
            assert (note.segment, len(note.samples)) == (1, 2048)

    run(main())


def test_an_engine_that_fails_on_a_one_way_request_ends_its_worker_with_the_reason():
    async def main() -> None:
        async with running(Script(faults=(Fault("raise", call=2),)), engine="EarEngine") as worker:
            worker.send(frame(0, 0))
            worker.send(frame(512, 0))
            await worker.exited()
            assert isinstance(worker.death(), WorkerDied)
            assert "RuntimeError at engines/scripted.py" in str(worker.death())

    run(main())


@pytest.mark.parametrize("how", ["hang", "freeze"])
def test_a_worker_that_shows_no_sign_of_life_is_killed(how: How):
    async def main() -> None:
        script = Script(faults=(Fault(how, call=1),))
        async with running(script, engine="EarEngine", beat_seconds=BRIEF) as worker:
            worker.send(frame(0, 0))
            await worker.exited()
            assert isinstance(worker.death(), EngineHung)
            with pytest.raises(EngineHung, match="sign of life"):
                worker.send(frame(512, 0))

    run(main())


def test_a_healthy_worker_survives_its_beats():
    async def main() -> None:
        async with running(engine="EarEngine", beat_seconds=0.05) as worker:
            for _ in range(4):
                await asyncio.sleep(0.05)  # time itself is what is tried here
            assert worker.running()

    run(main())


def test_a_worker_that_does_not_read_is_killed_and_nobody_waits_for_it():
    async def main() -> None:
        async with running() as worker:
            os.kill(worker.pid, signal.SIGSTOP)
            worker.send(Reply(messages=[Message("user", "x" * 20_000_000)]))
            with pytest.raises(EngineHung, match="does not read"):
                worker.send(REPLY)

    run(main())


def test_what_an_engine_prints_is_logged_under_its_name_and_never_reaches_the_wire(caplog: pytest.LogCaptureFixture):
    async def main() -> None:
        prints = "loading\r50 %\r\n\x1b[31mhot\x1b[0m\n" + "y" * 100_000 + "\nno newline"
        worker = make(Script(prints=prints))
        await worker.start()
        assert await ask(worker) == "I see."
        await worker.stop()

    with caplog.at_level(logging.INFO, "agent.workers.mind"):
        run(main())
    lines = [record.getMessage() for record in caplog.records if record.name == "agent.workers.mind"]
    assert [line for line in lines if not line.startswith("y")][:3] == ["loading", "50 %", "hot"]
    assert lines[-1].endswith("no newline")
    assert max(map(len, lines)) <= 2000
    assert "secret" not in "".join(lines)
