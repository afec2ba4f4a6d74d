from __future__ import annotations

import asyncio
import os
import signal
import wave
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.clock import Clock, monotonic
from agent.engines import catalog
from agent.engines.api import Frame, SegmentEnded, VoiceBegan
from agent.engines.catalog import Choice
from agent.errors import DeviceError, WorkerDied
from agent.settings import SoundSettings
from agent.sound.api import Exhausted, PlaybackEnded, PlaybackStarted
from agent.workers.lasting import EarWorker, SoundWorker

T = TypeVar("T")

SILENCE = bytes(1024)
VOICE = (9000).to_bytes(2, "little") * 512
EAR = Choice("scripted", "agent.engines.scripted:EarEngine")


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


async def waiting(notes: AsyncGenerator[T, None]) -> asyncio.Task[T]:
    """The next note, once somebody waits for it."""

    async def take() -> T:
        return await anext(notes)

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    return task


def hear(ear: EarWorker, *pieces: bytes, start: float = 0.0) -> None:
    for index, samples in enumerate(pieces):
        ear.feed(Frame(index * 512, samples, captured_at=start + (index + 1) * 0.032))


def test_an_ear_finds_a_segment_and_tells_its_end_in_seconds_since_the_start():
    async def main() -> None:
        ear = EarWorker(EAR, Clock(), load_seconds=10.0)
        await ear.start()
        hear(ear, SILENCE, VOICE, VOICE, *[SILENCE] * 7, start=5.0)
        async with aclosing(ear.notes()) as notes:
            assert isinstance(await anext(notes), VoiceBegan)
            end = await anext(note async for note in notes if isinstance(note, SegmentEnded))
        assert end.speech_ended_at == pytest.approx(5.096, abs=1e-6)
        await ear.close()

    run(main())


def test_an_ear_that_dies_ends_its_notes_and_is_as_new_when_started_again():
    async def main() -> None:
        ear = EarWorker(EAR, Clock(), load_seconds=10.0)
        await ear.start()
        reading = await waiting(ear.notes())
        os.kill(ear.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            await reading
        assert "SIGKILL" in str(await ear.died())
        assert not ear.running
        hear(ear, VOICE)  # lost, and no error: who reads the notes knows
        reading = await waiting(ear.notes())
        await ear.start()
        hear(ear, VOICE)
        assert await reading == VoiceBegan(1, VOICE)
        await ear.close()

    run(main())


def write(path: Path, samples: bytes) -> None:
    with wave.open(str(path), "wb") as clip:
        clip.setparams((1, 2, 16_000, 0, "NONE", ""))
        clip.writeframes(samples)


def sound_worker(into: Path, out: Path) -> SoundWorker:
    settings = SoundSettings(microphone=f"wav:{into}", loudspeaker=f"wav:{out}", echo="off")
    return SoundWorker(catalog.sound(settings), Clock(), load_seconds=10.0)


def test_the_real_sound_worker_gives_frames_stamped_in_our_clock_and_plays(tmp_path: Path):
    async def main() -> None:
        write(tmp_path / "in.wav", VOICE * 4)
        sound = sound_worker(tmp_path / "in.wav", tmp_path / "out.wav")
        exhausted = asyncio.get_running_loop().create_future()
        sound.on_device = exhausted.set_result
        await sound.start()
        clock = sound._clock
        began = clock.now()
        async with aclosing(sound.frames()) as frames:
            first = await anext(frames)
            assert (first.position, len(first.samples)) == (0, 1024)
            assert began - 1 < first.captured_at < began + 20
            assert isinstance(await exhausted, Exhausted)
            sound.play(7, VOICE)
            sound.finish(7)
            async with aclosing(sound.playback()) as notes:
                started, ended = await anext(notes), await anext(notes)
        assert isinstance(started, PlaybackStarted)
        assert began <= started.started_at < began + 20
        assert ended == PlaybackEnded(7, 512, stopped=False, underruns=ended.underruns)
        await sound.close()
        with wave.open(str(tmp_path / "out.wav")) as clip:
            assert VOICE in clip.readframes(clip.getnframes())

    run(main())


def test_a_microphone_that_was_closed_can_be_opened_again(tmp_path: Path):
    async def main() -> None:
        write(tmp_path / "in.wav", VOICE * 100)
        sound = sound_worker(tmp_path / "in.wav", tmp_path / "out.wav")
        await sound.start()
        for _ in range(2):
            async with aclosing(sound.frames()) as frames:
                await anext(frames)
        await sound.close()

    run(main())


def test_a_sound_worker_that_dies_ends_frames_and_playback(tmp_path: Path):
    async def main() -> None:
        write(tmp_path / "in.wav", VOICE)
        sound = sound_worker(tmp_path / "in.wav", tmp_path / "out.wav")
        await sound.start()
        frames = sound.frames()
        await anext(frames)
        playback = await waiting(sound.playback())
        os.kill(sound.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            async for _ in frames:
                pass
        with pytest.raises(WorkerDied, match="SIGKILL"):
            await playback
        sound.play(1, VOICE)  # nothing to play on, and no error
        await sound.close()

    run(main())


def test_a_device_that_cannot_be_used_is_a_device_error(tmp_path: Path):
    async def main() -> None:
        sound = sound_worker(tmp_path / "absent.wav", tmp_path / "out.wav")
        with pytest.raises(DeviceError, match=r"absent\.wav"):
            await sound.start()

    run(main())


def test_stamps_go_to_the_worker_in_the_machines_clock():
    async def main() -> None:
        clock = Clock()
        ear = EarWorker(EAR, clock, load_seconds=10.0)
        assert ear._to_monotonic(clock.now()) == pytest.approx(monotonic(), abs=1.0)
        assert ear._to_seconds(ear._to_monotonic(12.5)) == pytest.approx(12.5)

    run(main())
