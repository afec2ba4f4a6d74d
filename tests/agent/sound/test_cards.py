"""Sound cards, with a PortAudio that is a fake: devices come and go, and callbacks are called by hand."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import DeviceError
from agent.sound import card_loudspeaker, card_microphone
from agent.sound.api import Finish, Found, Lost, Play, PlaybackEnded, PlaybackStarted, Stop
from agent.sound.card_loudspeaker import CardLoudspeaker
from agent.sound.card_microphone import CardMicrophone
from agent.sound.cards import Callback, Format, Port, SoundCards
from agent.sound.device import Captured
from agent.sound.frame import Samples, from_bytes, to_bytes
from agent.sound.names import Device, Direction

NOISE = np.random.default_rng(9).integers(-9000, 9000, 16_000, dtype=np.int16)


class FakePort(Port):
    """Two devices that take one format each."""

    def __init__(self, rate: int = 16_000, channels: int = 1):
        self.rate = rate
        self.channels = channels
        self.there = ["Yeti", "Boombox"]
        self.starts = 0
        self.streams: dict[Direction, Callback] = {}
        self.blocks: dict[Direction, int] = {}

    def start(self) -> None:
        assert not self.streams
        self.starts += 1
        self.listed = [*self.there]

    def stop(self) -> None:
        assert not self.streams

    def devices(self) -> list[Device]:
        kinds = {"Yeti": (1, 0), "Boombox": (0, 1)}
        return [
            Device(i, name, *kinds[name], self.rate, default_input=True, default_output=True)
            for i, name in enumerate(self.listed)
        ]

    def format(self, device: Device, direction: Direction) -> Format:
        assert device.channels(direction)
        return Format(device, self.rate, self.channels)

    def open(self, form: Format, direction: Direction, block: int, callback: Callback):
        if form.device.name not in self.there:
            raise OSError(-9996, "Invalid device")
        assert direction not in self.streams
        self.streams[direction] = callback
        self.blocks[direction] = block
        return lambda: self.streams.pop(direction) and None


class Desktop:
    """A port, its cards, and the clock that everybody reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: FakePort):
        self.now = 100.0
        self.port = port
        self.woken = 0
        self.heard: list[tuple[Samples, float]] = []
        for module in (card_microphone, card_loudspeaker):
            monkeypatch.setattr(module, "monotonic", lambda: self.now)
        self.cards = SoundCards(port, 1.0, self._wake)

    def _wake(self):
        self.woken += 1

    def microphone(self) -> CardMicrophone:
        return CardMicrophone(self.cards, "Yeti")

    def loudspeaker(self) -> CardLoudspeaker:
        return CardLoudspeaker(self.cards, "Boombox", lambda samples, moment: self.heard.append((samples, moment)))

    def hear(self, samples: Samples, age: float = 0.0):
        """The card delivers a block."""
        self.port.streams["microphone"](to_bytes(samples), len(samples) // self.port.channels, age)

    def sound(self, seconds: float, latency: float = 0.03) -> Samples:
        """The card plays on for so long; what it played."""
        played = []
        for _ in range(round(seconds * 100)):
            count = self.port.blocks["loudspeaker"]
            data = self.port.streams["loudspeaker"](b"", count, latency)
            assert data is not None
            assert len(data) == count * 2 * self.port.channels
            played.append(from_bytes(data))
            self.now += 0.01
        return np.concatenate(played)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch):
    return Desktop(monkeypatch, FakePort())


def test_a_block_is_delivered_with_the_moment_it_was_captured(desktop: Desktop):
    microphone = desktop.microphone()
    microphone.open(desktop.now)
    assert desktop.port.blocks["microphone"] == 512
    desktop.hear(NOISE[:512], age=0.004)
    assert desktop.woken == 1
    (captured,) = microphone.advance(desktop.now)
    assert isinstance(captured, Captured)
    assert np.array_equal(captured.samples, NOISE[:512])
    assert captured.ended_at == pytest.approx(99.996)


def test_closing_the_microphone_closes_the_stream(desktop: Desktop):
    microphone = desktop.microphone()
    microphone.open(desktop.now)
    desktop.hear(NOISE[:512])
    microphone.close()
    assert desktop.port.streams == {}
    assert microphone.advance(200.0) == []
    assert microphone.due(512) is None


def test_a_microphone_that_falls_silent_is_lost_and_found_when_it_delivers_again(desktop: Desktop):
    microphone = desktop.microphone()
    microphone.open(desktop.now)
    desktop.port.there = ["Boombox"]
    desktop.now += 1.0
    assert microphone.due(512) == desktop.now
    assert microphone.advance(desktop.now) == [Lost(device='microphone "Yeti"', error="it stopped delivering")]
    starts = desktop.port.starts
    for _ in range(3):
        due = microphone.due(512)
        assert due is not None
        desktop.now = due
        assert microphone.advance(desktop.now) == []
    assert desktop.port.starts == starts + 3
    desktop.port.there = ["Boombox", "Yeti"]
    desktop.now = microphone.due(512) or 0.0
    assert microphone.advance(desktop.now) == []
    desktop.hear(NOISE[:512])
    found, captured = microphone.advance(desktop.now)
    assert found == Found(device='microphone "Yeti"')
    assert isinstance(captured, Captured)


