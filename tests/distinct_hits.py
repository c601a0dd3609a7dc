"""Hits no two of which are alike in what anybody can make up: `-m tests.distinct_hits ADDRESS WHAT FIRST NUMBER`.

    agents    single page hits, each from another agent and address: requests in rows of twenty
    paths     page hits in bodies of a hundred, each of another path, referrer and campaign
    versions  update checks in bodies of a hundred, each of another version

Every answer is read and must be a good one. Called by test_distinct.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice

from collector.tools.wire import connect, hear, request

BATCH = 100
ROW = 20  # requests under way at once: less than a connection may have
_SITE = b"https://www.example.org"


def _hit(path: bytes, more: bytes = b"") -> bytes:
    return b'{"kind":"page_hit","site":"www.example.org","url":"%s%s"%s}' % (_SITE, path, more)


def _caller(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"{number >> 16 & 63 | 128}.{number >> 8 & 255}.{number & 255}.9"}


def _agents(numbers: range) -> Iterator[bytes]:
    for number in numbers:
        agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0"
        yield request(_hit(b"/pricing"), {"User-Agent": agent, **_caller(number)})


def _batches(numbers: range, event: Callable[[int], bytes]) -> Iterator[bytes]:
    for start in numbers[::BATCH]:
        events = b",".join(map(event, range(start, min(start + BATCH, numbers.stop))))
        yield request(b"[" + events + b"]", {"User-Agent": "Mozilla/5.0", **_caller(start)})


def _path(number: int) -> bytes:
    more = b',"referrer":"https://d%d.example.com/","utm_campaign":"c-%d"' % (number, number)
    return _hit(b"/page/%d" % number, more)


def _version(number: int) -> bytes:
    told = b'"channel":"stable","os":"windows","version":"2.%d.%d"' % divmod(number, 10_000)
    return b'{"kind":"update_check","product":"player",%s}' % told


def requests_of(what: str, numbers: range) -> Iterator[bytes]:
    """The requests of these numbers."""
    if what == "agents":
        return _agents(numbers)
    return _batches(numbers, _path if what == "paths" else _version)


def main(address: str, what: str, first: int, number: int) -> None:
    """Send them all."""
    left = requests_of(what, range(first, first + number))
    with connect(address, patience_s=60) as connection:
        while row := list(islice(left, ROW)):
            connection.sendall(b"".join(row))
            heard = b""
            while heard.count(b"HTTP/1.1 ") < len(row) or not heard.endswith((b"\r\n\r\n", b"}")):
                said = hear(connection)
                assert not said.closed
                heard += said.head + b"\r\n\r\n" + said.body
            assert heard.count(b"HTTP/1.1 204 ") + heard.count(b'"rejected":[]}') == len(row), heard[:500]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
