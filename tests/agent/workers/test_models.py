from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from agent.engines.api import Piece, PromptRead, Speak
from agent.engines.catalog import Choice
from agent.engines.scripted import Fault, Script
from agent.errors import EngineError, EngineFailed, EngineHung, ModelMissing, OutOfMemory, WorkerDied
from agent.policy.history import Message
from agent.policy.lease_terms import Form
from agent.workers.models import MindWorker, SttWorker, VoiceWorker

MESSAGES = [Message("system", "be kind"), Message("user", "hello there")]


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


def scripted(engine: str, script: Script | None = None, why: str = "") -> Choice:
    settings = msgspec.to_builtins(script or Script())
    return Choice("scripted", f"agent.engines.scripted:{engine}", settings, why)


def mind(script: Script | None = None, *, deadline_seconds: float = 10.0, why: str = "") -> MindWorker:
    choice = scripted("MindEngine", script, why)
    return MindWorker("mind", lambda _form: choice, load_seconds=10.0, deadline_seconds=deadline_seconds)


async def words(model: MindWorker) -> str:
    async with aclosing(model.reply(MESSAGES)) as results:
        return "".join([result.text async for result in results if isinstance(result, Piece)])


def test_a_mind_replies_in_pieces():
    async def main() -> None:
        model = mind(Script(answers=("well met",)))
        await model.load()
        async with aclosing(model.reply(MESSAGES)) as results:
            assert [result async for result in results] == [PromptRead(4, 2), Piece("well"), Piece(" met")]
        await model.evict()

    run(main())


def test_the_facts_tell_why_a_model_was_chosen_by_itself():
    async def main() -> None:
        model = mind(Script(heavy=True, vram_mib=7), why="the largest that is here")
        facts = await model.load()
        assert (facts.engine, facts.heavy, facts.vram_mib) == ("scripted (the largest that is here)", True, 7)
        await model.evict()

    run(main())


def test_a_model_that_is_evicted_is_not_loaded_and_its_death_is_no_news():
    async def main() -> None:
        deaths: list[EngineError] = []
        model = mind()
        model.on_died = deaths.append
        await model.load()
        assert model.loaded
        await model.evict()
        assert (model.loaded, model.pid, deaths) == (False, 0, [])
        with pytest.raises(WorkerDied, match="not loaded"):
            await words(model)

    run(main())


def test_a_model_that_dies_is_told_of_and_can_be_loaded_again():
    async def main() -> None:
        died = asyncio.get_running_loop().create_future()
        model = mind()
        model.on_died = died.set_result
        await model.load()
        os.kill(model.pid, signal.SIGKILL)
        assert "SIGKILL" in str(await died)
        assert not model.loaded
        await model.load()
        assert await words(model) == "I see."
        await model.evict()

    run(main())


def test_the_scheduler_hears_of_a_hang_before_the_one_who_asked():
    async def main() -> None:
        heard: list[str] = []
        model = mind(Script(faults=(Fault("hang", call=1),)), deadline_seconds=0.3)
        model.on_died = lambda cause: heard.append(type(cause).__name__)
        await model.load()
        with pytest.raises(EngineHung):
            await words(model)
        assert heard == ["EngineHung"]
        assert not model.loaded

    run(main())


def test_a_model_evicted_while_it_loads_is_gone_at_once():
    async def main() -> None:
        deaths: list[EngineError] = []
        model = mind(Script(faults=(Fault("hang", call=0),)))
        model.on_died = deaths.append
        loading = asyncio.create_task(model.load())
        while not model.pid:  # noqa: ASYNC110  # the moment between spawning and being ready has no event
            await asyncio.sleep(0)
        await model.evict()
        with pytest.raises(WorkerDied, match="was killed"):
            await loading
        assert deaths == []

    run(main())


