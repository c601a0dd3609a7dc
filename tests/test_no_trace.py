"""Of the addresses, agents, paths and queries that were sent, nothing can be found: nowhere, in no form.

The same search finds each of them where it was put on purpose, and catches an ordinary aiohttp application.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import ipaddress
import logging
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from collector.tools.wire import request, say
from tests.canaries import ADDRESS, ADDRESS_6, ADDRESSES, PEER, Canaries
from tests.counting import events_seen, settle
from tests.stack import ROOT, Stack

SETTINGS = 'trusted_proxies = ["127.0.0.0/8"]\nkeepalive_s = 1\n'
CANARIES = Canaries()
CHECK = {
    "kind": "update_check",
    "product": "player",
    "channel": "stable",
    "os": "windows",
    "arch": "x86_64",
    "age": "3",
}
DUMP = """
import sys, chdb.session
session = chdb.session.Session(sys.argv[1])
for statement in sys.argv[2:]:
    session.query(statement)
apart = "('system', 'INFORMATION_SCHEMA', 'information_schema')"
which = f"WHERE database NOT IN {apart} OR engine LIKE '%MergeTree%'"  # logs of the engine, too
names = session.query(f"SELECT database, name FROM system.tables {which}", "TabSeparated")
for database, name in (line.split() for line in names.bytes().decode().splitlines()):
    rows = session.query(f"SELECT * FROM `{database}`.`{name}`", "TabSeparatedRawWithNames")
    sys.stdout.buffer.write(f"table {database}.{name}\\n".encode() + rows.bytes())
"""
PLANTED = (
    "CREATE TABLE default.planted (a UInt32, b IPv6, c String, d Array(UInt64)) ENGINE = MergeTree ORDER BY a",
    f"INSERT INTO default.planted SELECT toIPv4('{ADDRESS}'), '{ADDRESS_6}', base64Encode('{CANARIES.agent}'), []",
)
FAILING = """
import asyncio, socket, sys
from types import SimpleNamespace
from collector.door.server import Door
from collector.log import configure, loop_exception_handler
class Receiver:
    async def receive(self, request):
        local = dict(request.headers)
        await request.read()
        raise ValueError(f"{local} {request.rel_url}")
    receive_one = receive
