"""The analyst port as a whole, without a network: raw requests of nobody, and of somebody who is admitted.

What must hold: every answer is well-formed, of a closed set, with the protective headers and without a name of the
server; nothing of a stranger comes back, and nothing fails inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from aiohttp import web

from collector.analyst.access import HEADERS
from collector.analyst.askers import Askers
from collector.analyst.port import Port
from collector.tools.wire import request
from tests.front_desk import ANALYST_TOKEN, NOON, PROXY, SESSION, a_little, app_of
from tests.fuzz.target import CANARY, Target, Try
from tests.fuzz.wired import QuickLoop, answers_in, converse, failures, in_pieces
from tests.memory_reading import SITE, SteppedClock

Result = TypeVar("Result")

STATUSES = frozenset((100, 200, 204, 304, 400, 401, 403, 404, 405, 413, 429, 503))
_ADMITTED = {"Authorization": f"Bearer {ANALYST_TOKEN}", "X-Other": CANARY}
_PAGES = (
    "/",
    "/docs",
    "/metrics",
    "/healthz",
    "/assets/x.js",
    "/api/v1/openapi.json",
    "/api/v1/dictionary",
    "/api/v1/reports",
)


@contextmanager
def _analyst() -> Iterator[Try]:
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=QuickLoop) as runner, failures() as failed:

        async def started() -> Port:
            clock = SteppedClock(NOON)
            askers = Askers(Path(folder), ANALYST_TOKEN, clock, (PROXY,))
            app = web.AppRunner(app_of(Path(folder), askers, clock, a_little(), _at_once))
            await app.setup()
            return Port(app)

        port = runner.run(started())

        async def talk(data: bytes) -> bytes:
            failed.watch()
            return await converse(port, in_pieces(data))

        def try_it(data: bytes) -> None:
            answers = [*answers_in(runner.run(talk(data)))]
            failed.assert_none()
            for answer in answers:
                assert answer.status in STATUSES, answer.status
                assert "server" not in answer.headers
                assert answer.status == 100 or all(answer.headers.get(name.lower()) for name in HEADERS)
                if b"filter" not in data:  # which is told as it was understood
                    assert CANARY.encode() not in answer.body + repr(answer.headers).encode(), "an answer echoes"

        yield try_it


def _at_once(ask: Callable[[], Result]) -> Awaitable[Result]:
    """No thread: the answer is there when it is asked for."""
    done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    try:
        done.set_result(ask())
    except Exception as error:  # noqa: BLE001 - as a thread would hand it on
        done.set_exception(error)
    return done


def _requests() -> Iterator[bytes]:
    paths = [
        *_PAGES,
        "/api/v1/properties",
        "/api/v1/quarantine",
        "/api/v1/seal",
        SESSION,
        f"/api/v1/live?property={SITE}",
    ]
    paths += [f"/api/v1/reports/pages?property={SITE}&by=path&period=7d&filter=path~/&sort=-events&format=csv"]
    for path in paths:
        for headers in ({}, _ADMITTED, {"Cookie": f"collector={CANARY}; a=b", "Range": "bytes=0-5"}):
            yield b"\0" + request(method="GET", path=path, headers=headers)
    json = {"Content-Type": "application/json", "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    for body in (b'{"name":"zq9canary","password":"x"}', b'{"code":"zq9canary"}', b"[", b"\xff", b" " * 9_000):
        yield b"\x50" + request(body, json, path=SESSION)
    yield b"\0" + request(b"5\r\n[]", {**json, "Transfer-Encoding": "chunked"}, path=SESSION)
    yield b"\0" + request(method="DELETE", path=SESSION, headers={**json, **_ADMITTED})
    for name, text in (
        ("Upgrade", "websocket"),
        ("Expect", CANARY),
        ("If-None-Match", "*"),
        ("X-Forwarded-Proto", "https"),
    ):
        yield b"\0" + request(method="GET", path="/", headers={name: text, **_ADMITTED}) * 2


TARGETS = (
    Target(
        name="analyst",
        opened=_analyst,
        seeds=_requests,
        words=(
            *(
                b"GET ",
                b"POST ",
                b"DELETE ",
                b"HEAD ",
                b" HTTP/1.1\r\n",
                b"\r\n\r\n",
                b"Host: ",
                b"Cookie: collector=",
                b"%00",
            ),
            *(
                b"Content-Length: ",
                b"Transfer-Encoding: chunked\r\n",
                b"Expect: ",
                b"Upgrade: x\r\n",
                b"Connection: close\r\n",
            ),
            *(
                b"Authorization: Bearer ",
                b"Origin: http://[",
                b"Sec-Fetch-Site: ",
                b"/api/v1/",
                b"/assets/../",
                b"%2e%2e%2f",
            ),
        ),
    ),
)
