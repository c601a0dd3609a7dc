"""What you see of me: the cells that this very request would be counted in, told to whoever sends it.

    GET /v1/what-you-see-of-me?kind=KIND&FIELD=VALUE...   as JSON
    GET /what-you-see-of-me?...                           as a page

Without a kind it is a hit of the first page of the site that the Host header names. The judge and the cells are those
that count, so what is named is what would be counted, before the cap on open vocabularies. Whether the caller is new,
how much others were counted and whether the threshold is reached is never told: on a shared address it would be about
somebody else. Nothing is recorded: no mark, no spool, no metric.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.hdrs import HOST

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.clock import Clock
from collector.count.cells import HOUR_S, Cells
from collector.door.answers import Answer, Handler, page, private
from collector.door.judge import Judge
from collector.door.pages import POLICY
from collector.door.seen_page import JSON_PATH, PATH, seen_page
from collector.errors import Refused
from collector.event import Event

DEFAULT_KIND = "page_hit"

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_FLAGS = {"true": True, "false": False}

Seen = dict[str, Any]


class Seeing:
    """Tells callers what of them would be counted; one per worker."""

    def __init__(self, judge: Judge, declarations: Declarations, registry: Registry, clock: Clock) -> None:
        self._judge = judge
        self._declarations = declarations
        self._sites = registry.sites
        self._clock = clock

    def routes(self) -> dict[str, Handler]:
        """The addresses above."""
        return {JSON_PATH: self._told, PATH: self._shown}

    async def _told(self, request: web.BaseRequest) -> Answer:
        return private(self._seen(request))

    async def _shown(self, request: web.BaseRequest) -> Answer:
        return page(seen_page(self._seen(request)), POLICY)

    def _seen(self, request: web.BaseRequest) -> Seen:
        """What was understood, why it would not be counted, or the cells it would be counted in."""
        sent = self._event_of(request)
        caller = self._judge.caller(request)
        seen: Seen = {"event": None, "counted": False, "reason": None, "refused": None, "cells": []}
        try:
            judged = self._judge.event(sent, caller, self._judge.sender(caller), self._clock.now())
        except Refused as refused:
            return seen | {"refused": {"code": refused.code, "field": refused.field, "message": refused.rule}}
        understood: Seen = {"kind": sent["kind"], "property": sent.get("site") or sent["product"], "hour": None}
        if isinstance(judged, str):
            return seen | {"event": understood, "reason": judged}
        understood["hour"] = _hour(judged.hour * HOUR_S)
        return seen | {"event": understood, "counted": True, "cells": self._cells(judged)}

    def _cells(self, event: Event) -> list[Seen]:
        """The cells of one event, as the loader would make them."""
        cells = Cells(self._declarations.layouts)
        cells.add(event, marks=0, epoch=0)
        told = []
        for day in cells.days().values():
            for key, counters in day.items():
                report = self._declarations.reports[key.report]
                bucket = _hour(key.bucket)
                told.append(
                    {
                        "report": report.name,
                        "question": report.question,
                        "bucket": bucket if report.grain == "hour" else bucket[: len("2026-01-01")],
                        "dimensions": dict(zip(report.by, key.values, strict=True)),
                        "adds": {"events": counters.events, "amount": counters.amount},
                        "amount": report.amount,
                    }
                )
        return told

    def _event_of(self, request: web.BaseRequest) -> dict[str, Any]:
        """The event that the query spells out, each field read as its kind's schema wants it."""
        query = request.rel_url.query
        kind = query.get("kind", DEFAULT_KIND)
        fields = self._declarations.kinds.get(kind, {}).get("properties", {})
        event = {name: _read(text, fields.get(name, {}).get("type")) for name, text in query.items()} | {"kind": kind}
        if kind == DEFAULT_KIND and self._sites:
            host = request.headers.get(HOST, "").partition(":")[0].lower()
            of_host = (site for site in self._sites.values() if host in site.hosts)
            site = self._sites.get(event.setdefault("site", next(of_host, next(iter(self._sites.values()))).id))
            if site:
                event.setdefault("url", f"https://{host if host in site.hosts else site.hosts[0]}/")
        return event


def _read(text: str, kind: str | None) -> Any:
    """A value of a query as JSON would have it; one that cannot be it stays text, and is refused as such."""
    if kind == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "boolean":
        return _FLAGS.get(text, text)
    if kind == "array":
        return text.split(",") if text else []
    return text


def _hour(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:00:00Z")
