"""The analyst port's route for what `collector doctor` says, for admins only.

    GET /api/v1/doctor   {"lines": [{"name", "state": "ok" | "warn" | "FAIL", "tells", "todo"}]}

It is looked at in the loader's thread, which owns the disk and the database. 503: the loader is busy for long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.blocking import Bounded, RunBlocking
from collector.errors import Unavailable

BASE = "/api/v1/doctor"


class DoctorRoutes:
    """The route's handler; `examine` answers as above, and may raise OSError."""

    def __init__(self, examine: Callable[[], dict[str, Any]], run_loading: RunBlocking) -> None:
        self._examine = examine
        self._thread = Bounded(run_loading)

    def routes(self) -> list[Route]:
        """The route above."""
        return [Route("GET", BASE, Rule.ADMIN, self.tell)]

    async def tell(self, request: web.Request) -> web.Response:
        """Everything that was looked at."""
        try:
            said = await self._thread.run(self._examine)
        except OSError as error:
            raise Unavailable("the disk does not do it") from error
        return web.Response(body=orjson.dumps(said), content_type="application/json")
