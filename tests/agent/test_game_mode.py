"""Against a real D-Bus of its own. GameMode itself is a fake, as it may not run where the tests do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import subprocess

import pytest
from dbus_fast import Message, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from agent import game_mode
from agent.clock import Clock, run_virtual
from agent.game_mode import GameMode

NAME, PATH = "com.feralinteractive.GameMode", "/com/feralinteractive/GameMode"
PROPERTIES = "org.freedesktop.DBus.Properties"
PATIENCE_SECONDS = 20
CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={home}/bus</listen>
  <servicedir>{home}</servicedir>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""
# The bus starts this when somebody who does not forbid it calls GameMode.
SERVICE = "[D-BUS Service]\nName={name}\nExec={touch} {home}/started\n"


class SessionBus:
    """A dbus-daemon."""

    def __init__(self, home):
        self.home = home
        (home / "bus.conf").write_text(CONFIG.format(home=home))
        (home / "gamemode.service").write_text(SERVICE.format(name=NAME, touch=shutil.which("touch"), home=home))
        self.start()

    def start(self):
        command = ["dbus-daemon", "--nofork", "--print-address", f"--config-file={self.home}/bus.conf"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout.readline()  # the address: it listens

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        (self.home / "bus").unlink(missing_ok=True)

    @property
    def has_started_game_mode(self):
        return (self.home / "started").exists()


@pytest.fixture
def session_bus(tmp_path, monkeypatch):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    bus = SessionBus(tmp_path)
    yield bus
    bus.stop()


class FakeGameMode:
    """Answers and announces as gamemoded does."""

    def __init__(self, bus, count):
        self._bus = bus
        self.count = count
        self.answer = lambda: Variant("i", self.count)
        """None: it hangs."""
        bus.add_message_handler(self._take)

    def _take(self, message):
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        assert (message.path, message.interface, message.member) == (PATH, PROPERTIES, "Get")
        assert message.body == [NAME, "ClientCount"]
        answer = self.answer()
        return Message.new_method_return(message, "v", [answer]) if answer else True

    async def plays(self, count):
        self.count = count
        changed = [NAME, {"ClientCount": Variant("i", count)}, []]
        await self._bus.send(Message.new_signal(PATH, PROPERTIES, "PropertiesChanged", "sa{sv}as", changed))

    async def die(self):
        self._bus.disconnect()
        with contextlib.suppress(EOFError):  # the bus itself may have ended
            await self._bus.wait_for_disconnect()


@contextlib.asynccontextmanager
async def fake_game_mode(count=0):
    bus = await MessageBus().connect()
    fake = FakeGameMode(bus, count)
    await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
    try:
        yield fake
    finally:
        await fake.die()


class Followed:
    def __init__(self):
        self.counts = asyncio.Queue()

    async def next(self):
        return await asyncio.wait_for(self.counts.get(), PATIENCE_SECONDS)

    async def until(self, count):
        """Wait until so many games are told."""
        while await self.next() != count:
            pass


@contextlib.asynccontextmanager
async def following():
    followed = Followed()
    task = asyncio.create_task(GameMode(followed.counts.put_nowait).run())
    try:
        yield followed
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.usefixtures("session_bus")
def test_games_are_counted_as_they_come_and_go():
    async def main():
        async with fake_game_mode() as game_mode, following() as followed:
            assert await followed.next() == 0
            for count in (1, 2, 1, 0):
                await game_mode.plays(count)
                await followed.until(count)

    asyncio.run(main())


@pytest.mark.usefixtures("session_bus")
def test_games_that_run_already_are_seen():
    async def main():
        async with fake_game_mode(count=2), following() as followed:
            assert await followed.next() == 2

    asyncio.run(main())


@pytest.mark.usefixtures("session_bus")
def test_a_game_mode_that_comes_later_is_seen_and_its_games_end_with_it():
    async def main():
        async with following() as followed:
            assert await followed.next() == 0
            async with fake_game_mode(count=1):
                await followed.until(1)
            await followed.until(0)

    asyncio.run(main())


def test_game_mode_is_not_started_by_asking(session_bus):
    async def main():
        async with following() as followed:
            assert await followed.next() == 0
            # What comes after on the same bus: a start that was asked for before would have happened.
            async with fake_game_mode(count=1):
                await followed.until(1)

    asyncio.run(main())
    assert not session_bus.has_started_game_mode


@pytest.mark.usefixtures("session_bus")
@pytest.mark.parametrize("answer", [None, Variant("s", "many")], ids=["none", "nonsense"])
def test_a_game_mode_that_answers_nothing_of_use_counts_for_nothing(answer, monkeypatch):
    monkeypatch.setattr(game_mode, "_ANSWER_SECONDS", 0.1)

    async def main():
        async with fake_game_mode() as fake, following() as followed:
            assert await followed.next() == 0
            await fake.plays(1)
            await followed.until(1)
            fake.answer = lambda: answer
            await fake.plays(1)
            assert await followed.next() == 0

    asyncio.run(main())


def test_a_bus_that_ends_takes_its_games_along_and_a_new_one_is_followed(session_bus, monkeypatch, caplog):
    monkeypatch.setattr(game_mode, "_AGAIN_SECONDS", 0.01)

    async def main():
        async with following() as followed:
            async with fake_game_mode(count=1):
                await followed.until(1)
                session_bus.stop()
                await followed.until(0)
            session_bus.start()
            async with fake_game_mode(count=1):
                await followed.until(1)

    asyncio.run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("address", [None, "", "unix:path=/nowhere/bus", "nonsense"])
def test_no_session_bus_is_normal_and_silent_and_looked_for_once_a_minute(address, monkeypatch, caplog):
    if address is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        monkeypatch.delenv("DISPLAY", raising=False)
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)

    async def main():
        clock, told = Clock(), []
        task = asyncio.create_task(GameMode(lambda count: told.append((clock.now(), count))).run())
        await asyncio.sleep(130)
        task.cancel()
        return told

    assert run_virtual(main()) == [(0, 0), (60, 0), (120, 0)]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
