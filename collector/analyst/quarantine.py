"""The analyst port's routes for what could not be counted (collector/quarantine.py), all for admins only.

    GET    /api/v1/quarantine                {"kept": [{name, why, events, size_bytes, since}], "stopped": [name]}
    GET    /api/v1/quarantine/{name}         one of them, and what it holds
    POST   /api/v1/quarantine/{name}/retry   {"name", "loaded", "refused", "waiting", "stopped"}: events
    DELETE /api/v1/quarantine/{name}         what it was; it is deleted for good

"stopped" names frozen files that are in no quarantine: their marker in the database disagrees, or they are damaged.
404: no such file; 409: it cannot be tried again; 503: the loader is busy for long. A request takes no body and no
parameter. Everything runs in the loader's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.blocking import Bounded, RunBlocking
from collector.errors import Unavailable
from collector.quarantine import NotKept, NotTriable, Quarantine, Retried

BASE = "/api/v1/quarantine"


class Keeper(Protocol):
    """The loader, as far as these routes need it."""

    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def stopped(self) -> Collection[Path]: ...
    def retry(self, name: str) -> Retried: ...


class QuarantineRoutes:
    """The routes' handlers."""

    def __init__(self, keeper: Keeper, run_loading: RunBlocking) -> None:
        self._keeper = keeper
        self._thread = Bounded(run_loading)

    def routes(self) -> list[Route]:
        """The routes above."""
        one = f"{BASE}/{{name}}"
        return [
            Route("GET", BASE, Rule.ADMIN, self.list),
            Route("GET", one, Rule.ADMIN, self.show),
            Route("DELETE", one, Rule.ADMIN, self.drop),
            Route("POST", f"{one}/retry", Rule.ADMIN, self.retry),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Everything that is kept."""
        return await self._answer(lambda: listed(self._keeper.quarantine, self._keeper.stopped))

    async def show(self, request: web.Request) -> web.Response:
        """One file and what it holds."""
        name = request.match_info["name"]
        return await self._answer(lambda: self._keeper.quarantine.show(name))

    async def drop(self, request: web.Request) -> web.Response:
        """Delete one for good."""
        name = request.match_info["name"]
        return await self._answer(lambda: asdict(self._keeper.quarantine.drop(name)))

    async def retry(self, request: web.Request) -> web.Response:
        """Load one again, and tell what became of it."""
        name = request.match_info["name"]
        return await self._answer(lambda: {"name": name, **asdict(self._keeper.retry(name))})

    async def _answer(self, ask: Callable[[], dict[str, Any]]) -> web.Response:
        status = HTTPStatus.OK
        try:
            said = await self._thread.run(ask)
        except NotKept as refused:
            status = HTTPStatus.CONFLICT if isinstance(refused, NotTriable) else HTTPStatus.NOT_FOUND
            said = {"error": {"parameter": "name", "rule": str(refused)}}
        except OSError as error:
            raise Unavailable("the disk does not do it") from error
        return web.Response(status=status, body=orjson.dumps(said), content_type="application/json")


def listed(quarantine: Quarantine, stopped: Collection[Path]) -> dict[str, Any]:
    """Everything that is kept, and the frozen files that are stopped, as the API tells it."""
    return {"kept": [asdict(kept) for kept in quarantine.list()], "stopped": sorted(path.name for path in stopped)}
