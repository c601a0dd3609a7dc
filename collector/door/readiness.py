"""GET /readyz on the public port: whether an event that came now would be taken; /healthz: that a process lives.

    200  {"status": "ready"}
    503  {"status": "not_ready", "reason": "no_room" | "slow_disk"}

It asks the spool's thread as an event would, but writes nothing: that the disk has room for more, and that it answers
at all. Whoever asks meanwhile gets the same look's answer, so that asking often costs nothing. It tells no number, and
nothing that a 503 to an event would not tell. Called by whatever spreads the load or watches the machine.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from collector.door.answers import RETRY_AFTER_S, Answer, Routes, json_answer
from collector.door.receive import Receiver
from collector.errors import InDoubt, Unavailable

PATH = "/readyz"
PATIENCE_S = 1.0
READY = json_answer(200, {"status": "ready"})


def _not_ready(reason: str) -> Answer:
    more = f"Retry-After: {RETRY_AFTER_S}\r\n"
    return json_answer(503, {"status": "not_ready", "reason": reason}, more)


NO_ROOM = _not_ready("no_room")
SLOW_DISK = _not_ready("slow_disk")


class Readiness:
    """The route's handler."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._look: asyncio.Future[None] | None = None

    def routes(self) -> Routes:
        """The route above."""
        return {PATH: {"GET": self.tell, "HEAD": self.tell}}

    async def tell(self, request: web.BaseRequest) -> Answer:
        """Whether events are taken, within PATIENCE_S."""
        if self._look is None or self._look.done():
            self._look = self._receiver.probe()
            self._look.add_done_callback(lambda look: look.cancelled() or look.exception())  # nobody may wait any more
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._look)
        except (Unavailable, InDoubt):
            return NO_ROOM
        except TimeoutError:
            return SLOW_DISK
        return READY
