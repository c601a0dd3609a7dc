"""The analyst port's routes for sealing (collector/sealer.py), for admins only.

    POST /api/v1/seal          seal now what of this node is due
    POST /api/v1/seal/{node}   seal the days of a node that is gone, named by 16 hex digits, but for its last 48 hours

Both answer {"sealed": [{day, node, cells, rows}], "open": [{day, node, due, blocked}], "more"}: while "more" is true
there is more to seal, ask again. Days are ISO dates, `due` a time. 400: no such name, or the node that runs here; 503:
the loader is busy for long. A request takes no body and no parameter. Everything runs in the loader's thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

import orjson
from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.blocking import Bounded, RunBlocking
from collector.errors import Misconfigured, Unavailable
from collector.warehouse.seals import Told
from collector.warehouse.tables import DAY_S

BASE = "/api/v1/seal"
NODE = re.compile(r"[0-9a-f]{16}")


class Sealing(Protocol):
    """The sealer, as far as these routes need it; both raise Misconfigured, Unavailable and OSError."""

    def seal_due(self) -> Told: ...
    def seal_dead(self, node: int) -> Told: ...


class SealRoutes:
    """The routes' handlers."""

    def __init__(self, sealer: Sealing, run_loading: RunBlocking) -> None:
        self._sealer = sealer
        self._thread = Bounded(run_loading)

    def routes(self) -> list[Route]:
        """The routes above."""
        return [
            Route("POST", BASE, Rule.ADMIN, self.due),
            Route("POST", f"{BASE}/{{node}}", Rule.ADMIN, self.dead),
        ]

    async def due(self, request: web.Request) -> web.Response:
        """Seal what is due."""
        return await self._answer(self._sealer.seal_due)

    async def dead(self, request: web.Request) -> web.Response:
        """Seal for a node that is gone."""
        name = request.match_info["node"]
        if not NODE.fullmatch(name):
            return _refused("a node is 16 hex digits, as in its DATA/node")
        return await self._answer(lambda: self._sealer.seal_dead(int(name, 16)))

    async def _answer(self, seal: Callable[[], Told]) -> web.Response:
        try:
            return _json(told_as_json(await self._thread.run(seal)))
        except Misconfigured as refused:
            return _refused(str(refused))
        except OSError as error:
            raise Unavailable("the disk does not do it") from error


def told_as_json(told: Told) -> dict[str, Any]:
    """What sealing did and left, as the API tells it."""
    sealed = [
        {"day": _day(each.day), "node": f"{each.node:016x}", "cells": each.cells, "rows": each.rows}
        for each in told.sealed
    ]
    still = [
        {"day": _day(each.day), "node": f"{each.node:016x}", "due": _time(each.due_s), "blocked": each.blocked}
        for each in told.open
    ]
    return {"sealed": sealed, "open": still, "more": told.more}


def _refused(rule: str) -> web.Response:
    return _json({"error": {"parameter": "node", "rule": rule}}, HTTPStatus.BAD_REQUEST)


def _json(said: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(said), content_type="application/json")


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


def _time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
