"""How many games run, as Feral Interactive's GameMode tells it on the session bus.

The interface is that of gamemoded from version 1.4 on (`daemon/gamemode-dbus.c` in its repository): its object has a
property ClientCount, whose changes are announced. The question must not start it where it does not run. That there is
no session bus or no GameMode is normal: then no game runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from dbus_fast import DBusFastError, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus

_LOGGER = logging.getLogger(__name__)

_NAME: Final = "com.feralinteractive.GameMode"
_PATH: Final = "/com/feralinteractive/GameMode"
_SIGNALS: Final = (
    f"type='signal',sender='{_NAME}',path='{_PATH}',member='PropertiesChanged'",
    f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{_NAME}'",
)
_ANSWER_SECONDS: Final = 5.0
"""Who has not answered by then hangs."""
_AGAIN_SECONDS: Final = 60.0
"""Where there was no session bus, the next look for one."""


class GameMode:
    """A routine that follows the number of games."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """`tell` is called with the number of games, at least whenever it has changed."""
        self._tell = tell

    async def run(self) -> None:
        """Follow it until cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, EOFError, DBusFastError) as error:
                _LOGGER.info("no games can be seen: %s", type(error).__name__)
            self._tell(0)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow(self) -> None:
        """Tell the number of games now and after each change. Raises what ended the connection."""
        changed = asyncio.Event()
        async with _session_bus(changed) as (connection, end):
            for rule in _SIGNALS:
                await _subscribe(connection, rule)
            while not end.done():
                changed.clear()
                self._tell(await _games(connection))
                await changed.wait()
            end.result()


@asynccontextmanager
async def _session_bus(changed: asyncio.Event) -> AsyncGenerator[tuple[MessageBus, asyncio.Task[None]]]:
    """A connection and its end; `changed` is set at each signal, and at the end."""

    def note(message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            changed.set()

    connection = await MessageBus(auth_timeout=_ANSWER_SECONDS).connect()
    connection.add_message_handler(note)
    end = asyncio.create_task(connection.wait_for_disconnect(), name="end of the session bus")
    end.add_done_callback(lambda _: changed.set())
    try:
        yield connection, end
    finally:
        connection.disconnect()
        await asyncio.wait({end})


async def _games(connection: MessageBus) -> int:
    """How many games run. Raises OSError, EOFError, DBusFastError."""
    question = Message(
        destination=_NAME,
        path=_PATH,
        interface="org.freedesktop.DBus.Properties",
        member="Get",
        signature="ss",
        body=[_NAME, "ClientCount"],
        flags=MessageFlag.NO_AUTOSTART,
    )
    match await _answer(connection, question):
        case [Variant(value=int(count))]:
            return count
        case _:
            return 0


async def _subscribe(connection: MessageBus, rule: str) -> None:
    """Have signals delivered. Raises OSError, EOFError, DBusFastError."""
    order = Message(
        destination="org.freedesktop.DBus",
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member="AddMatch",
        signature="s",
        body=[rule],
    )
    await _answer(connection, order)


async def _answer(connection: MessageBus, question: Message) -> list[object]:
    """What is answered; nothing if that is an error. Raises OSError, EOFError, DBusFastError."""
    async with asyncio.timeout(_ANSWER_SECONDS):
        answer = await connection.call(question)
    return answer.body if answer.message_type is MessageType.METHOD_RETURN else []
