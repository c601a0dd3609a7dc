"""The body of a request, within limits: 256 KiB before and after inflating, five seconds, JSON or text, plain or gzip.

aiohttp's own inflating is off: it accepts a truncated gzip with bytes missing and fails on garbage with a traceback
(measured on 3.14.5). Here a stream must end, once, with nothing behind it.
"""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING

from collector.door.answers import BAD_GZIP, BAD_REQUEST, TIMEOUT, TOO_LARGE, UNSUPPORTED, Answer

MAX_BODY_BYTES = 256 * 1024
BODY_TIMEOUT_S = 5
# text/plain is what sendBeacon sends without a preflight, the form type what `curl -d` says of any body
_TYPES = frozenset({"application/json", "text/plain", "application/x-www-form-urlencoded", ""})
_GZIP = 16 + zlib.MAX_WBITS


class BodyRefused(Exception):
    """The body cannot be read; nothing of it is counted. Carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def body_bytes(request: web.BaseRequest) -> int:
    """How many bytes the body has, or at most has where it does not say; raises BodyRefused for one not to be read."""
    headers = request.headers
    if headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower() not in _TYPES:
        raise BodyRefused(UNSUPPORTED)
    length = headers.get(CONTENT_LENGTH)
    if length is None:
        if headers.get(TRANSFER_ENCODING, "chunked").lower() != "chunked":  # nothing else is decoded here
            raise BodyRefused(BAD_REQUEST)
        return MAX_BODY_BYTES
    size = int(length)
    if size > MAX_BODY_BYTES:
        raise BodyRefused(TOO_LARGE)
    return size


async def read_body(request: web.BaseRequest) -> bytes:
    """The bytes of a body as they were meant; raises BodyRefused."""
    headers = request.headers
    content = request.content
    body = content.read_nowait() if content.is_eof() else await _read_slowly(request)
    if len(body) > MAX_BODY_BYTES:
        raise BodyRefused(TOO_LARGE)
    if CONTENT_ENCODING not in headers:
        return body
    return _inflate(body, ",".join(headers.getall(CONTENT_ENCODING)))


async def _read_slowly(request: web.BaseRequest) -> bytes:
    chunks: list[bytes] = []
    size = 0
    if request.headers.get(EXPECT, "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while chunk := await request.content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise BodyRefused(TOO_LARGE)
    except TimeoutError:
        raise BodyRefused(TIMEOUT) from None
    except web.RequestPayloadError:
        raise BodyRefused(BAD_REQUEST) from None
    return b"".join(chunks)


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
