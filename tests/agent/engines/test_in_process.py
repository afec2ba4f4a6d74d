from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from agent.clock import Clock, run_virtual
from agent.engines.api import Frame, Piece, Speak, VoiceBegan
from agent.engines.in_process import ScriptedEar, ScriptedMind, ScriptedStt, ScriptedVoice
from agent.engines.scripted import Fault, How, Script
from agent.errors import EngineError, EngineFailed, EngineHung, ModelMissing, OutOfMemory, WorkerDied
from agent.policy.history import Message

MESSAGES = [Message("user", "hello")]


async def words(mind: ScriptedMind) -> str:
    async with aclosing(mind.reply(MESSAGES)) as results:
        return "".join([result.text async for result in results if isinstance(result, Piece)])


def test_loading_and_answering_take_the_time_of_the_script():
    async def main() -> None:
        clock = Clock()
        mind = ScriptedMind(Script(answers=("one two",), load_seconds=2.0, delay_seconds=0.5))
        await mind.load()
        assert clock.now() == pytest.approx(2.0)
        assert await words(mind) == "one two"
        assert clock.now() == pytest.approx(3.5)
        assert mind.asked == [MESSAGES]

    run_virtual(main())


def test_a_model_answers_one_request_at_a_time():
    async def main() -> None:
        clock = Clock()
        mind = ScriptedMind(Script(answers=("one", "two"), delay_seconds=1.0))
        await mind.load()
        assert await asyncio.gather(words(mind), words(mind)) == ["one", "two"]
        assert clock.now() == pytest.approx(4.0)

    run_virtual(main())


def test_a_model_that_is_not_loaded_answers_nothing():
    async def main() -> None:
        mind = ScriptedMind()
        with pytest.raises(WorkerDied, match="not loaded"):
            await words(mind)
        await mind.load()
        await mind.evict()
        with pytest.raises(WorkerDied, match="was stopped"):
            await words(mind)

    run_virtual(main())


@pytest.mark.parametrize(
    ("how", "error", "stays"),
    [
        ("raise", EngineFailed, True),
        ("hang", EngineHung, False),
        ("freeze", EngineHung, False),
        ("exit", WorkerDied, False),
        ("kill", WorkerDied, False),
        ("garbage", WorkerDied, False),
    ],
)
def test_faults_end_as_those_of_a_process_do(how: How, error: type[EngineError], *, stays: bool):
    async def main() -> None:
        deaths: list[EngineError] = []
        mind = ScriptedMind(Script(faults=(Fault(how, call=1, results=1),)), deadline_seconds=3.0)
        mind.on_died = deaths.append
        await mind.load()
        with pytest.raises(error):
            await words(mind)
        assert mind.loaded is stays
        assert len(deaths) == (not stays)
        await mind.load()
        assert await words(mind) == "I see."
        assert mind.loads == 2

    run_virtual(main())


def test_a_hang_lasts_until_the_deadline():
    async def main() -> None:
        clock = Clock()
        mind = ScriptedMind(Script(faults=(Fault("hang", call=1),)), deadline_seconds=3.0)
        await mind.load()
        with pytest.raises(EngineHung):
            await words(mind)
        assert clock.now() == pytest.approx(3.0)

    run_virtual(main())


def test_a_hanging_model_that_is_cancelled_dies_after_a_quarter_of_a_second():
    async def main() -> None:
        clock = Clock()
        mind = ScriptedMind(Script(faults=(Fault("hang", call=1),)))
        await mind.load()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await words(mind)
        assert clock.now() == pytest.approx(1.25)
        assert not mind.loaded

    run_virtual(main())


@pytest.mark.parametrize(
    ("how", "error"),
    [("missing", ModelMissing), ("out_of_memory", OutOfMemory), ("hang", EngineHung), ("kill", WorkerDied)],
)
def test_loading_fails_as_the_script_says(how: How, error: type[Exception]):
    async def main() -> None:
        mind = ScriptedMind(Script(faults=(Fault(how, call=0),)))
        with pytest.raises(error):
            await mind.load()
        assert not mind.loaded

    run_virtual(main())


def test_a_model_evicted_while_it_loads_or_answers_tells_who_waits():
    async def main() -> None:
        mind = ScriptedMind(Script(load_seconds=5.0, delay_seconds=5.0))
        for waiting in (mind.load, lambda: words(mind)):
            task = asyncio.create_task(waiting())
            await asyncio.sleep(1.0)
            await mind.evict()
            with pytest.raises(WorkerDied):
                await task
            await mind.load()

    run_virtual(main())


