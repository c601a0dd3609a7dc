"""The analyst port's live view: how often a property was met in each of the last 30 minutes, as server-sent events.

    GET /api/v1/live?property=ID   text/event-stream: at once, and then every two seconds,
        event: minutes
        data: {"property", "now", "minutes": [30 numbers, oldest first, the last of a minute that is not over], "total"}

Hits of a site, update checks of a product, as workers accepted them (count/minutes.py): totals of a property only, from
memory, never stored. A stream ends after five minutes, so that who asks again is let in again or not; browsers do so by
themselves. It never asks the engine. 503: too many streams are open, of one asker or over all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from aiohttp import web

from collector.analyst.access import ASKER, Route, Rule
from collector.clock import Clock
from collector.count.minutes import LastMinutes
from collector.errors import Unavailable
from collector.stats.refusing import BadQuestion

MAX_STREAMS = 64
MAX_OF_ONE = 16  # so that nobody keeps the others out
EVERY_S = 2.0
LONGEST_S = 300.0
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}  # no proxy may keep it back


class Live:
    """The route's handler; every stream ends when `stop` is set."""

    def __init__(self, minutes: LastMinutes, knows: Callable[[str], bool], clock: Clock, stop: asyncio.Event) -> None:
        self._minutes = minutes
        self._knows = knows
        self._clock = clock
        self._stop = stop
        self._open: Counter[str] = Counter()  # by the name of who watches

    def route(self) -> Route:
        """The route above."""
        return Route("GET", "/api/v1/live", Rule.READER, self.stream)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One property's minutes, again and again."""
        try:
            property_id = self._property(request)
        except BadQuestion as bad:
            said = {"error": {"parameter": bad.parameter, "rule": bad.rule}}
            return web.Response(status=400, body=orjson.dumps(said), content_type="application/json")
        name = request[ASKER].name
        if self._open.total() >= MAX_STREAMS or self._open[name] >= MAX_OF_ONE:
            raise Unavailable("too many live views are open")
        self._open[name] += 1
        response = web.StreamResponse(headers=HEADERS)
        try:
            with suppress(ConnectionResetError):  # whoever listened went away
                await response.prepare(request)
                await self._tell(response, property_id)
        finally:
            self._open[name] -= 1
            self._open += Counter()  # forgets who has none
        return response

    async def _tell(self, response: web.StreamResponse, property_id: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_S):
                while not self._stop.is_set():
                    await response.write(b"event: minutes\ndata: %b\n\n" % self._data(property_id))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), EVERY_S)

    def _data(self, property_id: str) -> bytes:
        now_s = self._clock.now()
        minutes = self._minutes.of(property_id, now_s)
        now = datetime.fromtimestamp(int(now_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return orjson.dumps({"property": property_id, "now": now, "minutes": minutes, "total": sum(minutes)})

    def _property(self, request: web.Request) -> str:
        """The property asked for, if there is one that the asker may see; raises BadQuestion."""
        query = request[ASKER].as_known(request.query.items())
        if any(name != "property" for name, _ in query):
            raise BadQuestion(None, "every parameter must be one of: property")
        match query:
            case [(_, property_id)] if self._knows(property_id):
                return property_id
            case [_]:
                raise BadQuestion("property", "must be the id of a registered site or product")
            case []:
                raise BadQuestion("property", "must be given: the id of a registered site or product")
            case _:
                raise BadQuestion("property", "must be given once")
