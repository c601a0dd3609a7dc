"""The analyst port as a socket: limits and patience, and answers of our own where aiohttp would answer by itself.

What aiohttp says to a request that it cannot parse, or to an Expect that it does not know, echoes bytes of the request
and names the server; here it is a code of access.py's closed list, and the connection ends. Every request that gets as
far as the application is answered by access.py. The door has limits of its own: its callers are strangers, and send no
questions of 8 KB. assembly.py opens one of these.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import HttpVersion10, HttpVersion11, hdrs, web, web_protocol
from aiohttp.abc import AbstractStreamWriter

from collector.analyst.access import CODES, HEADERS
from collector.log import log, place_of, web_logger

MAX_LINE_BYTES = 8190  # of a question in the address, and of a header: cookies of everything on localhost come along
MAX_HEADERS = 64
KEEPALIVE_S = 15  # also how long a connection may take to say its first request
LINGER_S = 1
SEND_PATIENCE_S = 300  # for who is slow to read a large export
SHUTDOWN_S = 5.0
BACKLOG = 2048
_CONTINUE = "100-continue"
_VERSIONS = (HttpVersion11, HttpVersion10)  # the parser lets 0.9 and 2.0 pass, too
_SETTINGS: dict[str, Any] = {
    "logger": web_logger,
    "access_log": None,
    "keepalive_timeout": KEEPALIVE_S,
    "lingering_time": LINGER_S,
    "max_line_size": MAX_LINE_BYTES,
    "max_field_size": MAX_LINE_BYTES,
    "max_headers": MAX_HEADERS,
}


@asynccontextmanager
async def open_port(app: web.Application, listener: socket.socket) -> AsyncIterator[web.ServerRunner]:
    """Serve an application on a listening socket for the block."""
    started = web.AppRunner(app)
    await started.setup()
    runner = web.ServerRunner(Port(started), shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listener, backlog=BACKLOG).start()
    try:
        yield runner
    finally:
        await runner.cleanup()
        await started.cleanup()


class Port(web.Server):
    """aiohttp's server of a started application, with our limits; makes one connection at a time."""

    def __init__(self, started: web.AppRunner) -> None:
        of_app = started.server
        assert of_app is not None  # noqa: S101 - tells the type checker what setup() makes
        super().__init__(_answered_by(of_app), request_factory=_made_by(of_app))

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **_SETTINGS)


class _Ready(web.StreamResponse):
    """A refusal made once, after which the connection ends."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status=status)
        body = orjson.dumps({"error": {"code": CODES[status]}})
        headers = {**HEADERS, hdrs.CONTENT_TYPE: "application/json", hdrs.CONTENT_LENGTH: len(body)}
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        self._said = f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}Connection: close\r\n\r\n".encode() + body
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send all of it."""
        if request.transport is None:
            raise ConnectionResetError
        request.transport.write(self._said)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


_BAD_REQUEST = _Ready(HTTPStatus.BAD_REQUEST)
_BROKEN = _Ready(HTTPStatus.INTERNAL_SERVER_ERROR)


def _made_by(of_app: web.Server) -> Any:
    """The application's own requests; where aiohttp fails to make one, its own stand-in for what is none."""

    def make(message: Any, *more: Any) -> web.BaseRequest:
        try:
            return of_app.request_factory(message, *more)
        except (ValueError, AttributeError):  # an address whose host is no name; a CONNECT without any
            return of_app.request_factory(web_protocol.ERROR, *more)

    return make


def _answered_by(of_app: web.Server) -> Any:
    """The application's own handler, but for what it should not see, and for what it says by itself."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        expects = request.headers.get(hdrs.EXPECT, _CONTINUE).lower()  # aiohttp fails at one that is no text
        is_none = request.method == web_protocol.ERROR.method
        if is_none or hdrs.UPGRADE in request.headers or request.version not in _VERSIONS or expects != _CONTINUE:
            return _BAD_REQUEST
        try:
            response = await of_app.request_handler(request)
        except web.HTTPException:  # before any route was asked: an Expect that nobody knows
            return _BAD_REQUEST
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: an own answer, and a log line without a value
            log.error("question failed", **place_of(error))
            return _BROKEN
        return response

    return answer


class _Connection(web.RequestHandler):
    """A connection whose broken requests get our own answer and leave no trace in a log."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp calls for a request it cannot parse, and for errors outside the handler."""
        return _BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else _BROKEN

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, to who reads it within a while."""
        try:
            async with asyncio.timeout(SEND_PATIENCE_S):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if request.transport:
                request.transport.abort()
            raise ConnectionResetError from None
