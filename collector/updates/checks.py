"""The update check is the ping: who asks for a newer version is answered, and counted by what the request says itself.

    GET /v1/check                                                     our own form
    GET /update/{product}/{platform}/{channel}/appcast.xml            Sparkle, WinSparkle
    GET /update/{product}/{platform}/{channel}/electron/{file}        electron-updater: feeds and files
    GET /update/{product}/{platform}/{channel}/tauri/...              Tauri: dynamic and static
    GET /update/{product}/{platform}/{channel}/velopack/{flags}/{file} Velopack: feeds and packages

Counted or not, the answer is the same and comes: flags that cannot be read are none, a check without a version is
answered, a full disk is nobody's business here. HEAD is not counted. worker.py makes one of these.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote

from aiohttp import web
from aiohttp.hdrs import ACCEPT_ENCODING, RANGE, USER_AGENT

from collector.catalogue.registry import Product, Registry
from collector.catalogue.releases import Place, Releases
from collector.clock import Clock
from collector.door.answers import NOT_FOUND, Answer, Handler, Routes
from collector.door.receive import Receiver
from collector.metrics import Reason
from collector.updates import appcast, electron, native, tauri, velopack
from collector.updates.dated import Dated
from collector.updates.flags import FlagReader, Said, from_headers, from_segment
from collector.updates.shelf import NOTHING_NEWER, Shelf, Target

_BELOW = "/update/{product}/{platform}/{channel}"
PATHS = (
    f"{_BELOW}/{appcast.NAME}",
    f"{_BELOW}/{electron.FOLDER}/{{file}}",
    f"{_BELOW}/{tauri.FOLDER}/{tauri.STATIC}",
    f"{_BELOW}/{tauri.FOLDER}/{{target}}/{{arch}}/{{current_version}}",
    f"{_BELOW}/{velopack.FOLDER}/{{flags}}/{{file}}",
)
_WITH_FILES = (electron.FOLDER, velopack.FOLDER)
WHOLE = "bytes=0-"  # the one range that is the whole file


class _Reply(NamedTuple):
    """What a request is answered with, what it counts, and why nothing where it could have."""

    answer: Dated
    event: dict[str, Any] | None = None
    left_out: Reason | None = None


class Updates:
    """Answers update checks; one per worker."""

    def __init__(
        self, receiver: Receiver, registry: Registry, releases: Releases, reader: FlagReader, clock: Clock
    ) -> None:
        self._receiver = receiver
        self._products = registry.products
        self._reader = reader
        self._clock = clock
        declared = {(each.product, each.version, each.url): each.event for each in registry.downloads}
        places = {each.place for each in releases.releases} | {each.place for each in releases.feeds}
        self._shelves = {
            place: Shelf(
                place,
                (each for each in releases.releases if each.place == place),
                (each for each in releases.feeds if each.place == place),
                declared,
            )
            for place in places
        }

    def routes(self) -> Routes:
        """The addresses above."""
        below: dict[str, Handler] = {"GET": self._answer_below, "HEAD": self._answer_below}
        return {native.PATH: {"GET": self._answer_check, "HEAD": self._answer_check}, **dict.fromkeys(PATHS, below)}

    async def _answer_check(self, request: web.BaseRequest) -> Answer:
        query = request.rel_url.query
        product = self._products.get(query.get("product", ""))
        return await self._answered(request, self._native(product, query, request) if product else None)

    async def _answer_below(self, request: web.BaseRequest) -> Answer:
        segments = [unquote(each) for each in request.rel_url.raw_path.split("/")[2:]]
        shelf = self._shelves.get(Place(*segments[:3])) if len(segments) > len(Place._fields) else None
        return await self._answered(request, self._below(shelf, segments[3:], request) if shelf else None)

    async def _answered(self, request: web.BaseRequest, reply: _Reply | None) -> Answer:
        """Count what there is to count, then answer with the day that it was counted on.

        One look at the clock for both: a client that was told of another day would tell that day again.
        """
        if reply is None:
            return NOT_FOUND
        now_s = self._clock.now()
        if request.method == "GET":
            if reply.event:
                await self._receiver.count_aside(request, reply.event, now_s)
            elif reply.left_out:
                self._receiver.leave_out(reply.left_out)
        return reply.answer.on(now_s, request.headers.get(ACCEPT_ENCODING, ""))

    def _native(self, product: Product, query: Said, request: web.BaseRequest) -> _Reply:
        """The newest for the system and processor that the flags say, or for the system whatever the processor."""
        flags = self._reader.read(product.channels, query, from_headers(request.headers))
        usual = native.DEFAULT_CHANNEL if native.DEFAULT_CHANNEL in product.channels else None
        if (channel := flags.channel or usual) is None:
            return _Reply(NOTHING_NEWER, left_out="unmapped")
        place = Place(product.id, flags.os or "other", channel)
        shelf = self._shelves.get(place._replace(platform=f"{flags.os}-{flags.arch}")) or self._shelves.get(place)
        answer = shelf.newer_than(flags.version) if shelf else NOTHING_NEWER
        return _checked(answer, flags.event(place))

    def _below(self, shelf: Shelf, rest: list[str], request: web.BaseRequest) -> _Reply | None:
        """What is asked for below a place's address; None if there is no such thing."""
        if rest[0] in _WITH_FILES and len(rest) in (2, 3) and (target := shelf.files.get(rest[-1])):
            return _fetched(target, request)
        answer, said = self._asked(shelf, rest, request)
        if answer is None:
            return None
        channels = self._products[shelf.place.product].channels
        flags = self._reader.read(channels, *said, from_headers(request.headers))
        return _checked(answer, flags.event(shelf.place))

    def _asked(self, shelf: Shelf, rest: list[str], request: web.BaseRequest) -> tuple[Dated | None, tuple[Said, ...]]:
        """The answer to a check, and where its flags may stand, the more telling first."""
        query = request.rel_url.query
        match rest:
            case [appcast.NAME]:
                return shelf.feeds.get(appcast.NAME), (query, appcast.from_agent(request.headers.get(USER_AGENT, "")))
            case [tauri.FOLDER, target, arch, version]:
                known = version if self._reader.is_version(version) else None
                return shelf.tauri(target, arch, known), (query, tauri.from_path(target, arch, version))
            case [velopack.FOLDER, *flags, name] if len(flags) <= 1:
                in_path = from_segment(flags[0]) if flags else {}
                return shelf.velopack(name), (in_path, velopack.from_query(query))
        return shelf.feeds.get("/".join(rest)), (query,)


def _checked(answer: Dated, event: dict[str, Any] | None) -> _Reply:
    return _Reply(answer, event, None if event else "unmapped")


def _fetched(target: Target, request: web.BaseRequest) -> _Reply:
    """A file that is fetched whole is a download, if it is declared as one; block maps and ranges are parts of one."""
    if target.event and request.headers.get(RANGE, WHOLE) != WHOLE:
        return _Reply(target.answer, left_out="partial")
    return _Reply(target.answer, target.event)
