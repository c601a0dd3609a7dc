"""What is sent: good events of every kind, and everything else a port of the world has to bear, canaries in all of it.

Each request is the pieces it is written in. Most come through a trusted proxy on this machine, so that they have the
canary addresses; the error paths are those that make an ordinary server log the peer, a header or a body: addresses
that are none, NUL in a header's name, TLS on the plain port, bodies too large, too slow, no JSON, torn gzip.
"""

from __future__ import annotations

import gzip
import ipaddress
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from uuid import uuid4

import orjson

from collector.tools.prove.forms import ADDRESS, ADDRESS_6, OTHER_ADDRESS, Words
from collector.tools.wire import request

Pieces = tuple[bytes, ...]
ODD_EVERY = 4  # requests

CONFIGURATION = """\
trusted_proxies = ["127.0.0.1/32"]
keepalive_s = 1

[[site]]
id = "www.example.org"
hosts = ["www.example.org"]
routes = ["/", "/pricing", "/blog/*"]
goals = ["signup"]

[[product]]
id = "player"
versions = ["1.4.2", "1.4.1"]
origins = ["website"]
slots = ["side"]
items = ["skin-pack"]
features = ["subtitles"]

[[link]]
id = "forum"
property = "www.example.org"
url = "https://forum.example.net/"

[[download]]
product = "player"
version = "1.4.2"
file = "player-setup.exe"
url = "https://downloads.example.net/player-1.4.2-setup.exe"
"""
PACKED = ipaddress.ip_address(ADDRESS).packed
_SITE, _PRODUCT = {"site": "www.example.org"}, {"product": "player"}
_PROGRAM = {**_PRODUCT, "version": "1.4.2", "os": "windows"}
_CHECK = {"kind": "update_check", **_PROGRAM, "channel": "stable", "arch": "x86_64", "age": "3"}
_OTHERS: tuple[dict[str, Any], ...] = (
    {"kind": "page_leave", **_SITE, "url": "https://www.example.org/pricing", "seconds": 42, "scroll": 80},
    {"kind": "link_click", **_SITE, "link": "forum"},
    {"kind": "goal", **_SITE, "goal": "signup"},
    {"kind": "download", **_PRODUCT, "version": "1.4.2", "file": "player-setup.exe", "origin": "website"},
    {"kind": "install", **_PROGRAM, "channel": "stable", "outcome": "ok"},
    {**_CHECK, "first": ["day", "week"], "id": str(uuid4())},
    {"kind": "recommendation", **_PRODUCT, "slot": "side", "item": "skin-pack", "shown": 12, "clicked": 1},
    {"kind": "feature_use", **_PRODUCT, "feature": "subtitles", "count": 3},
    {"kind": "uninstall", **_PROGRAM, "age": "3", "reason": "switched"},
)


