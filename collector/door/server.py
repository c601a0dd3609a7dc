"""The public port: its routes, and how it opens and closes; connections.py has its limits.

A route table of our own over connections of our own (connections.py): every answer is one of answers.py, and no code of
aiohttp's that logs a peer or echoes a request is reached.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.hdrs import UPGRADE

from collector.catalogue.registry import Registry
from collector.door.answers import (
    BROKEN,
    GIF,
    HEALTHY,
    LIMITED,
    METHOD_NOT_ALLOWED,
    MISDIRECTED,
    NOT_FOUND,
    OTHER_PROTOCOL,
    PREFLIGHT,
    Answer,
    Handler,
    Routes,
)
from collector.door.body import BodyRefused
from collector.door.connections import SOCKET_BYTES, Connection, Connections, Limits
from collector.door.readiness import PATH as READY
from collector.door.receive import Receiver
from collector.door.tally import FLUSH_EVERY_S, Tally
from collector.errors import InDoubt
from collector.log import log, place_of

# While closing: a request under way has its body within 5 s (body.py). Longer would outlast the supervisor's patience.
DRAIN_S = 6
SHUTDOWN_S = 1
IDLE_GRACE_S = 0.2
FRESH_S = 1.0
DRAIN_POLL_S = 0.01
BACKLOG = 2048
_VERSIONS = (HttpVersion11, HttpVersion10)  # the parser lets 0.9 and 2.0 pass, too
HEALTH = "/healthz"
PROBES = (HEALTH, READY)
UNINSTALL_FIELDS = {"product": "product", "v": "version", "os": "os", "age": "age", "reason": "reason", "id": "id"}


class Door:
    """Serves the public port until closed."""

    def __init__(
        self,
        receiver: Receiver,
        registry: Registry,
        tally: Tally,
        *,
        public_hosts: tuple[str, ...],
        limits: Limits,
        to_read: Mapping[str, Handler] = MappingProxyType({}),
        more: Routes = MappingProxyType({}),
    ) -> None:
        """Where else than at its own addresses the door answers.

        to_read  addresses that only tell something: nothing is counted there
        more     others, with their methods; one with a parameter, as /go/{link}, stands for all that begin as it does,
                 and its handler answers NOT_FOUND for what it does not know
        """
        self._receiver = receiver
        self._sites = registry.sites
        self._tally = tally
        self._hosts = frozenset(public_hosts)
        self.routes: dict[str, Mapping[str, Handler]] = {
            "/v1/events": {"POST": receiver.receive},
            "/v1/pixel.gif": {"GET": self._pixel, "HEAD": self._pixel},
            "/v1/uninstall": {"GET": self._uninstall, "POST": self._uninstall},
            HEALTH: {"GET": _healthz, "HEAD": _healthz},
            **{path: self._to_read(tell) for path, tell in to_read.items()},
            **more,
        }
        self._below = {path.split("/")[1]: methods for path, methods in self.routes.items() if "{" in path}
        self._server = Connections(self._answer, limits)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=SHUTDOWN_S)
        self._site: web.SockSite | None = None
        self._is_closing = False
        self._flushing: asyncio.TimerHandle | None = None

    async def open(self, listener: socket.socket) -> None:
        """Begin to serve a listening socket."""
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            listener.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BYTES)  # of every connection it accepts
        await self._runner.setup()
        self._site = web.SockSite(self._runner, listener, backlog=BACKLOG)
        await self._site.start()
        self._flush()

    async def close(self) -> None:
        """Stop accepting, answer what is under way or still comes on open connections, hand on the last counts."""
        self._is_closing = True
        if self._site:
            await self._site.stop()
        await self._drain()
        await self._runner.cleanup()
        if self._flushing:
            self._flushing.cancel()
        self._tally.flush()

    async def _drain(self) -> None:
        """Let every connection end: after its answer, or idle after a while, a fresh one later than a used one.

        aiohttp's own way would drop bodies that are on their way, and connections whose first request is. What is still
        counted aside of its answer is waited for, too: the metrics have it from here or not at all.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (now := loop.time()) < began + DRAIN_S:
            await asyncio.sleep(DRAIN_POLL_S)  # first of all: what was accepted last becomes a connection here
            if not self._server.connections and not self._receiver.is_counting_aside:
                return
            for connection in self._server.connections:
                if isinstance(connection, Connection) and connection.is_idle:
                    fresh_until = connection.accepted_at + FRESH_S
                    if now > max(began + IDLE_GRACE_S, fresh_until):
                        connection.force_close()

    def _flush(self) -> None:
        self._receiver.lap()
        self._tally.flush()
        self._flushing = asyncio.get_running_loop().call_later(FLUSH_EVERY_S, self._flush)

    async def _answer(self, request: web.BaseRequest) -> Answer:
        if request.protocol.writing_paused and request.transport:  # 64 KiB of answers that nobody reads
            request.transport.abort()
            raise ConnectionResetError
        try:
            answer = await self._route(request)
        except BodyRefused as refused:
            answer = refused.answer
        except (asyncio.CancelledError, ConnectionError):
            raise
        except InDoubt:
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError from None
        except Exception as error:  # noqa: BLE001 - the last line of defence: an own answer, and a log line without a value
            log.error("request failed", **place_of(error))
            answer = BROKEN
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self._tally.refused_body(answer.status)
        if request.keep_alive and request.version.minor and not self._is_closing:
            return answer
        return answer.closing()

    async def _route(self, request: web.BaseRequest) -> Answer:
        if UPGRADE in request.headers or request.version not in _VERSIONS:
            return OTHER_PROTOCOL
        path = request.rel_url.raw_path
        if self._hosts and path not in PROBES and request.host.partition(":")[0].lower() not in self._hosts:
            return MISDIRECTED  # but for probes: they call by address
        methods = self.routes.get(path) or self._below.get(path[1:].partition("/")[0])
        if methods is None:
            return NOT_FOUND
        handler = methods.get(request.method)
        if handler is not None:
            return await handler(request)
        return PREFLIGHT if request.method == "OPTIONS" else METHOD_NOT_ALLOWED

    def _to_read(self, tell: Handler) -> dict[str, Handler]:
        async def told(request: web.BaseRequest) -> Answer:
            return await tell(request) if self._receiver.allows(request) else LIMITED

        return {"GET": told, "HEAD": told, "OPTIONS": _no_preflight}

    async def _pixel(self, request: web.BaseRequest) -> Answer:
        """A page hit of a page without scripts: ?site&p (path or URL) and r, the page's referrer if it is known."""
        query = request.rel_url.query
        page = query.get("p", "/")
        site = self._sites.get(query.get("site", ""))
        if site and page.startswith("/"):
            page = f"https://{site.hosts[0]}{page}"
        event: dict[str, Any] = {"kind": "page_hit", "site": query.get("site", ""), "url": page}
        if "r" in query:
            event["referrer"] = query["r"]
        await self._receiver.count_aside(request, event)
        return GIF

    async def _uninstall(self, request: web.BaseRequest) -> Answer:
        """An uninstaller's last word: ?product&v&os&age&reason."""
        query = request.rel_url.query
        event = {field: query[name] for name, field in UNINSTALL_FIELDS.items() if name in query}
        return await self._receiver.receive_one(request, {"kind": "uninstall", **event})


async def _healthz(request: web.BaseRequest) -> Answer:
    """The supervisor's sockets listen from the start, so a worker that answers means both ports do."""
    return HEALTHY


async def _no_preflight(request: web.BaseRequest) -> Answer:
    """What only tells something takes no request that a browser would ask for first."""
    return METHOD_NOT_ALLOWED
