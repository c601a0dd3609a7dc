"""Answers of the public port, as bytes made once.

An ingest answer has the same bytes whether its event was counted, repeated, opted out or a bot's (privacy.md A8), so it
is written as one ready string: no header building, no Date, no Server, no cookie or validator. That halves the cost of
a bare aiohttp response (measured: 27,000 against 49,000 requests/s).
"""

from __future__ import annotations

import re
import string
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web

from collector.door.allowance import WINDOW_S

MAX_LISTED = 20
RETRY_AFTER_S = 5

_AS_IT_IS = string.digits + string.ascii_letters + string.punctuation  # all of ASCII that a configured url may have
_TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)

_INGEST_HEADERS = "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n"
_PUBLISHED_HEADERS = "Access-Control-Allow-Origin: *\r\nCache-Control: max-age=300\r\n"
_PRIVATE_HEADERS = "Cache-Control: no-store\r\nCross-Origin-Resource-Policy: same-origin\r\n"  # and no CORS
_PAGE_HEADERS = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"


class Answer:
    """A complete answer that can be sent any number of times; `closing` is its twin that ends the connection."""

    __slots__ = ("_body", "_head", "_sent", "keep_alive", "status")

    def __init__(self, status: int, head: str, body: bytes = b"", *, keep_alive: bool = True) -> None:
        self.status = status
        self.keep_alive = keep_alive
        self._head = head
        self._body = body
        self._sent = self._whole_head + body

    def to(self, method: str) -> bytes:
        """What is sent to a request of this method: no body to HEAD."""
        return self._whole_head if method == "HEAD" else self._sent

    def closing(self) -> Answer:
        """The same answer, after which the connection is closed."""
        return Answer(self.status, self._head, self._body, keep_alive=False) if self.keep_alive else self

    @property
    def _whole_head(self) -> bytes:
        end = "" if self.keep_alive else "Connection: close\r\n"
        return f"{self._head}{end}\r\n".encode()


Handler = Callable[[web.BaseRequest], Awaitable[Answer]]
Routes = Mapping[str, Mapping[str, Handler]]  # path -> method -> handler


def answer(
    status: int,
    body: bytes = b"",
    content_type: str = "application/json",
    more: str = "",
    headers: str = _INGEST_HEADERS,
) -> Answer:
    """Make an answer; `more` is more header lines, each with its line end, `headers` those of ingest answers."""
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{headers}{more}"
    if body:
        head += f"Content-Type: {content_type}\r\nX-Content-Type-Options: nosniff\r\n"
    if status != HTTPStatus.NO_CONTENT:
        head += f"Content-Length: {len(body)}\r\n"
    return Answer(status, head, body)


def leads_to(url: str) -> str:
    """Header lines that lead to a configured url: byte for byte, beyond ASCII as its escapes (RFC 3987, 3.1)."""
    return f"Location: {quote(url, safe=_AS_IT_IS)}\r\nX-Robots-Tag: noindex, nofollow\r\n"


def takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is among the codings that a request takes."""
    return _TAKES_GZIP.search(accept_encoding) is not None


def json_answer(status: int, value: Any, more: str = "") -> Answer:
    """An answer with a JSON body."""
    return answer(status, orjson.dumps(value), more=more)


def published(value: Any) -> Answer:
    """Something that anyone may read, from a page of any site, too; the same for a while."""
    return answer(200, orjson.dumps(value), headers=_PUBLISHED_HEADERS)


def private(value: Any) -> Answer:
    """Something that only who asked may read: pages of other sites get nothing of it, nobody keeps it."""
    return answer(200, orjson.dumps(value), headers=_PRIVATE_HEADERS)


def page(text: str, policy: str) -> Answer:
    """A page for people, under that Content-Security-Policy."""
    more = f"Content-Security-Policy: {policy}\r\n"
    return answer(200, text.encode(), "text/html; charset=utf-8", more, _PAGE_HEADERS)


def error(status: int, code: str, message: str, field: str | None = None, more: str = "") -> Answer:
    """An error body of our own: a code from a closed list and a sentence, never a byte of the request."""
    return json_answer(status, {"error": {"code": code, "field": field, "message": message}}, more)


def preflight(*headers: str) -> Answer:
    """What a browser is told that asks before it sends; `headers` are those a page may set."""
    return answer(
        204,
        more="Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
        f"Access-Control-Allow-Headers: {', '.join(headers)}\r\nAccess-Control-Max-Age: 86400\r\n",
    )


COUNTED = answer(204)
GIF = answer(
    200,
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    content_type="image/gif",
)
PREFLIGHT = preflight("Content-Type")
HEALTHY = json_answer(200, {"status": "ok"})

BAD_REQUEST = error(400, "bad_request", "the request is not well-formed HTTP/1.1").closing()
OTHER_PROTOCOL = error(400, "bad_request", "only HTTP/1.1 and HTTP/1.0 are spoken here").closing()
NOT_JSON = error(400, "not_json", "the body is a JSON object or an array of at most 100 objects")
BAD_GZIP = error(400, "bad_gzip", "the body is not one whole gzip stream")
NOT_FOUND = error(404, "not_found", "there is nothing here")
METHOD_NOT_ALLOWED = error(405, "method_not_allowed", "this address takes other methods")
TIMEOUT = error(408, "timeout", "the body did not arrive within 5 seconds").closing()
TOO_LARGE = error(413, "too_large", "a body has at most 262144 bytes").closing()
TOO_MANY = error(413, "too_many", "a body has at most 100 events")
UNSUPPORTED = error(415, "unsupported", "a body is application/json or text/plain, plain or gzip").closing()
MISDIRECTED = error(421, "misdirected", "this host name is not served here").closing()
BROKEN = error(500, "internal", "something went wrong here; the event may not have been counted").closing()
LIMITED = error(
    429, "too_fast", "nothing was counted; this network sends too much", more=f"Retry-After: {WINDOW_S}\r\n"
)
UNAVAILABLE = error(
    503, "unavailable", "nothing was counted; try again later", more=f"Retry-After: {RETRY_AFTER_S}\r\n"
)
NO_ROOM = UNAVAILABLE.closing()