def test_a_model_whose_process_is_stopped_is_evicted_within_the_second_that_a_yield_may_take():
    async def main() -> None:
        model = mind()
        await model.load()
        pid = model.pid
        os.kill(pid, signal.SIGSTOP)
        async with asyncio.timeout(1.0):
            await model.evict()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    run(main())


def test_a_model_that_is_missing_is_told_to_who_loads_it():
    async def main() -> None:
        deaths: list[EngineError] = []
        model = mind(Script(faults=(Fault("missing", call=0),)))
        model.on_died = deaths.append
        with pytest.raises(ModelMissing):
            await model.load()
        assert (model.loaded, deaths) == (False, [])

    run(main())


def test_a_model_that_does_not_fit_is_loaded_in_a_smaller_form():
    async def main() -> None:
        asked: list[Form] = []

        def choose(form: Form) -> Choice:
            asked.append(form)
            return scripted("MindEngine", Script(faults=(Fault("out_of_memory", call=0),) if form == "full" else ()))

        model = MindWorker("mind", choose, load_seconds=10.0, deadline_seconds=10.0)
        with pytest.raises(OutOfMemory):
            await model.load()
        assert not model.loaded
        await model.load("smaller")
        assert await words(model) == "I see."
        assert asked == ["full", "smaller"]
        await model.evict()

    run(main())


def test_the_light_form_runs_under_our_own_interpreter():
    async def main() -> None:
        model = MindWorker(
            "mind",
            lambda _form: scripted("MindEngine"),
            load_seconds=10.0,
            deadline_seconds=10.0,
            python="/no/python",
        )
        with pytest.raises(EngineFailed, match="/no/python"):
            await model.load("smaller")
        await model.load("light")
        assert model.loaded
        await model.evict()

    run(main())


def test_a_paused_model_waits_and_one_that_is_gone_cannot_be_paused_but_resumed():
    async def main() -> None:
        model = mind(Script(answers=("one two",), delay_seconds=0.01))
        await model.load()
        async with aclosing(model.reply(MESSAGES)) as results:
            await anext(results)
            await model.pause()
            waiting = asyncio.ensure_future(anext(results))
            assert not (await asyncio.wait([waiting], timeout=0.1))[0]
            model.resume()
            assert await waiting == Piece("one")
        await model.pause()
        await model.evict()
        model.resume()
        with pytest.raises(WorkerDied, match="not loaded"):
            await model.pause()

    run(main())


def test_a_reply_that_was_begun_goes_on_after_its_words():
    async def main() -> None:
        model = mind(Script(answers=("one two three",)))
        await model.load()
        async with aclosing(model.reply(MESSAGES, "one two")) as results:
            assert [result async for result in results] == [PromptRead(6, 2), Piece(" three")]
        await model.evict()

    run(main())


def test_a_voice_gives_samples_and_is_hushed_by_closing():
    async def main() -> None:
        paced = Script(delay_seconds=0.005)
        model = VoiceWorker(
            "voice", lambda _form: scripted("VoiceEngine", paced), load_seconds=10.0, deadline_seconds=10.0
        )
        await model.load()
        async with aclosing(model.speak(Speak("hello", speed=2.0))) as sounds:
            assert sum([len(samples) async for samples in sounds]) == 5 * 480 * 2
        async with aclosing(model.speak(Speak("a very long sentence " * 100))) as sounds:
            await anext(sounds)
        assert model.loaded
        await model.evict()

    run(main())


def test_stt_gives_one_transcript_a_segment():
    async def main() -> None:
        script = Script(answers=("good morning",), faults=(Fault("raise", call=3),))
        model = SttWorker("stt", lambda _form: scripted("SttEngine", script), load_seconds=10.0, deadline_seconds=10.0)
        await model.load()
        assert await model.hear(1, b"\0\0") is None
        transcript = await model.transcribe(1, b"\0\0" * 512)
        assert (transcript.segment, transcript.text) == (1, "good morning")
        with pytest.raises(EngineFailed):
            await model.transcribe(2, b"\0\0" * 512)
        await model.evict()

    run(main())
