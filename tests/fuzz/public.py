"""The public port: raw requests, bodies of every protocol, addresses of update checks, redirects and questions.

What must hold of every answer: doors.py. Here: a whole request is answered once, every event of a body is accepted or
refused by itself, and HEAD counts nothing.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from collector.tools.wire import request
from tests.aptabase_bodies import KEY
from tests.corpus import cases, hit, sent_by, spelled
from tests.example_events import bad_events, good_events
from tests.fuzz.closed import DECLARATIONS
from tests.fuzz.doors import House, house
from tests.fuzz.target import CANARY, Target, Try
from tests.fuzz.wired import Heard, in_pieces
from tests.hostile_flags import HOSTILE_FLAGS, HOSTILE_VERSIONS
from tests.plausible_bodies import CASES

MAX_SEED = 3_000
ROUTES = ("/v1/events", "/api/event", "/api/v0/events", "/api/v0/event")
_JSON = {"Content-Type": "application/json", "User-Agent": f"Mozilla/5.0 {CANARY}", "X-Forwarded-For": "203.0.113.9"}


@contextmanager
def _raw() -> Iterator[Try]:
    """Bytes as they come, in two pieces."""
    with house() as here:

        def try_it(data: bytes) -> None:
            here.told(in_pieces(data))

        yield try_it


@contextmanager
def _bodies() -> Iterator[Try]:
    """A body for one of the addresses that take one; its first byte says which, and whether it comes packed."""
    with house() as here:

        def try_it(data: bytes) -> None:
            if not data:
                return
            path, body = ROUTES[data[0] % len(ROUTES)], data[1:]
            headers = _JSON | {"App-Key": KEY}
            packed, more = (gzip.compress(body, 1), {"Content-Encoding": "gzip"}) if data[0] & 64 else (body, {})
            answers = here.told([request(packed, headers | more, path=path)])
            assert len(answers) == 1, "a whole request was not answered"
            if path == ROUTES[0]:
                _adds_up(here, answers[0], body, headers)

        yield try_it


def _adds_up(here: House, answer: Heard, body: bytes, headers: dict[str, str]) -> None:
    """Every event of a body is accepted or refused, and none costs another: each alone fares as among the others."""
    kept = len(here.kept.events)
    if answer.status != 200:
        assert kept <= 1 if answer.status == 204 else kept == 0
        return
    said, sent = orjson.loads(answer.body), orjson.loads(body)
    events = sent if isinstance(sent, list) else [sent]
    refused = len(events) - said["accepted"]
    assert len(said["rejected"]) == min(refused, 20)
    assert kept <= said["accepted"]
    if 1 < len(events) <= 4:
        alone = [here.told([request(orjson.dumps([each]), headers)])[0] for each in events]
        assert sum(orjson.loads(each.body)["accepted"] for each in alone) == said["accepted"]


@contextmanager
def _addresses() -> Iterator[Try]:
    """What stands in the first line of a request: the address of an update check, a redirect, a pixel, a question."""
    with house() as here:

        def try_it(data: bytes) -> None:
            target = b"/" + data.translate(None, b" \r\n\0")
            for method in (b"HEAD", b"GET"):
                lines = b"\r\nHost: localhost\r\nUser-Agent: zq9canary\r\n\r\n"
                answers = here.told([method + b" " + target + b" HTTP/1.1" + lines])
                assert len(answers) == 1, "a whole request was not answered"
                assert method == b"GET" or not here.kept.events, "HEAD was counted"

        yield try_it


def _requests() -> Iterator[bytes]:
    for data in map(sent_by, cases("transport").values()):
        if len(data) < MAX_SEED:
            yield b"\0" + data
    headers = _JSON | {"Accept-Language": "de", "Sec-CH-UA-Mobile": "?1", "Accept-Encoding": "gzip"}
    for event in good_events().values():
        one = request(orjson.dumps(event | {"id": CANARY}), headers)
        yield b"\x30" + one + one
    for target in _targets():
        yield b"\0" + request(method="GET", path="/" + target.decode("latin-1"), headers=headers)
        yield b"\x10" + request(method="HEAD", path="/" + target.decode("latin-1"), headers={"Range": "bytes=0-"})


def _sent() -> Iterator[bytes]:
    good, bad = good_events(), [each.event for each in bad_events()]
    native = [*good.values(), *bad, [*good.values()], bad[:4]]
    values = [spelled(case["value"]) for case in cases("values").values()]
    raw = [hit(**{field: value}) for value in values for field in ("age_s", "referrer")]
    for body in [*(json.dumps(each).encode() for each in native), *raw]:
        if len(body) < MAX_SEED:
            yield b"\0" + body
    yield b"\x40" + orjson.dumps(good["page_hit"])
    for case in CASES:
        body = orjson.dumps(
            case.get("body") or {"n": "pageview", "u": "https://www.example.org/", **case.get("set", {})}
        )
        if len(body) < MAX_SEED:
            yield b"\x01" + body
    system = {"isDebug": False, "osName": "Windows", "appVersion": "1.4.2", "locale": CANARY}
    for name in ("started", "installed", "checked", CANARY):
        yield b"\x02" + orjson.dumps([{"eventName": name, "systemProps": system, "sessionId": CANARY, "props": {}}])


def _targets() -> Iterator[bytes]:
    place = "update/hostile/windows-x86_64/stable"
    for flags in HOSTILE_FLAGS:
        if len(flags) < MAX_SEED:
            yield f"v1/check?product=hostile&v=1.4.1&os=windows&{flags}".encode()
    for version in HOSTILE_VERSIONS:
        yield f"{place}/tauri/windows/x86_64/{version}".encode()
        yield f"{place}/velopack/v={version},first=dwm,age=3/releases.win.json?localVersion=1.4.1".encode()
    for path in ("update/stored/macos/plain/appcast.xml", "update/sparkle/macos/stable/appcast.xml?v=1.4.1&first=d"):
        yield path.encode()
    yield f"{place}/electron/latest.yml?v=1.4.1&noCache=1".encode()
    for path in ("go/forum", "go/%66orum", "dl/player/1.4.2/player-setup.exe", "privacy", "v1/ledger.json", "b.js"):
        yield path.encode()
    yield b"v1/pixel.gif?site=www.example.org&p=/pricing&r=https://zq9canary.example/"
    yield b"v1/uninstall?product=player&v=1.4.2&os=windows&age=13&reason=switched"
    yield b"v1/what-you-see-of-me?kind=page_hit&site=www.example.org&url=https://www.example.org/a&age_s=3&first=day,week"
    yield b"what-you-see-of-me?kind=install&product=player&version=1.4.2&channel=stable&os=windows&outcome=ok"


_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "GET ",
            "POST ",
            "HEAD ",
            "OPTIONS ",
            " HTTP/1.1\r\n",
            " HTTP/1.0\r\n",
            "\r\n\r\n",
            "Content-Length: ",
            "Host: ",
        ),
        *(
            "Transfer-Encoding: chunked\r\n",
            "Content-Encoding: gzip\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: h2c\r\n",
        ),
        *(
            "Connection: close\r\n",
            "Cookie: ",
            "Range: bytes=",
            "X-Forwarded-For: ",
            "%00",
            "%0d%0a",
            "%2e%2e%2f",
            "\0",
            "/../",
        ),
        *("/v1/events", "/api/event", "/go/", "/dl/", "/update/", "5\r\n", "0\r\n\r\n", "ffffffffffffffff\r\n"),
    )
)
_FIELDS = {field for kind in DECLARATIONS.kinds.values() for field in kind["properties"]}
_JSON_WORDS = (
    *(f'"{name}":'.encode() for name in sorted(_FIELDS)),
    *(f'"{kind}"'.encode() for kind in sorted(DECLARATIONS.kinds)),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"1e999",
        b"-1",
        b"9007199254740993",
        b"\\u0000",
        b"\\ud800",
        b'"\xff"',
        b"zq9canary",
    ),
    *(b'"eventName":', b'"systemProps":', b'"osName":', b'"domain":', b'"name":', b'"hashMode":', b'"url":', b'"sd":'),
)
_FLAG_WORDS = (
    b"first=",
    b"age=",
    b"ch=",
    b"os=",
    b"arch=",
    b"v=",
    b"test=1",
    b"&",
    b"%25",
    b"%00",
    b"..",
    b"//",
    b"@",
    b"\\",
)

TARGETS = (
    Target(name="requests", opened=_raw, seeds=_requests, words=_WORDS),
    Target(name="bodies", opened=_bodies, seeds=_sent, words=_JSON_WORDS),
    Target(name="addresses", opened=_addresses, seeds=_targets, words=_FLAG_WORDS),
)
