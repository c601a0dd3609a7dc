"""What anyone may know of the collector: what it counts and keeps, for programs and for people.

    GET /v1/ledger.json        the ledger, and when today's key dies
    GET /privacy               the same as a page
    GET /.well-known/gpc.json  that Global Privacy Control is respected (its draft specification, section 4)

Ready answers, made anew once a UTC day. Nothing here depends on who asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiohttp import web

from collector.clock import Clock
from collector.door import privacy_page
from collector.door.answers import Answer, Handler, page, published
from collector.door.pages import POLICY
from collector.door.privacy_page import Operator

DAY_S = 86_400


class _Edition(NamedTuple):
    day: int
    ledger: Answer
    page: Answer


class OpenBook:
    """Answers about the collector itself; one per worker."""

    def __init__(self, ledger: dict[str, Any], operator: Operator, clock: Clock) -> None:
        self._ledger = ledger
        self._operator = operator
        self._clock = clock
        self._gpc = published({"gpc": True, "lastUpdate": ledger["opt_out"]["since"]})
        self._edition = self._made(self._today())

    def routes(self) -> dict[str, Handler]:
        """The addresses above."""
        return {
            "/v1/ledger.json": self._ledger_json,
            privacy_page.PATH: self._privacy,
            "/.well-known/gpc.json": self._gpc_json,
        }

    async def _ledger_json(self, request: web.BaseRequest) -> Answer:
        return self._of_today().ledger

    async def _privacy(self, request: web.BaseRequest) -> Answer:
        return self._of_today().page

    async def _gpc_json(self, request: web.BaseRequest) -> Answer:
        return self._gpc

    def _today(self) -> int:
        return int(self._clock.now()) // DAY_S

    def _of_today(self) -> _Edition:
        if self._edition.day != (day := self._today()):
            self._edition = self._made(day)
        return self._edition

    def _made(self, day: int) -> _Edition:
        dies = datetime.fromtimestamp((day + 1) * DAY_S + self._ledger["keeping"]["key_s"], UTC)
        today = {
            "day": datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat(),
            "key_dies_by": dies.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        told = privacy_page.privacy_page(self._ledger, self._operator, dies.strftime("%Y-%m-%d, %H:%M UTC"))
        return _Edition(day, published(self._ledger | {"today": today}), page(told, POLICY))
