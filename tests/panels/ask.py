"""Asks every panel's question, in turns: over HTTP, of the same code without HTTP, and of raw events in SQL.

All three in one process with one engine, warm. The analyst port is the collector's own, on a loopback socket; raw
events are asked in the thread that asks for it, with the same client, by the fastest statement that answers the same.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web
from clickhouse_connect.driver.client import Client

from collector.analyst.api import build_app
from collector.analyst.tokens import Tokens
from collector.assembly import answers_of, engine_of, open_days_of
from collector.catalogue.declarations import Declarations, read_declarations
from collector.clock import SystemClock
from collector.settings import Settings
from collector.stats.answer import Answers
from tests.panels.reports import SITE_REPORTS, raw_statement

ROUNDS = 9
AT_ONCE = 4
TOKEN = "the-token-of-the-panels-measurement"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question of the dashboard about a site."""

    report: str
    by: tuple[str, ...] = ()
    interval: str | None = None

    @property
    def name(self) -> str:
        """How a table calls it."""
        return " ".join((self.report, *(["by " + ",".join(self.by)] if self.by else []), self.interval or ""))


def panels(declarations: Declarations, interval: str) -> list[Panel]:
    """Every question the dashboard asks about a site: tiles, the chart, and a list per panel."""
    found = [Panel(report="traffic"), Panel(report="traffic", interval=interval)]
    for name in SITE_REPORTS:
        by = declarations.reports[name].by
        found += [Panel(report=name, by=(one,)) for one in by]
        found += [Panel(report=name, by=by)] if len(by) > 1 else []
    found += [Panel(report="sources", by=("source",), interval=interval)]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Median milliseconds of a panel's question."""

    panel: Panel
    http_ms: float
    plain_ms: float
    raw_ms: float


class Desk:
    """A running analyst port and its thread."""

    def __init__(self, answers: Answers, client: Client, thread: ThreadPoolExecutor, port: int) -> None:
        self.answers = answers
        self._client = client
        self._thread = thread
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, panel: Panel, site: str, first: date, last: date) -> Took:
        """The panel's three times."""
        asked = {"property": site, "from": str(first), "to": str(last), "limit": "10"}
        asked |= {"by": ",".join(panel.by)} if panel.by else {}
        asked |= {"interval": panel.interval, "limit": "1000"} if panel.interval else {}
        path = f"/api/v1/reports/{panel.report}?{urlencode(asked)}"
        question = self.answers.read(panel.report, asked.items())
        statement = raw_statement(question)
        bound = {"property": site, "first": first, "last": last}
        ways = (
            lambda: get(self._connection, path),
            lambda: self._thread.submit(self.answers.ask, question).result(),
            lambda: self._thread.submit(self._client.query, statement, parameters=bound).result().result_rows,
        )
        times: list[list[float]] = [[], [], []]
        for number in range(ROUNDS + 1):
            for way, took in zip(ways, times, strict=True):
                began = time.perf_counter()
                way()
                if number:  # the first one warms up
                    took.append((time.perf_counter() - began) * 1000)
        http_ms, plain_ms, raw_ms = map(median, times)
        return Took(panel=panel, http_ms=http_ms, plain_ms=plain_ms, raw_ms=raw_ms)

    def page_ms(self, asked: Sequence[Panel], site: str, first: date, last: date) -> float:
        """From the first request of a page to its last answer, AT_ONCE at a time."""
        own = threading.local()

        def one(panel: Panel) -> None:
            if not hasattr(own, "connection"):
                own.connection = http.client.HTTPConnection("127.0.0.1", self.port)
            query = {"property": site, "from": str(first), "to": str(last), "limit": "10"}
            query |= {"by": ",".join(panel.by)} if panel.by else {}
            query |= {"interval": panel.interval, "limit": "1000"} if panel.interval else {}
            get(own.connection, f"/api/v1/reports/{panel.report}?{urlencode(query)}")

        times = []
        for _ in range(ROUNDS):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                began = time.perf_counter()
                list(pool.map(one, asked))
                times.append((time.perf_counter() - began) * 1000)
        return median(times)


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """The body of a 200."""
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == http.client.OK, body
    return body


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """The analyst port on a filled data directory, in this process."""
    declarations = read_declarations()
    clock = SystemClock()
    loop = asyncio.new_event_loop()
    with (
        engine_of(settings) as engine,
        open_days_of(settings, declarations, clock) as open_days,
        ThreadPoolExecutor(1, "ask") as thread,
    ):
        answers = answers_of(settings, declarations, engine, clock, open_days)

        def run(ask: Callable[[], Result]) -> Awaitable[Result]:
            return loop.run_in_executor(thread, ask)

        async def serve() -> tuple[web.AppRunner, int]:
            app = build_app(answers, Tokens(settings.data, TOKEN), lambda: b"", run)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            return runner, int(runner.addresses[0][1])

        running = threading.Thread(target=loop.run_forever, daemon=True)
        running.start()
        runner, port = asyncio.run_coroutine_threadsafe(serve(), loop).result()
        client = thread.submit(engine.reader).result()
        try:
            yield Desk(answers, client, thread, port)
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            running.join()
            client.close()
