"""A fake engine for a real worker process: the scripted mind, which goes wrong at the moment that it is told to."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct
from typing_extensions import override

from agent.engines.api import Facts, Reply
from agent.engines.scripted import MindEngine

CLOSE_SECONDS: Final = 0.1
"""So long it takes to end in order, so that it can be hit while it does."""


class Obedient(MindEngine):
    """Takes orders, one a line, from a Unix socket.

    `exit`, and `garbage` on the wire, are done at once; `hang` is wherever it gets to next. An engine that is to hang
    says so on the socket, and again when it does; then it heeds nothing any more.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings` is a `Script`, and `orders`, the path of the socket."""
        script = dict(settings)
        self._path: Final[str] = script.pop("orders")
        super().__init__(script)
        self._orders = socket.socket(socket.AF_UNIX)
        self._is_to_hang = False

    @override
    def load(self, send: Callable[[Struct], None]) -> Facts:
        self._orders.connect(self._path)
        threading.Thread(target=self._obey, daemon=True).start()
        facts = super().load(send)
        self._hang_if_told()
        return facts

    @override
    def handle(self, request: Reply, cancelled: Callable[[], bool]) -> Iterator[Struct]:
        def heed() -> bool:
            gives_up = cancelled()
            self._hang_if_told()
            return gives_up

        try:
            yield from super().handle(request, heed)
        finally:
            self._hang_if_told()

    @override
    def close(self) -> None:
        self._hang_if_told()
        threading.Event().wait(CLOSE_SECONDS)

    def _obey(self) -> None:
        for order in self._orders.makefile():
            match order.strip():
                case "exit":
                    os._exit(0)
                case "garbage":
                    os.write(int(sys.argv[2]), b"\xff" * 64)  # the descriptor of the wire, see `agent/workers/child.py`
                case "hang":
                    self._is_to_hang = True
                    self._orders.sendall(b"will hang\n")
                case unknown:
                    raise ValueError(unknown)

    def _hang_if_told(self) -> None:
        if self._is_to_hang:
            self._orders.sendall(b"hangs\n")
            threading.Event().wait()