class Requests:
    """Everything that can be sent with one run's words."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self.hit = orjson.dumps(self.page_hit())
        self._lines = f"Host: localhost\r\nX-Forwarded-For: {ADDRESS}\r\nUser-Agent: {words.user_agent}\r\n".encode()

    def mixed(self, number: int) -> Iterator[Pieces]:
        """So many requests: every fourth of them odd."""
        odd = cycle(self.odd())
        good = cycle(self.good())
        for at in range(number):
            yield (next(good if at % ODD_EVERY else odd),)

    def page_hit(self, **fields: object) -> dict[str, object]:
        """A page hit that carries what must be forgotten in every field that can carry it."""
        words = self._words
        address = f"https://www.example.org/pricing?{words.query}=1&a={words.query}#{words.fragment}"
        referrer = f"https://news.example.com/{words.referrer}?q={words.query}"
        return {"kind": "page_hit", **_SITE, "url": address, "referrer": referrer, **fields}

    def sender(self, address: str = ADDRESS, **more: str) -> dict[str, str]:
        """The headers of a sender at that address."""
        headers = {"X-Forwarded-For": address, "User-Agent": self._words.user_agent, "Cookie": self._words.header}
        return {**headers, "Content-Type": "application/json", **more}

    def good(self) -> list[bytes]:
        """Events that are counted or opted out, of every kind, from every address, in every encoding."""
        word = self._words
        addresses = (ADDRESS, OTHER_ADDRESS, ADDRESS_6, f"{ADDRESS}:4711", f"[{ADDRESS_6}]:1", f"{ADDRESS}, 127.0.0.9")
        whole = [request(self.hit, self.sender(address)) for address in addresses]
        whole += [request(orjson.dumps(event), self.sender(OTHER_ADDRESS)) for event in _OTHERS]
        whole += [request(orjson.dumps([self.page_hit(), *_OTHERS]), self.sender(ADDRESS_6))]
        whole += [request(self.hit, self.sender(**more)) for more in ({"Sec-GPC": "1"}, {"DNT": "1"})]
        whole += [request(self.hit, self.sender(**{"Sec-Purpose": "prefetch"})), request(self.hit)]
        whole += [request(gzip.compress(self.hit), self.sender(**{"Content-Encoding": "gzip"}))]
        more = {"Forwarded": f"for={ADDRESS}", "Referer": f"https://a.b/{word.referrer}", "X-Real-IP": ADDRESS_6}
        whole += [request(self.hit, self.sender(**more))]
        pixel = f"/v1/pixel.gif?site=www.example.org&p=/pricing&r=https://a.example/{word.referrer}"
        whole += [request(method="GET", path=f"{pixel}&{word.query}", headers=self.sender())]
        goodbye = "/v1/uninstall?product=player&v=1.4.2&os=windows"
        whole += [request(method="GET", path=f"{goodbye}&{word.query}=1", headers=self.sender(OTHER_ADDRESS))]
        check = f"/v1/check?product=player&v=1.4.2&os=windows&first=dw&stagingId={word.query}"
        whole += [request(method="GET", path=check, headers=self.sender(**{"x-user-staging-id": word.header}))]
        return whole

    def odd(self) -> list[bytes]:
        """Everything that should not be, in one piece each."""
        return [*self._bodies(), *self._other_requests(), *self._headers(), *self._addresses()]

    def slow(self) -> list[Pieces]:
        """Requests that never come to their end: their sender waits for the answer, or for nothing."""
        unfinished = request(self.hit, self.sender(**{"Content-Length": "9999"}))
        return [(unfinished,), (b"POST /v1/events HTTP/1.1\r\n" + self._lines,)]

    def _addresses(self) -> list[bytes]:
        """Addresses that are none."""
        word = self._words.header
        no_address = (word, f"{ADDRESS}, {word}", f"{ADDRESS} {ADDRESS_6}", f"{ADDRESS}%{word}", "")
        return [request(self.hit, self.sender(address)) for address in no_address]

    def _bodies(self) -> list[bytes]:
        """Events with what must be forgotten in the wrong field, and bodies that are no events."""
        word, hit = self._words.body, self.page_hit
        names = ("kind", "site", "id", "age_s", "test", self._words.field, ADDRESS)
        bad: list[dict[str, object]] = [
            *(hit(**{name: word}) for name in names),
            hit(url=f"https://{word}.example/{ADDRESS}"),
            hit(url=f"https://www.example.org/{word} {ADDRESS}"),
            hit(url=f"https://www.example.org/users/{ADDRESS}/{ADDRESS_6}"),
            hit(referrer=f"https://{ADDRESS}/{word}"),
            hit(referrer=f"https://{word}:{word}@[{ADDRESS_6}]/"),
            hit(referrer=f"{word} {ADDRESS}"),
            hit(test=True),
            {"kind": "goal", **_SITE, "goal": word},
            {**_CHECK, "version": f"9.{int.from_bytes(PACKED)}.0"},
        ]
        bodies = [orjson.dumps(each) for each in bad]
        bodies += [orjson.dumps([hit(), *bad, hit()]), orjson.dumps([word] * 101), word.encode() * 20_000]
        bodies += [b"", word.encode(), self.hit[:-1], b'"' + word.encode() + b'"', self.hit + self.hit]
        bodies += [f'{{"a{ADDRESS}":'.encode() * 2000, b"\xff" + PACKED + self.hit]
        whole = [request(body, self.sender()) for body in bodies]
        zipped = self.sender(**{"Content-Encoding": "gzip"})
        return [*whole, request(gzip.compress(self.hit)[:-3], zipped), request(self.hit, zipped)]

    def _other_requests(self) -> list[bytes]:
        """What is no POST of events: the pixel, the page of an uninstaller, unknown paths, other methods."""
        word, query = self._words.path, self._words.query
        pixel = f"/v1/pixel.gif?site={word}&p=/&r={word}&{query}"
        goodbye = f"/v1/uninstall?product=player&v={word}&os=windows"
        paths = [("GET", pixel), ("GET", goodbye), ("POST", goodbye), ("GET", f"/{word}/{ADDRESS}?{query}")]
        seen = f"what-you-see-of-me?url=https://www.example.org/{word}%3F{query}&canary={word}"
        paths += [("GET", f"/v1/{seen}"), ("GET", f"/{seen}"), ("GET", f"/privacy?{query}")]
        paths += [(method, f"/v1/events?{query}") for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "GET", "TRACE")]
        return [request(method=method, path=path, headers=self.sender()) for method, path in paths]

    def _headers(self) -> list[bytes]:
        """Requests the parser of HTTP refuses or has to bear with."""
        word, hit, sender = self._words.header, self.hit, self.sender
        whole = [request(hit, sender(f"{ADDRESS}{bad}")) for bad in ("\0", "\r\n folded", "\n", "\udcff", "a" * 5000)]
        whole += [request(hit, sender(**{f"X{bad}{word}": ADDRESS})) for bad in ("\0", " ", "é", "(")]
        whole += [request(hit, sender(**{f"X-{n}": f"{ADDRESS} {word}" for n in range(100)}))]
        whole += [request(hit, sender(**more)) for more in ({"Content-Encoding": f"br{word}"}, {"Content-Type": word})]
        whole += [request(hit, sender(**{"Transfer-Encoding": f"chunked, {word}"}))]
        whole += [request(f"{word}\r\n{ADDRESS}".encode(), sender(**{"Transfer-Encoding": "chunked"}))]
        whole += [
            request(hit, sender(Upgrade=word, Connection="Upgrade")),
            request(hit, sender(Host=f"{word}.example")),
        ]
        head, said = self._lines, word.encode()
        whole += [b"\x16\x03\x01\x02\x00\x01\x00" + PACKED + said + head, b"%s %s\r\n\r\n" % (said, PACKED)]
        whole += [b"GET /%s HTTP/9.9\r\n%s\r\n" % (said, head), b"POST /v1/events HTTP/1.0\r\n" + head + b"\r\n" + hit]
        return whole
