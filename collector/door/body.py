"""The body of a request, within limits: 256 KiB before and after inflating, five seconds, JSON or text, plain or gzip.

Of all bodies together 64 MiB are in memory at most, counted as they arrive: what somebody says that he will send takes
no room. Those that do not come at once have 48 of them, so that senders who dawdle never crowd out the others.
aiohttp's own inflating is off: it accepts a truncated gzip with bytes missing and fails on garbage with a traceback
(measured on 3.14.5). Here a stream must end, once, with nothing behind it.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import cast

from aiohttp import HttpVersion10, web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING

from collector.door.answers import BAD_GZIP, BAD_REQUEST, NO_ROOM, TIMEOUT, TOO_LARGE, UNSUPPORTED, Answer
from collector.door.connections import MAX_FRAMING_BYTES, Connection

MAX_BODY_BYTES = 256 * 1024
BODY_TIMEOUT_S = 5
MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024  # of bodies that are read or wait for the disk; more are answered 503
MAX_ARRIVING_BYTES = 48 * 1024 * 1024  # the same, for a body that is still on its way
# text/plain is what sendBeacon sends without a preflight, the form type what `curl -d` says of any body
_TYPES = frozenset({"application/json", "text/plain", "application/x-www-form-urlencoded", ""})
_GZIP = 16 + zlib.MAX_WBITS


class BodyRefused(Exception):
    """The body cannot be read; nothing of it is counted. Carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def check_body(request: web.BaseRequest) -> None:
    """Raise BodyRefused for a body whose head says that it is not to be read."""
    headers = request.headers
    if headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower() not in _TYPES:
        raise BodyRefused(UNSUPPORTED)
    length = headers.get(CONTENT_LENGTH)
    if length is None:
        coding = headers.get(TRANSFER_ENCODING, "").lower()  # nothing but chunks is decoded here, and 1.0 has none
        if coding and (coding != "chunked" or request.version == HttpVersion10):
            raise BodyRefused(BAD_REQUEST)
    elif int(length) > MAX_BODY_BYTES:
        raise BodyRefused(TOO_LARGE)


def received_bytes(request: web.BaseRequest) -> int:
    """What a request and its body had on the wire."""
    return cast("Connection", request.protocol).received_bytes


class Bodies:
    """Reads bodies; one per worker. Of each it knows the size only, until that is let go."""

    def __init__(self) -> None:
        self._bytes = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The bytes of a body as they were meant, which take room until let_go; raises BodyRefused."""
        headers = request.headers
        content = request.content
        if content.is_eof():
            body = content.read_nowait()
            self._take(len(body), MAX_IN_FLIGHT_BYTES)
        else:
            body = await self._arriving(request)
        if len(body) <= MAX_BODY_BYTES and CONTENT_ENCODING not in headers:
            return body
        self.let_go(body)
        if len(body) > MAX_BODY_BYTES:
            raise BodyRefused(TOO_LARGE)
        body = _inflate(body, ",".join(headers.getall(CONTENT_ENCODING)))
        self._take(len(body), MAX_IN_FLIGHT_BYTES)
        return body

    def let_go(self, body: bytes) -> None:
        """What was read is done with."""
        self._bytes -= len(body)

    def _take(self, size_bytes: int, most_bytes: int) -> None:
        if self._bytes + size_bytes > most_bytes:
            raise BodyRefused(NO_ROOM)
        self._bytes += size_bytes

    async def _arriving(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        connection, content = cast("Connection", request.protocol), request.content
        began = connection.framing_bytes(content)
        if request.headers.get(EXPECT, "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while len(body) <= MAX_BODY_BYTES and (chunk := await content.readany()):
                    self._take(len(chunk), MAX_ARRIVING_BYTES)
                    body += chunk
                    if connection.framing_bytes(content) > began + MAX_FRAMING_BYTES:
                        raise BodyRefused(BAD_REQUEST)  # noqa: TRY301 - as any other of these
        except BaseException as error:
            self._bytes -= len(body)
            if isinstance(error, TimeoutError):
                raise BodyRefused(TIMEOUT) from None
            if isinstance(error, web.RequestPayloadError):
                raise BodyRefused(BAD_REQUEST) from None
            if request.transport is None:  # the sender has gone
                raise ConnectionResetError from None
            raise
        return bytes(body)


def _inflate(body: bytes, encoding: str) -> bytes:
    if encoding.strip().lower() == "identity":
        return body
    if encoding.strip().lower() != "gzip":
        raise BodyRefused(UNSUPPORTED)
    stream = zlib.decompressobj(_GZIP)
    try:
        data = stream.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise BodyRefused(BAD_GZIP) from None
    if len(data) > MAX_BODY_BYTES:
        raise BodyRefused(TOO_LARGE)
    if not stream.eof or stream.unused_data:
        raise BodyRefused(BAD_GZIP)
    return data
