"""Devices in memory on virtual time."""

from __future__ import annotations

import asyncio

import numpy as np

from agent.clock import Clock, run_virtual
from agent.sound.api import PlaybackEnded, PlaybackStarted
from agent.sound.frame import from_bytes, to_bytes
from agent.sound.virtual import VirtualMicrophone, VirtualRoom

NOISE = np.random.default_rng(3).integers(-9000, 9000, 16_000, dtype=np.int16)


def test_frames_come_when_their_last_sample_has_passed():
    async def listen():
        clock = Clock()
        room = VirtualRoom(NOISE, clock=clock)
        got = []
        async for frame in room.microphone.frames():
            assert abs(frame.captured_at - clock.now()) < 1e-6
            assert abs(clock.now() - (frame.position + 512) / 16_000) < 1e-6
            got.append(from_bytes(frame.samples))
            if len(got) == 40:
                break
        return np.concatenate(got), room.microphone.exhausted.is_set()

    samples, exhausted = run_virtual(listen())
    assert np.array_equal(samples[:16_000], NOISE)
    assert not samples[16_000:].any()
    assert exhausted


def test_positions_begin_anew_at_each_opening_and_the_room_goes_on():
    async def listen():
        room = VirtualRoom(NOISE)
        frames = room.microphone.frames()
        await anext(frames)
        await frames.aclose()
        await asyncio.sleep(0.5 - 0.032)
        return await anext(room.microphone.frames())

    frame = run_virtual(listen())
    assert frame.position == 0
    assert np.array_equal(from_bytes(frame.samples), NOISE[8000:8512])


def test_what_was_played_lies_on_the_time_line_of_the_microphone():
    async def talk():
        room = VirtualRoom(NOISE)
        frames = room.microphone.frames()
        await anext(frames)
        room.loudspeaker.play(1, to_bytes(NOISE[:1600]))
        room.loudspeaker.finish(1)
        notes = room.loudspeaker.playback()
        told = [await anext(notes), await anext(notes)]
        return told, room.loudspeaker.played

    told, played = run_virtual(talk())
    began, ended = told
    assert began == PlaybackStarted(turn=1, started_at=0.032)
    assert ended == PlaybackEnded(turn=1, samples_played=1600, stopped=False)
    assert not played[:512].any()
    assert np.array_equal(played[512 : 512 + 1600], NOISE[:1600])


def test_a_stop_is_silence_within_20_ms():
    async def talk():
        room = VirtualRoom(NOISE)
        room.loudspeaker.play(1, to_bytes(NOISE))
        await asyncio.sleep(0.5)
        room.loudspeaker.stop(1)
        await asyncio.sleep(0.5)
        return room.loudspeaker.played

    assert np.flatnonzero(run_virtual(talk())).max() < 8000 + 320


def test_a_day_of_silence_needs_no_timer():
    async def wait():
        room = VirtualRoom(NOISE[:0])
        await asyncio.sleep(60)
        room.loudspeaker.play(1, to_bytes(NOISE))
        room.loudspeaker.finish(1)
        await asyncio.sleep(24 * 3600)
        return [await anext(room.loudspeaker.playback()) for _ in range(2)]

    assert [note.turn for note in run_virtual(wait())] == [1, 1]


def test_a_microphone_may_fall_dumb_after_its_last_sample():
    async def listen():
        microphone = VirtualMicrophone(Clock(), NOISE[:1000], silence_after=False)
        got = []
        try:
            async with asyncio.timeout(3600):
                async for frame in microphone.frames():
                    got.append(frame.position)  # noqa: PERF401  # the timeout ends it
        except TimeoutError:
            return got

    assert run_virtual(listen()) == [0, 512]
