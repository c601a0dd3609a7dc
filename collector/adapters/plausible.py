"""Plausible's events API: what its scripts send becomes native events, without configuration.

    POST /api/event    {"n": "pageview", "u": "https://www.example.org/pricing", "d": "www.example.org", "r": null, ...}

    n | name       pageview -> page_hit; engagement -> page_leave; a goal the site declares -> goal; a click on the
                   address of a declared link or download -> link_click, download; anything else is not counted
    u | url        with h | hashMode the fragment is part of the path
    d | domain     ids or hosts of sites, by commas; absent: the host of u
    r | referrer, e (engaged ms, since the last one), sd (scroll depth in percent), p | props | m | meta (for clicks)

Every other key is ignored, and nothing of any value is stored that a native event would not store. The answer is 202
"ok", with `x-plausible-dropped: 1` where a site is not registered or a goal not declared; 400 names the key and the
rule. It does not depend on who asks. Fields as of plausible-tracker 0.3.9 and @plausible-analytics/tracker 0.4.6.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from collector.catalogue.registry import Registry, Site
from collector.door.answers import UNAVAILABLE, Answer, Routes, answer, json_answer
from collector.door.caller import Caller
from collector.door.receive import Receiver
from collector.errors import Unavailable

PATH = "/api/event"
MAX_SITES = 30  # in one event
MAX_ENGAGED_S = 86_400
MAX_SCROLL = 100  # Plausible's own 255 means not known
CLICKS = ("Outbound Link: Click", "File Download")

OK = answer(202, b"ok", "text/plain")
DROPPED = answer(202, b"ok", "text/plain", "x-plausible-dropped: 1\r\n")


class _Wrong(Exception):
    """The request is not one of this API: a key and a rule, never a value."""

    def __init__(self, key: str, rule: str) -> None:
        super().__init__(key)
        self.answer = _errors(key, rule)


class _Told(NamedTuple):
    """What every event of this API says."""

    name: str
    url: str
    domains: list[str]


class Plausible:
    """Translates; one per worker."""

    def __init__(self, receiver: Receiver, registry: Registry) -> None:
        self._receiver = receiver
        self._sites = {host: site for site in registry.sites.values() for host in site.hosts} | registry.sites
        self._clicks: dict[str, dict[str, Any]] = {}
        for each in registry.downloads:
            told = {"product": each.product, "version": each.version, "file": each.file}
            self._clicks[each.url] = {"kind": "download", **told}
        for link in registry.links.values():
            owner = "site" if link.property in registry.sites else "product"
            self._clicks[link.url] = {"kind": "link_click", owner: link.property, "link": link.id}

    def routes(self) -> Routes:
        """The address above."""
        return {PATH: {"POST": self._receive}}

    async def _receive(self, request: web.BaseRequest) -> Answer:
        return await self._receiver.with_body(request, self._answered)

    async def _answered(self, body: bytes, caller: Caller) -> Answer:
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _errors("body", "must be JSON")
        if not isinstance(sent, dict):
            return _errors("body", "must be an object")
        try:
            told = _told(sent)
            events = list(self._events(sent, told))
        except _Wrong as wrong:
            return wrong.answer
        if dropped := len(told.domains) - len(events):
            self._receiver.leave_out("unmapped", dropped)
        try:
            rejected = await self._receiver.count(events, caller) if events else []
        except Unavailable:
            return UNAVAILABLE
        if rejected and len(rejected) == len(events):
            return _errors(rejected[0]["field"] or "event", rejected[0]["message"])
        return DROPPED if dropped else OK

    def _events(self, sent: dict[str, Any], told: _Told) -> Iterator[dict[str, Any]]:
        """One event for each site that takes it."""
        for domain in told.domains:
            site = self._sites.get(domain)
            event = self._event(sent, told, site) if site else None
            if event:
                yield event

    def _event(self, sent: dict[str, Any], told: _Told, site: Site) -> dict[str, Any] | None:
        if told.name == "pageview":
            referrer = _given(sent, "r", "referrer")
            came_from = {"referrer": referrer} if isinstance(referrer, str) else {}
            return {"kind": "page_hit", "site": site.id, "url": told.url, **came_from}
        if told.name == "engagement":
            leave = {"kind": "page_leave", "site": site.id, "url": told.url, "seconds": _seconds(sent.get("e"))}
            return leave | {"entry": False, "exit": False} | _scroll(sent.get("sd"))
        if told.name in site.goals:
            return {"kind": "goal", "site": site.id, "goal": told.name}
        return self._clicks.get(_clicked(sent)) if told.name in CLICKS else None


def _told(sent: dict[str, Any]) -> _Told:
    """Read what every event must say; raises _Wrong."""
    name, url = _text(sent, "n", "name"), _text(sent, "u", "url")
    domains = _given(sent, "d", "domain")
    if domains is None:
        domains = _host(url)
    if not isinstance(domains, str):
        raise _Wrong("domain", "must be a string")
    listed = [domain for each in domains.split(",") if (domain := each.strip().lower())]
    if not listed or len(listed) > MAX_SITES:
        raise _Wrong("domain", f"must name 1 to {MAX_SITES} sites")
    if _given(sent, "h", "hashMode") in (True, 1):
        url = _routed(url)
    return _Told(name, url, list(dict.fromkeys(listed)))


def _given(sent: dict[str, Any], *keys: str) -> Any:
    """What the first of these keys that is there holds, be it null; None where none is."""
    return next((sent[key] for key in keys if key in sent), None)


def _text(sent: dict[str, Any], short: str, long: str) -> str:
    value = _given(sent, short, long)
    if value is None or value == "":
        raise _Wrong(long, "is required")
    if not isinstance(value, str):
        raise _Wrong(long, "must be a string")
    return value


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def _routed(url: str) -> str:
    """The address of a page whose router keeps the path in the fragment: /app#/pricing is /app/pricing."""
    address, hashed, fragment = url.partition("#")
    route = fragment.removeprefix("!")
    return f"{address.partition('?')[0].rstrip('/')}/{route.removeprefix('/')}" if hashed and route else address


def _seconds(engaged_ms: object) -> int:
    """Whole seconds; a part of one is rounded, so many short ones err by less than half a second each."""
    if isinstance(engaged_ms, bool) or not isinstance(engaged_ms, int | float) or not engaged_ms > 0:
        return 0
    return min(int(engaged_ms / 1000 + 0.5), MAX_ENGAGED_S)


def _scroll(depth: object) -> dict[str, int]:
    known = isinstance(depth, int) and not isinstance(depth, bool) and 0 <= depth <= MAX_SCROLL
    return {"scroll": int(str(depth))} if known else {}


def _clicked(sent: dict[str, Any]) -> str:
    """The address that was clicked on, from the properties: an object, or JSON in a string."""
    properties = _given(sent, "p", "props", "m", "meta")
    if isinstance(properties, str):
        try:
            properties = orjson.loads(properties)
        except orjson.JSONDecodeError:
            return ""
    url = properties.get("url") if isinstance(properties, dict) else ""
    return url if isinstance(url, str) else ""


def _errors(key: str, rule: str) -> Answer:
    return json_answer(400, {"errors": {key: [rule]}})
