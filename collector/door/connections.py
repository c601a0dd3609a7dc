"""The connections of the public port: what is parsed, how long and how many are kept, our own answer to what is broken.

    a line, a header   4,096 bytes        headers      64        a body       5 s, 256 KiB (body.py)
    silence            keepalive_s, 15 s  kept buffers 128 KiB to send and to receive, 64 KiB of answers nobody reads
    connections        4,096, or half of what the process may open: beyond it the longest idle are ended

A connection in a head that does not end is silent: only a whole request ends that. server.py makes them.
"""

from __future__ import annotations

import asyncio
import resource
from heapq import nsmallest
from http import HTTPStatus
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from collector.door.answers import BAD_REQUEST, BROKEN, Handler
from collector.errors import Misconfigured
from collector.log import web_logger

MAX_LINE_BYTES = 4096
MAX_HEADERS = 64
LINGER_S = 1
SOCKET_BYTES = 64 * 1024  # the kernel takes it twice; left alone it keeps up to 4 MB of answers that nobody reads
QUEUED = 2  # requests behind the one that is answered, from which on nothing more is read; aiohttp has 32
MAX_CONNECTIONS = 4_096  # 9 KB each, 113 KB with a body that stalls (measured)
BURST = 2_048  # as many as the backlog holds may come at once, before any are ended
_SHED = 20  # one in so many is ended at once, so that looking for the idlest is seldom


class Connection(web.RequestHandler):
    """A connection whose broken requests get our own answer and leave no trace in a log."""

    __slots__ = ("accepted_at",)

    accepted_at: float

    def __init__(self, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **settings)
        self._max_msg_queue_size, self._msg_queue_resume_size = QUEUED, QUEUED // 2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, when the connection was accepted."""
        self.accepted_at = asyncio.get_running_loop().time()
        super().connection_made(transport)
        if isinstance(self._manager, Connections) and not self._manager.has_room():
            self.force_close()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a whole request to come."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    @property
    def idle_since(self) -> float:
        """Orders connections by when they had their last answer."""
        return self._next_keepalive_close_time

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp calls for a request it cannot parse, and for errors outside the handler."""
        return BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else BROKEN


class Limits(NamedTuple):
    """After how many silent seconds a connection ends; how many there may be, if the process may open twice as many."""

    keepalive_s: float
    connections: int = MAX_CONNECTIONS


class Connections(web.Server):
    """aiohttp's server with our limits."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        if HttpRequestParser is HttpRequestParserPy:  # several CVEs hit only the pure-Python parser
            raise Misconfigured("aiohttp has no C extensions here: install a wheel of it")
        super().__init__(handler)
        self._most = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._shedding: asyncio.Handle | None = None
        self._settings: dict[str, Any] = {
            "logger": web_logger,
            "access_log": None,
            "keepalive_timeout": limits.keepalive_s,
            "lingering_time": LINGER_S,
            "max_line_size": MAX_LINE_BYTES,
            "max_field_size": MAX_LINE_BYTES,
            "max_headers": MAX_HEADERS,
            "auto_decompress": False,
        }

    def __call__(self) -> web.RequestHandler:
        return Connection(self, **self._settings)

    def has_room(self) -> bool:
        """Whether one more connection may stay; from the limit on the longest idle are ended for it."""
        number = len(self._connections)
        if number > self._most and not self._shedding:
            self._shedding = asyncio.get_running_loop().call_soon(self._shed)
        return number <= self._most + min(BURST, self._most // 2)

    def _shed(self) -> None:
        self._shedding = None
        spare = len(self._connections) - self._most + self._most // _SHED
        idle = (each for each in self._connections if isinstance(each, Connection) and each.is_idle)
        for connection in nsmallest(spare, idle, key=lambda each: each.idle_since):
            connection.force_close()
