"""Plausible's events API: what its scripts send becomes native events, without configuration.

    POST /api/event    {"n": "pageview", "u": "https://www.example.org/pricing", "d": "www.example.org", "r": null, ...}

    n | name       pageview -> page_hit; engagement -> page_leave; a goal the site declares -> goal; a click on the
                   address of a declared link or download -> link_click, download; anything else is not counted
    u | url        with h | hashMode the fragment is part of the path
    d | domain     ids or hosts of sites, by commas, each counted once; absent: the host of u
    r | referrer, e (engaged ms, since the last one), sd (scroll depth in percent), p | props | m | meta (for clicks)

A page is on a host of one of the sites that are named. For the others, which only join what several sites count, it is
the same path of theirs, and a referrer of any of them is one of their own, so that a visit begins once.

Of engagement the seconds are rounded, which errs by at most half a second each time and to neither side on the whole;
that a visit began or ended on a page is not said, so bounces and exit pages stay empty. Where pages change without
being loaded, every one comes with the referrer of the first, and counts as an entry. A click counts for the link of
that very address, a site's own before anybody else's.

Every other key is ignored, and nothing of any value is stored that a native event would not store. The answer is 202
"ok", with `x-plausible-dropped: 1` where a site is not registered or a goal not declared; 400 names the key and the
rule. It does not depend on who asks. Fields as of plausible-tracker 0.3.9 and @plausible-analytics/tracker 0.4.6.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from aiohttp import web

from collector.catalogue.registry import Registry, Site
from collector.door.answers import UNAVAILABLE, Answer, Routes, answer, json_answer
from collector.door.caller import Caller
from collector.door.receive import MAX_EVENTS, Receiver
from collector.errors import Unavailable
from collector.reduce.url import split

PATH = "/api/event"
MAX_SITES = MAX_EVENTS  # in one event, which is one of ours for each
MAX_REFERRER = 4096  # characters, as an event of ours may have; a referrer is never a reason to refuse
MAX_ENGAGED_S = 86_400
MAX_SCROLL = 100  # Plausible's own 255 means not known

OK = answer(202, b"ok", "text/plain")
DROPPED = answer(202, b"ok", "text/plain", "x-plausible-dropped: 1\r\n")


class _Wrong(Exception):
    """The request is not one of this API: a key and a rule, never a value."""

    def __init__(self, key: str, rule: str) -> None:
        super().__init__(key)
        self.answer = _errors(key, rule)


class _Told(NamedTuple):
    """What every event of this API says; its sites by id, and how many it names that are unknown."""

    name: str
    url: str
    referrer: str | None
    sites: dict[str, Site]
    unknown: int


class Plausible:
    """Translates; one per worker."""

    def __init__(self, receiver: Receiver, registry: Registry) -> None:
        self._receiver = receiver
        self._owners = {host: site.id for site in registry.sites.values() for host in site.hosts}
        self._sites = {host: registry.sites[owner] for host, owner in self._owners.items()} | registry.sites
        self._links = {(link.property, link.url): link.id for link in registry.links.values()}
        self._product_clicks: dict[str, dict[str, Any]] = {each.url: each.event for each in registry.downloads}
        for link in registry.links.values():
            if link.property in registry.products:
                self._product_clicks[link.url] = {"kind": "link_click", "product": link.property, "link": link.id}

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
            told = self._told(sent)
        except _Wrong as wrong:
            return wrong.answer
        events = self._events(sent, told)
        try:
            rejected = await self._receiver.count(events, caller) if events else []
        except Unavailable:
            return UNAVAILABLE
        dropped = told.unknown + max(len(told.sites) - len(events), 0)
        self._receiver.leave_out("unmapped", dropped)
        if rejected and len(rejected) == len(events):
            return _errors(rejected[0]["field"] or "event", rejected[0]["message"])
        return DROPPED if dropped else OK

    def _told(self, sent: dict[str, Any]) -> _Told:
        """Read what every event must say; raises _Wrong."""
        name, url = _text(sent, "n", "name"), _text(sent, "u", "url")
        referrer = _given(sent, "r", "referrer")
        domains = _given(sent, "d", "domain")
        if domains is None:
            address = split(url)
            domains = address.host if address else ""
        if not isinstance(domains, str):
            raise _Wrong("domain", "must be a string")
        listed = dict.fromkeys(domain for each in domains.split(",") if (domain := each.strip().lower()))
        if not listed or len(listed) > MAX_SITES:
            raise _Wrong("domain", f"must name 1 to {MAX_SITES} sites")
        known = [self._sites[domain] for domain in listed if domain in self._sites]
        return _Told(
            name=name,
            url=_routed(url) if _given(sent, "h", "hashMode") in (True, 1) else url,
            referrer=referrer[:MAX_REFERRER] if isinstance(referrer, str) else None,
            unknown=len(listed) - len(known),
            sites={site.id: site for site in known},
        )

    def _events(self, sent: dict[str, Any], told: _Told) -> list[dict[str, Any]]:
        """The events of ours that it is, one for each site; none if nobody declared such a thing."""
        match told.name:
            case "pageview":
                return [{"kind": "page_hit", **self._page(told, site)} for site in told.sites.values()]
            case "engagement":
                lasted = {"seconds": _seconds(_given(sent, "e")), **_scroll(_given(sent, "sd"))}
                left = {"kind": "page_leave", **lasted, "entry": False, "exit": False}
                return [
                    {**left, "site": site.id, "url": self._at(site, told, told.url)} for site in told.sites.values()
                ]
            case "Outbound Link: Click" | "File Download":
                return self._click(_clicked(sent), told)
        goals = (site.id for site in told.sites.values() if told.name in site.goals)
        return [{"kind": "goal", "site": site, "goal": told.name} for site in goals]

    def _page(self, told: _Told, site: Site) -> dict[str, Any]:
        page = {"site": site.id, "url": self._at(site, told, told.url)}
        return page if told.referrer is None else {**page, "referrer": self._at(site, told, told.referrer)}

    def _at(self, site: Site, told: _Told, url: str) -> str:
        """An address, on this site if it is one of another site that the event names."""
        address = split(url) if len(told.sites) > 1 else None
        owner = self._owners.get(address.host) if address else None
        if address is None or owner == site.id or owner not in told.sites:
            return url
        return f"https://{site.hosts[0]}{address.path or '/'}?{address.query}"

    def _click(self, url: str, told: _Told) -> list[dict[str, Any]]:
        """What a click on that address is: of the sites' own links, or else once what a product declares."""
        own = [(site, link) for site in told.sites if (link := self._links.get((site, url)))]
        if not own and told.sites and (event := self._product_clicks.get(url)):
            return [event]
        return [{"kind": "link_click", "site": site, "link": link} for site, link in own]


