"""The connections of the public port: what is parsed, how long and how many are kept, our own answer to what is broken.

    a line, a header   4,096 bytes        headers      64        a body       5 s, 256 KiB (body.py)
    silence            keepalive_s, 15 s  kept buffers 128 KiB to send and to receive, 64 KiB of answers nobody reads
    connections        4,096, or half of what the process may open: beyond it the longest idle are ended
    pipelined          four requests in a pass of the loop, of all connections: who waits for his answers goes first
    after a 503        the next request on the connection is read a second or two later
    framing of a body  16 KiB of chunks' heads: a chunk of a letter costs as much as one of a kilobyte
    what is not read   a second after its connection ended

A connection in a head that does not end is silent: only a whole request ends that. Requests are read by aiohttp's
parser and answered here, one after the other. Its own loop (RequestHandler.start) makes a task, a copy of the
context, a writer and a response of each; our answers are ready bytes (answers.py), so only this is left of it: wait
for a request, have it answered, write. Parser, flow control, the queue of pipelined requests and the keep-alive timer
stay aiohttp's. Nothing of a request reaches a log. server.py makes connections.
"""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from heapq import nsmallest
from http import HTTPStatus
from random import random
from typing import Any, NamedTuple, cast

from aiohttp import web, web_protocol
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy, RawRequestMessage
from aiohttp.streams import StreamReader

from collector.door.answers import BAD_REQUEST, Answer, Handler
from collector.errors import Misconfigured
from collector.log import log, place_of, web_logger

MAX_LINE_BYTES = 4096
MAX_HEADERS = 64
LINGER_S = 1
SOCKET_BYTES = 64 * 1024  # the kernel takes it twice; left alone it keeps up to 4 MB of answers that nobody reads
QUEUED = 2  # requests behind the one that is answered, from which on nothing more is read; aiohttp has 32
AT_A_TIME = 4  # pipelined requests in a pass: four batches of 100 are 10 ms, and one group for the disk
# After a 503: without, 2,000 clients who did not wait for Retry-After halved what was counted (measured). Not after a
# 429: on a connection of a proxy the next request may be anybody's.
REST_S = 1.0
MAX_FRAMING_BYTES = 16 * 1024
MAX_PASSED_OVER_BYTES = 512 * 1024  # of a body that nobody reads, before its connection ends
MAX_CONNECTIONS = 4_096  # 9 KB each, 113 KB with a body that stalls (measured)
BURST = 2_048  # as many as the backlog holds may come at once, before any are ended
_SHED = 20  # one in so many is ended at once, so that looking for the idlest is seldom

web_protocol.MAX_MSG_QUEUE_SIZE = QUEUED  # it is no argument of RequestHandler's
_NO_WRITER = cast("AbstractStreamWriter", None)  # a request of ours is never answered through its writer


