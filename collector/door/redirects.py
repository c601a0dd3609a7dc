"""Counting redirects: the configuration's links and downloads, by their ids.

    GET /go/{link}                        302 to the link's url       counts a link_click
    GET /dl/{product}/{version}/{file}    302 to the download's url   counts a download; ?origin= says where it stood

An address that is not exactly one of these is 404: no byte of a request ever stands in a Location. HEAD, prefetches and
ranges that do not begin at 0 are answered and not counted; where counting fails, the answer is the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web

from collector.catalogue.registry import Registry
from collector.door.answers import NOT_FOUND, Answer, Handler, Routes, answer
from collector.door.receive import Receiver


class _Target(NamedTuple):
    """Where an address leads, and the event that going there is."""

    answer: Answer
    event: dict[str, Any]
    origins: frozenset[str]


class Redirects:
    """Leads on; one per worker."""

    def __init__(self, receiver: Receiver, registry: Registry) -> None:
        self._receiver = receiver
        self._targets: dict[str, _Target] = {}
        for link in registry.links.values():
            owner = "site" if link.property in registry.sites else "product"
            event = {"kind": "link_click", owner: link.property, "link": link.id}
            self._targets[f"/go/{link.id}"] = _Target(_found(link.url), event, frozenset())
        for each in registry.downloads:
            event = {"kind": "download", "product": each.product, "version": each.version, "file": each.file}
            origins = registry.products[each.product].origins
            self._targets[f"/dl/{each.product}/{each.version}/{each.file}"] = _Target(_found(each.url), event, origins)

    def routes(self) -> Routes:
        """The addresses above."""
        methods: dict[str, Handler] = {"GET": self._lead, "HEAD": self._point}
        return {"/go/{link}": methods, "/dl/{product}/{version}/{file}": methods}

    async def _lead(self, request: web.BaseRequest) -> Answer:
        target = self._targets.get(request.rel_url.raw_path)
        if target is None:
            return NOT_FOUND
        origin = request.rel_url.query.get("origin")
        told = {"origin": origin} if origin in target.origins else {}
        await self._receiver.count_aside(request, target.event | told)
        return target.answer

    async def _point(self, request: web.BaseRequest) -> Answer:
        target = self._targets.get(request.rel_url.raw_path)
        return target.answer if target else NOT_FOUND


def _found(url: str) -> Answer:
    return answer(302, more=f"Location: {url}\r\nX-Robots-Tag: noindex, nofollow\r\n")