async def main():
    asyncio.get_running_loop().set_exception_handler(loop_exception_handler)
    listener = socket.create_server(("127.0.0.1", 0))
    tally = SimpleNamespace(flush=lambda: None, refused_body=lambda status: None)
    await Door(Receiver(), SimpleNamespace(sites={}), tally, public_hosts=(), keepalive_s=1).open(listener)
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
configure("debug")
asyncio.run(main())
"""


def good(**fields: object) -> dict[str, object]:
    """A page hit that carries what must be forgotten in every field that can carry it."""
    return {
        "kind": "page_hit",
        "site": "www.example.org",
        "url": f"https://www.example.org/pricing?{CANARIES.query}=1&a={CANARIES.query}#{CANARIES.query}",
        "referrer": f"https://news.example.com/{CANARIES.referrer_path}?q={CANARIES.query}",
        **fields,
    }


def sender(address: str = ADDRESS, **more: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, "User-Agent": CANARIES.agent, "Content-Type": "application/json", **more}


HIT = orjson.dumps(good())
WORD = CANARIES.body
PACKED = ipaddress.ip_address(ADDRESS).packed
HEAD = f"Host: localhost\r\nX-Forwarded-For: {ADDRESS}\r\nUser-Agent: {CANARIES.agent}\r\n".encode()


def everything_sent() -> list[tuple[bytes, ...]]:
    """More than fifty requests, each as the pieces it is sent in; most of them no good."""
    whole = [*hit_under_many_headers(), *bodies_no_good(), *other_requests(), *headers_no_good()]
    slow = [(request(HIT, sender(**{"Content-Length": "9999"})),), (b"POST /v1/events HTTP/1.1\r\n" + HEAD,)]
    return [*((each,) for each in whole), *slow]


def hit_under_many_headers() -> list[bytes]:
    """One good hit, under every header that can carry something of a sender, and in every encoding."""
    whole = [request(HIT, sender(address)) for address in (ADDRESS, ADDRESS_6, f"{ADDRESS}:4711", f"[{ADDRESS_6}]:1")]
    whole += [request(HIT, sender(address)) for address in (f"{WORD}", f"{ADDRESS}, {WORD}", f"{ADDRESS} {ADDRESS_6}")]
    whole += [request(HIT, sender(**more)) for more in ({"Sec-GPC": "1"}, {"DNT": "1"}, {"Sec-Purpose": "prefetch"})]
    whole += [
        request(HIT, sender(Forwarded=f"for={ADDRESS}", Referer=f"https://a.b/{CANARIES.referrer_path}", Cookie=WORD))
    ]
    whole += [request(gzip.compress(HIT), sender(**{"Content-Encoding": "gzip"}))]
    whole += [request(gzip.compress(HIT)[:-3], sender(**{"Content-Encoding": "gzip"}))]
    whole += [request(HIT, sender(**{"Content-Encoding": f"br{WORD}"})), request(HIT, sender(**{"Content-Type": WORD}))]
    return whole


def bodies_no_good() -> list[bytes]:
    """Events with what must be forgotten in the wrong field, and bodies that are no events."""
    bad: list[dict[str, object]] = [
        *(good(**{name: WORD}) for name in ("kind", "site", "id", "age_s", "test", WORD, ADDRESS)),
        good(url=f"https://{WORD}.example/{ADDRESS}"),
        good(url=f"https://www.example.org/{WORD} {ADDRESS}"),
        good(url=f"https://www.example.org/users/{ADDRESS}/{ADDRESS_6}"),
        good(referrer=f"https://{ADDRESS}/{WORD}"),
        good(referrer=f"https://{WORD}:{WORD}@[{ADDRESS_6}]/"),
        good(referrer=f"{WORD} {ADDRESS}"),
        good(test=True),
        {"kind": "goal", "site": "www.example.org", "goal": WORD},
        {**CHECK, "version": f"9.{int.from_bytes(PACKED, 'big')}.0"},
    ]
    whole = [request(orjson.dumps(each), sender()) for each in bad]
    whole += [request(orjson.dumps([good(), *bad, good()]), sender())]
    whole += [
        request(text, sender()) for text in (b"", WORD.encode(), HIT[:-1], b'"' + WORD.encode() + b'"', HIT + HIT)
    ]
    whole += [request(orjson.dumps([WORD] * 101), sender()), request(WORD.encode() * 20_000, sender())]
    whole += [request(f'{{"a{ADDRESS}":'.encode() * 2000, sender()), request(b"\xff" + PACKED + HIT, sender())]
    return whole


def other_requests() -> list[bytes]:
    """What is no POST of events: the pixel, the page of an uninstaller, unknown paths, other methods."""
    whole = [
        request(method="GET", path=f"/v1/pixel.gif?site={site}&p=/&r={WORD}&{CANARIES.query}", headers=sender())
        for site in ("www.example.org", WORD)
    ]
    whole += [
        request(method=method, path=f"/v1/uninstall?product=player&v={WORD}&os=windows", headers=sender())
        for method in ("GET", "POST")
    ]
    whole += [request(method="GET", path=f"/{WORD}/{ADDRESS}?{CANARIES.query}", headers=sender())]
    whole += [request(method=method, headers=sender()) for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "GET")]
    return whole


def headers_no_good() -> list[bytes]:
    """Requests the parser of HTTP refuses or has to bear with."""
    whole = [request(HIT, sender(f"{ADDRESS}{bad}")) for bad in ("\0", "\r\n folded", "\n", "\udcff", "a" * 5000)]
    whole += [request(HIT, sender(**{f"X{bad}{WORD}": ADDRESS})) for bad in ("\0", " ", "é", "(")]
    whole += [request(HIT, sender(**{f"X-{n}": f"{ADDRESS} {WORD}" for n in range(100)}))]
    whole += [request(HIT, sender(**{"Transfer-Encoding": f"chunked, {WORD}"}))]
    whole += [request(f"{WORD}\r\n{ADDRESS}".encode(), sender(**{"Transfer-Encoding": "chunked"}))]
    whole += [request(HIT, sender(Upgrade=WORD, Connection="Upgrade")), request(HIT, sender(Host=f"{WORD}.example"))]
    whole += [
        b"\x16\x03\x01\x02\x00\x01\x00" + PACKED + WORD.encode() + HEAD,
        b"%s %s\r\n\r\n" % (WORD.encode(), PACKED),
    ]
    whole += [
        b"GET /%s HTTP/9.9\r\n%s\r\n" % (WORD.encode(), HEAD),
        b"POST /v1/events HTTP/1.0\r\n" + HEAD + b"\r\n" + HIT,
    ]
    return whole


def test_nothing_of_a_sender_is_left_anywhere(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    watched = {"COLLECTOR_SEGMENT_S": "3600", "COLLECTOR_LOG_LEVEL": "DEBUG", "PYTHONASYNCIODEBUG": "1"}
    stack = start_stack(config=SETTINGS + example, environ=watched)
    series = stack.metrics().keys()

    sent = everything_sent()
    with ThreadPoolExecutor(16) as together:
        answers = [said.status for said in together.map(lambda pieces: say(stack.public, *pieces, source=PEER), sent)]
    assert len(sent) >= 50
    assert answers.count(0) == 1  # the one that never said all of its headers
    assert max(answers) < 500
    assert {200, 204, 400, 404, 405, 408, 413, 415} <= set(answers)
    settle(stack)
    seen = events_seen(stack)
    assert seen["accepted"] >= 20
    assert seen["not_counted"] >= 4
    assert stack.metrics().keys() == series

    spooled = [path for path in (stack.data / "spool").rglob("*") if path.is_file() and path.stat().st_size]
    assert b"example.com" in b"".join(path.read_bytes() for path in spooled)
    assert CANARIES.below(stack.data) == {}

    stack.restart()
    stack.wait_loaded(seen["accepted"])
    assert CANARIES.below(stack.data) == {}
    assert CANARIES.in_text(stack.analyst_request("/metrics").body) == set()
    stack.stop()
    assert CANARIES.below(stack.data) == {}
    assert CANARIES.in_text(stack.log_text.encode()) == set()
    assert stack.log_text.count("level=debug") >= 5

    tables = dump(stack.data / "clickhouse")
    assert b"table default.hot" in tables
    assert b"\texample.com\t" in tables
    assert CANARIES.in_text(tables) == set()
    shutil.copytree(stack.data / "clickhouse", tmp_path / "copy", symlinks=True)
    assert len(CANARIES.in_text(dump(tmp_path / "copy", *PLANTED))) >= 3


def dump(database: Path, *statements: str) -> bytes:
    """Every column of every row of every table, as text; after executing the statements."""
    ran = subprocess.run([sys.executable, "-c", DUMP, str(database), *statements], check=True, stdout=subprocess.PIPE)
    return ran.stdout


def test_a_failing_handler_says_nothing_of_its_request() -> None:
    environ = {**os.environ, "PYTHONASYNCIODEBUG": "1"}
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", FAILING], cwd=ROOT, env=environ, **pipes) as process:
        assert process.stdout
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        for said in (say(address, *pieces, source=PEER) for pieces in everything_sent()[:4]):
            assert (said.status, said.code) == (500, "internal")
            assert CANARIES.in_bytes(said.head + said.body) == set()
        log = process.communicate()[1]
    assert log.count(b"request failed") == 4
    assert b"error=ValueError" in log
    assert CANARIES.in_bytes(log) == set()


# --- the search itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_search_finds_what_was_planted(tmp_path: Path, address: str) -> None:
    packed = ipaddress.ip_address(address).packed
    forms = [address.encode(), address.upper().encode(), packed, packed[::-1], packed.hex().encode()]
    forms += [packed[::-1].hex().encode(), base64.b64encode(packed), str(int.from_bytes(packed, "big")).encode()]
    forms += [
        str(int.from_bytes(packed, "little")).encode(),
        base64.b64encode(b"from " + address.encode() + b" it came"),
    ]
    for number, form in enumerate(forms):
        planted = tmp_path / str(number) / "segment"
        planted.parent.mkdir()
        assert CANARIES.below(planted.parent) == {}
        planted.write_bytes(secrets.token_bytes(1000) + form + secrets.token_bytes(1000))
        assert CANARIES.below(planted.parent).keys() == {str(planted)}, form


async def test_the_search_catches_an_ordinary_application() -> None:
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    loggers = [logging.getLogger(name) for name in ("aiohttp.access", "aiohttp.server")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)

    async def fail(request: web.Request) -> web.Response:
        raise ValueError(f"{request.headers['X-Forwarded-For']}: {await request.text()}")

    app = web.Application()
    app.router.add_post("/v1/events", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    for pieces in everything_sent():
        await asyncio.to_thread(say, address, *pieces, source=PEER, patience_s=0.5)
    await runner.cleanup()
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    found = CANARIES.in_text(told.getvalue().encode("utf-8", "surrogateescape"))
    assert {ADDRESS, PEER, CANARIES.agent, CANARIES.body, CANARIES.referrer_path} <= found