def test_a_model_that_dies_at_any_moment_tells_who_waits():
    async def main() -> None:
        deaths: list[EngineError] = []
        voice = ScriptedVoice(Script(delay_seconds=5.0))
        voice.on_died = deaths.append
        await voice.load()
        sounds = voice.speak(Speak("hello"))
        task = asyncio.ensure_future(anext(sounds))
        await asyncio.sleep(1.0)
        voice.die()
        with pytest.raises(WorkerDied):
            await task
        assert len(deaths) == 1

    run_virtual(main())


def test_a_paused_model_gives_nothing_until_it_is_resumed():
    async def main() -> None:
        clock = Clock()
        mind = ScriptedMind(Script(answers=("one two",), delay_seconds=0.5))
        await mind.load()
        results = mind.reply(MESSAGES)
        await anext(results)
        await mind.pause()
        waiting = asyncio.ensure_future(anext(results))
        await asyncio.sleep(10.0)
        assert not waiting.done()
        mind.resume()
        assert await waiting == Piece("one")
        assert clock.now() == pytest.approx(10.5)

    run_virtual(main())


def test_a_paused_model_that_is_evicted_tells_who_waits_and_is_not_paused_when_it_is_loaded_again():
    async def main() -> None:
        mind = ScriptedMind()
        await mind.load()
        await mind.pause()
        task = asyncio.create_task(words(mind))
        await asyncio.sleep(1.0)
        await mind.evict()
        with pytest.raises(WorkerDied, match="was stopped"):
            await task
        with pytest.raises(WorkerDied):
            await mind.pause()
        await mind.load()
        assert await words(mind) == "I see."

    run_virtual(main())


def test_a_hanging_model_that_is_paused_dies_after_two_seconds():
    async def main() -> None:
        clock = Clock()
        deaths: list[EngineError] = []
        mind = ScriptedMind(Script(faults=(Fault("hang", call=1),)))
        mind.on_died = deaths.append
        await mind.load()
        task = asyncio.create_task(words(mind))
        await asyncio.sleep(1.0)
        with pytest.raises(WorkerDied, match="stand still"):
            await mind.pause()
        with pytest.raises(WorkerDied):
            await task
        assert clock.now() == pytest.approx(3.0)
        assert len(deaths) == 1

    run_virtual(main())


def test_a_model_fits_in_the_forms_of_the_script_and_a_light_one_takes_no_gpu_memory():
    async def main() -> None:
        mind = ScriptedMind(Script(fits=("smaller", "light"), vram_mib=4000, heavy=True))
        with pytest.raises(OutOfMemory):
            await mind.load()
        assert mind.pid == 0
        smaller = await mind.load("smaller")
        assert (smaller.vram_mib, smaller.heavy, mind.form) == (2000, True, "smaller")
        before = mind.pid
        light = await mind.load("light")
        assert (light.vram_mib, light.heavy, mind.form) == (0, False, "light")
        assert mind.pid not in (0, before)

    run_virtual(main())


def test_a_reply_that_was_begun_goes_on_with_the_same_answer():
    async def main() -> None:
        mind = ScriptedMind(Script(answers=("one two three", "four")))
        await mind.load()
        assert await words(mind) == "one two three"
        async with aclosing(mind.reply(MESSAGES, "one")) as results:
            rest = [result.text async for result in results if isinstance(result, Piece)]
        assert rest == [" two", " three"]
        assert await words(mind) == "four"
        assert mind.begun == ["", "one", ""]

    run_virtual(main())


def test_stt_gives_the_texts_of_the_script_in_turn():
    async def main() -> None:
        stt = ScriptedStt(Script(answers=("one", "two")))
        await stt.load()
        assert await stt.hear(1, b"") is None
        assert [(await stt.transcribe(segment, b"")).text for segment in (1, 2)] == ["one", "two"]

    run_virtual(main())


def test_an_ear_hears_loudness_until_it_dies():
    async def main() -> None:
        ear = ScriptedEar()
        voice = (9000).to_bytes(2, "little") * 512
        ear.feed(Frame(0, voice, 0.032))
        notes = ear.notes()
        assert await anext(notes) == VoiceBegan(1, voice)
        ear.die()
        with pytest.raises(WorkerDied):
            await anext(notes)

    run_virtual(main())