def test_devices_are_not_looked_for_while_a_turn_sounds(desktop: Desktop):
    microphone, loudspeaker = desktop.microphone(), desktop.loudspeaker()
    microphone.open(desktop.now)
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE)), desktop.now)
    desktop.now += 1.0
    microphone.advance(desktop.now)
    desktop.now += 0.5
    microphone.advance(desktop.now)
    assert desktop.port.starts == 1
    assert "microphone" in desktop.port.streams, "the old list may still do"


def test_another_device_is_never_taken_instead(desktop: Desktop):
    with pytest.raises(DeviceError, match="no microphone"):
        CardMicrophone(desktop.cards, "Boombox")


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 1), (44_100, 2)])
def test_a_turn_is_played_at_the_rate_of_the_card_and_told(monkeypatch: pytest.MonkeyPatch, rate: int, channels: int):
    desktop = Desktop(monkeypatch, FakePort(rate, channels))
    loudspeaker = desktop.loudspeaker()
    assert loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE[:8000])), 100.0) == []
    loudspeaker.request(Finish(turn=1), 100.0)
    played = desktop.sound(0.7)[::channels]
    assert desktop.woken == 2
    loud = np.flatnonzero(np.abs(played) > 500)
    assert (loud[-1] - loud[0]) / rate == pytest.approx(0.5, abs=0.01)
    began, ended = loudspeaker.advance(desktop.now)
    assert isinstance(began, PlaybackStarted)
    assert began.started_at == pytest.approx(100.03 + loud[0] / rate, abs=0.003)
    assert ended == PlaybackEnded(turn=1, samples_played=8000, stopped=False)


def test_the_end_is_told_when_it_sounds_not_when_it_was_handed_over(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE[:800])), 100.0)
    loudspeaker.request(Finish(turn=1), 100.0)
    desktop.sound(0.06)
    (began,) = loudspeaker.advance(desktop.now)
    assert isinstance(began, PlaybackStarted)
    assert loudspeaker.due() == pytest.approx(100.08)
    (ended,) = loudspeaker.advance(100.081)
    assert isinstance(ended, PlaybackEnded)


def test_the_reference_is_what_was_played(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE[:1600])), 100.0)
    desktop.sound(0.1)
    loudspeaker.advance(desktop.now)
    assert np.array_equal(np.concatenate([samples for samples, _ in desktop.heard]), NOISE[:1600])
    moments = [moment for _, moment in desktop.heard]
    assert np.diff(moments) == pytest.approx([0.01] * 9)
    assert 99.9 < moments[0] <= 100.03


def test_a_stop_is_picked_up_by_the_next_block_and_fades(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE)), 100.0)
    desktop.sound(0.2)
    loudspeaker.request(Stop(turn=1), desktop.now)
    assert not desktop.sound(0.1)[256:].any()
    assert PlaybackEnded(turn=1, samples_played=3456, stopped=True) in loudspeaker.advance(desktop.now)


def test_the_stream_of_the_loudspeaker_runs_only_while_it_is_needed(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    assert desktop.port.streams == {}
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE[:160])), desktop.now)
    loudspeaker.request(Finish(turn=1), desktop.now)
    desktop.sound(0.1)
    loudspeaker.advance(desktop.now)
    desktop.sound(1.9)
    loudspeaker.advance(desktop.now)
    assert "loudspeaker" in desktop.port.streams
    desktop.sound(0.2)
    loudspeaker.advance(desktop.now)
    assert desktop.port.streams == {}
    assert loudspeaker.due() is None
    loudspeaker.request(Play(turn=2, samples=to_bytes(NOISE[:160])), desktop.now)
    assert np.array_equal(desktop.sound(0.01), NOISE[:160])


def test_a_turn_without_a_sample_ends_without_opening_anything(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    assert loudspeaker.request(Finish(turn=1), 100.0) == [PlaybackEnded(turn=1, samples_played=0, stopped=False)]
    assert loudspeaker.request(Stop(turn=2), 100.0) == [PlaybackEnded(turn=2, samples_played=0, stopped=True)]
    assert desktop.port.streams == {}


def test_a_loudspeaker_that_stalls_ends_the_turn_and_no_later_turn_hangs(desktop: Desktop):
    loudspeaker = desktop.loudspeaker()
    loudspeaker.request(Play(turn=1, samples=to_bytes(NOISE)), desktop.now)
    desktop.sound(0.1)
    loudspeaker.advance(desktop.now)
    desktop.port.there = ["Yeti"]
    desktop.now += 1.1
    lost, ended = loudspeaker.advance(desktop.now)
    assert lost == Lost(device='loudspeaker "Boombox"', error="it stopped delivering")
    assert ended == PlaybackEnded(turn=1, samples_played=1600, stopped=True)
    (refused,) = loudspeaker.request(Play(turn=2, samples=to_bytes(NOISE)), desktop.now)
    assert refused == PlaybackEnded(turn=2, samples_played=0, stopped=True)
    desktop.port.there = ["Yeti", "Boombox"]
    desktop.now += 0.5
    assert loudspeaker.advance(desktop.now) == []
    desktop.sound(0.01)
    assert loudspeaker.advance(desktop.now) == [Found(device='loudspeaker "Boombox"')]
    loudspeaker.request(Play(turn=3, samples=to_bytes(NOISE[:160])), desktop.now)
    assert np.array_equal(desktop.sound(0.01), NOISE[:160])
