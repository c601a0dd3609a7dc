"""GET /readyz on the analyst port: whether a question that came now would be answered from the database.

    200  {"status": "ready"}
    503  {"status": "not_ready", "reason": "database"}

Anyone may ask, as with /metrics: it tells no number and no reason that an answer of 503 would not tell. It waits
behind the questions that are being answered, a bounded time; who asks meanwhile, or within a second, gets the same
look's answer, so that asking often costs nothing. Events are taken all the same: that is the public port's /readyz.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import orjson
from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.blocking import RunBlocking
from collector.errors import Unavailable

PATIENCE_S = 5.0
FRESH_S = 1.0


class Readiness:
    """The route's handler. `look` raises Unavailable where the database does not answer, in the thread that asks it."""

    def __init__(self, look: Callable[[], None], run_blocking: RunBlocking) -> None:
        self._look = look
        self._run_blocking = run_blocking
        self._looking: asyncio.Future[bool] | None = None
        self._looked_at = 0.0

    def route(self) -> Route:
        """The route above."""
        return Route("GET", "/readyz", Rule.ANYONE, self.tell)

    async def tell(self, request: web.Request) -> web.Response:
        """Whether the database answers, within PATIENCE_S."""
        looking = self._looking
        if looking is None or (looking.done() and time.monotonic() - self._looked_at >= FRESH_S):
            looking = self._looking = asyncio.ensure_future(self._answers())
        try:
            async with asyncio.timeout(PATIENCE_S):
                is_ready = await asyncio.shield(looking)
        except TimeoutError:
            is_ready = False
        said = {"status": "ready"} if is_ready else {"status": "not_ready", "reason": "database"}
        return web.Response(status=200 if is_ready else 503, body=orjson.dumps(said), content_type="application/json")

    async def _answers(self) -> bool:
        try:
            await self._run_blocking(self._look)
        except Unavailable:
            return False
        finally:
            self._looked_at = time.monotonic()
        return True