class Connection(web.RequestHandler):
    """One connection; `answering` raises nothing but ConnectionError, where nothing is to be answered."""

    __slots__ = ("_answering", "_has_ended", "_turns", "accepted_at", "received_bytes")

    accepted_at: float
    received_bytes: int  # since the last answer

    def __init__(self, connections: Connections, answering: Handler, turns: Turns, settings: dict[str, Any]) -> None:
        super().__init__(connections, loop=asyncio.get_running_loop(), **settings)
        self._answering = answering
        self._turns = turns
        self._has_ended = False
        self.received_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, when the connection was accepted."""
        self.accepted_at = self._loop.time()
        super().connection_made(transport)
        is_gone = self.peername is None  # asked for now: later it may be gone, and would be a caller from nowhere
        if is_gone or (isinstance(self._manager, Connections) and not self._manager.has_room()):
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Called with what came; and with nothing, to go on with what came before."""
        self.received_bytes += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it: whether the connection stays
        """Nothing more will come: what came whole is answered before the connection ends."""
        self._has_ended = True
        request = self._current_request
        waiting = [payload for _, payload in self._messages] + ([request.content] if request else [])
        return any(payload.is_eof() for payload in waiting)

    def force_close(self) -> None:
        """End it: what the other side has not read in a while is not kept for it."""
        transport = self.transport
        super().force_close()
        if transport is not None and transport.get_write_buffer_size():
            self._loop.call_later(LINGER_S, transport.abort)

    def framing_bytes(self, payload: StreamReader) -> int:
        """Of what came since the last answer, what is not of this body; to be compared while that is on its way."""
        return self.received_bytes - payload.total_bytes

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a whole request to come."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the other side: for a request, or the rest of one."""
        request = self._current_request
        return self.is_idle if request is None else not request.content.is_eof()

    @property
    def idle_since(self) -> float:
        """Orders connections by when they had their last answer."""
        return self._next_keepalive_close_time

    async def start(self) -> None:
        """Answer requests in the order they come, until one ends the connection. The connection's only task."""
        try:
            while not self._force_close:
                is_pipelined = bool(self._messages)
                if not is_pipelined:
                    await self._arrival()
                if is_pipelined or len(self._messages) > 1:
                    await self._turns.next()
                self._keepalive = await self._serve(*self._next())
                if not self._keepalive or self._close or (self._has_ended and not self._messages):
                    break
                self.received_bytes = 0
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                if self._keepalive_handle is None:
                    self._keepalive_handle = self._loop.call_at(
                        self._next_keepalive_close_time, self._process_keepalive
                    )
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 - the last line of defence: this connection ends, the others live
            log.error("connection failed", **place_of(error))
        finally:
            self.force_close()

    async def _arrival(self) -> None:
        """Wait until a request is there."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _next(self) -> tuple[Any, StreamReader]:
        """The next request and its body; makes room in aiohttp's queue for those behind it."""
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        self._read_on()
        return message, payload

    def _read_on(self) -> None:
        """Read again, if that was paused and there is room."""
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()

    async def _rest(self) -> None:
        """Read nothing more for a while, and be idle: where too many are connected, this one may end."""
        self._pause_reading_for_buffer()
        self._waiter = self._loop.create_future()
        try:
            # Not all of them are to come again at once.
            await asyncio.wait((self._waiter,), timeout=REST_S * (1 + random()))  # noqa: S311 - no secret
        finally:
            self._waiter = None
            self._read_on()

    async def _serve(self, message: Any, payload: StreamReader) -> bool:
        """Answer one request; whether another one may follow."""
        if not isinstance(message, RawRequestMessage):  # aiohttp's note that these bytes are no request
            self._write(BAD_REQUEST, "")
            return False
        task = cast("asyncio.Task[None]", self._task_handler)
        try:
            request = web.BaseRequest(message, payload, self, _NO_WRITER, task, self._loop)
        except (ValueError, AttributeError):  # an address whose host is no name; a CONNECT without any
            self._write(BAD_REQUEST, "")
            return False
        self._current_request = request
        self._request_in_progress = True
        try:
            answer = await self._answering(request)
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:  # a shutdown waits for this request
                self._handler_waiter.set_result(None)
        self._write(answer, message.method)
        # Also where the connection ends: closing it on bytes that nobody read takes the answer away from its reader.
        has_ended = payload.is_eof() or await self._passed_over(payload)
        if has_ended and answer.keep_alive and answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            await self._rest()
        return answer.keep_alive and has_ended

    def _write(self, answer: Answer, method: str) -> None:
        if self.transport is None:
            raise ConnectionResetError
        self.transport.write(answer.to(method))

    async def _passed_over(self, payload: StreamReader) -> bool:
        """Whether what is left of an unread body came to its end in a while, and was not much."""
        began = self.framing_bytes(payload)
        try:
            async with asyncio.timeout(self._lingering_time):
                while not payload.is_eof() and self.received_bytes < MAX_PASSED_OVER_BYTES:
                    await payload.readany()
                    if self.framing_bytes(payload) > began + MAX_FRAMING_BYTES:
                        return False
        except (TimeoutError, web.RequestPayloadError):
            return False
        except RuntimeError:  # how a reader says that the connection is lost
            if self.transport is None:
                return False
            raise
        return payload.is_eof()


class Turns:
    """Pipelined requests of all connections go on in the order they came, AT_A_TIME in each pass of the loop.

    Without it 180 clients who only sent kept all others waiting for three seconds (measured).
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def next(self) -> asyncio.Future[None]:
        """Done when it is one's turn."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._let_on)
        turn = loop.create_future()
        self._waiting.append(turn)
        return turn

    def _let_on(self) -> None:
        for _ in range(min(AT_A_TIME, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # a connection that was cancelled waits no more
                turn.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._let_on)


class Limits(NamedTuple):
    """After how many silent seconds a connection ends; how many there may be, if the process may open twice as many."""

    keepalive_s: float
    connections: int = MAX_CONNECTIONS


class Connections(web.Server):
    """aiohttp's server with our limits."""

    def __init__(self, answering: Handler, limits: Limits) -> None:
        if HttpRequestParser is HttpRequestParserPy:  # several CVEs hit only the pure-Python parser
            raise Misconfigured("aiohttp has no C extensions here: install a wheel of it")
        super().__init__(answering)  # type: ignore[arg-type]  # never called: a Connection does not ask for it
        self._answering = answering
        self._turns = Turns()
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
        return Connection(self, self._answering, self._turns, self._settings)

    def has_room(self) -> bool:
        """Whether one more connection may stay; from the limit on the longest idle are ended for it."""
        number = len(self._connections)
        if number > self._most and not self._shedding:
            self._shedding = asyncio.get_running_loop().call_soon(self._shed)
        return number <= self._most + min(BURST, self._most // 2)

    def _shed(self) -> None:
        self._shedding = None
        spare = len(self._connections) - self._most + self._most // _SHED
        waiting = (each for each in self._connections if isinstance(each, Connection) and each.is_waiting)
        for connection in nsmallest(spare, waiting, key=lambda each: each.idle_since):
            connection.force_close()