def _given(sent: dict[str, Any], *keys: str) -> Any:
    """What the first of these keys that is there holds; null is as good as not there, but false, 0 and {} are."""
    return next((sent[key] for key in keys if sent.get(key) is not None), None)


def _text(sent: dict[str, Any], short: str, long: str) -> str:
    value = _given(sent, short, long)
    if value is None or value == "":
        raise _Wrong(long, "is required")
    if not isinstance(value, str):
        raise _Wrong(long, "must be a string")
    return value


def _routed(url: str) -> str:
    """The address of a page whose router keeps the path in the fragment: /app?a=1#!/pricing is /app/pricing?a=1."""
    address, _, fragment = url.partition("#")
    route, _, query_of_route = fragment.removeprefix("!").partition("?")
    if not route:
        return address
    path, _, query = address.partition("?")
    words = "&".join(filter(None, (query, query_of_route)))
    return f"{path.rstrip('/')}/{route.removeprefix('/')}" + (f"?{words}" if words else "")


def _seconds(engaged_ms: object) -> int:
    """Whole seconds, rounded; 0 for what is no time."""
    if isinstance(engaged_ms, bool) or not isinstance(engaged_ms, int | float) or engaged_ms < 0:
        return 0
    return min(int(engaged_ms / 1000 + 0.5), MAX_ENGAGED_S)


def _scroll(depth: object) -> dict[str, int]:
    """The field for a depth that is known."""
    if isinstance(depth, bool) or not isinstance(depth, int | float) or not 0 <= depth <= MAX_SCROLL:
        return {}
    return {"scroll": round(depth)}


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
