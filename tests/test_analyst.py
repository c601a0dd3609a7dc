"""The analyst port over a real socket: who gets in, what comes out, and how it says no."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, web

from collector.analyst.api import build_app
from collector.analyst.askers import Askers
from collector.analyst.tokens import Tokens, operator_token
from collector.catalogue.declarations import read_declarations
from collector.clock import SystemClock
from collector.errors import Unavailable
from collector.stats.answer import Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from tests.memory_reading import REGISTRY, SITE, MemoryReading, SteppedClock, seconds

Result = TypeVar("Result")
TODAY = "2026-11-22"
ANALYST_TOKEN = "an-analyst-token-of-the-environment-0"
CATALOGUE = "/api/v1/reports"
PAGES = f"{CATALOGUE}/pages?property={SITE}&by=path"
METRICS = b"collector_events_received_total 7.0\n"
CANARY = "canary-8c1f"


class Port:
    """A running analyst port with a client beside it."""

    def __init__(self, url: str, session: ClientSession, data: Path, reading: MemoryReading) -> None:
        self.url = url
        self.session = session
        self.data = data
        self.reading = reading
        self.fails_with: Exception | None = None

    async def get(self, path: str, token: str | None = ANALYST_TOKEN, method: str = "GET") -> ClientResponse:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = await self.session.request(method, self.url + path, headers=headers)
        await response.read()
        return response


async def forgotten(request: web.Request) -> web.Response:
    return web.Response(text="secret")


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    declarations = read_declarations()
    reading = MemoryReading(declarations)
    clock = SteppedClock(seconds(f"{TODAY}T12:00:00"))
    open_days = OpenDays(ShownFile(tmp_path / "shown.sqlite", clock), declarations.threshold, 0)
    answers = Answers(declarations, REGISTRY, reading, clock, open_days)
    with ThreadPoolExecutor(1) as engine_thread:
        loop = asyncio.get_running_loop()

        def run_blocking(ask: Callable[[], Result]) -> Awaitable[Result]:
            if running.fails_with:
                raise running.fails_with
            return loop.run_in_executor(engine_thread, ask)

        app = build_app(answers, Askers(tmp_path, ANALYST_TOKEN, clock), lambda: METRICS, run_blocking)
        app.router.add_get("/added-without-a-rule", forgotten)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, number = runner.addresses[0][:2]
        async with ClientSession() as session:
            running = Port(f"http://{host}:{number}", session, tmp_path, reading)
            yield running
        await runner.cleanup()


async def json_of(response: ClientResponse) -> dict[str, object]:
    parsed: dict[str, object] = orjson.loads(await response.read())
    return parsed


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [CATALOGUE, PAGES, f"{CATALOGUE}/nothing", "/api/v1/nothing", "/api", "/%61pi/v1/reports"]
)
@pytest.mark.parametrize("token", [None, "", "x" * 43, ANALYST_TOKEN[:-1], ANALYST_TOKEN + "x", ANALYST_TOKEN.upper()])
async def test_without_a_good_token_nothing_below_api_is_told(port: Port, path: str, token: str | None) -> None:
    response = await port.get(path, token)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert await json_of(response) == {"error": {"code": "unauthorized"}}


async def test_a_token_in_the_address_is_never_accepted(port: Port) -> None:
    for name in ("token", "access_token", "authorization"):
        assert (await port.get(f"{CATALOGUE}?{name}={ANALYST_TOKEN}", None)).status == 401
    with_user = port.url.replace("http://", f"http://{ANALYST_TOKEN}@") + CATALOGUE
    async with port.session.get(with_user) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", ANALYST_TOKEN)],
        [("Authorization", f"Basic {ANALYST_TOKEN}")],
        [("Authorization", f"Bearer {ANALYST_TOKEN}"), ("Authorization", f"Bearer {ANALYST_TOKEN}")],
        [("Cookie", f"token={ANALYST_TOKEN}")],
        [("Authorization", "Bearer \udcff\udcfe")],
    ],
)
async def test_a_token_comes_in_one_bearer_header(port: Port, headers: list[tuple[str, str]]) -> None:
    reader, writer = await asyncio.open_connection(*port.url.removeprefix("http://").split(":"))
    lines = [
        f"GET {CATALOGUE} HTTP/1.1",
        "Host: x",
        "Connection: close",
        *(f"{name}: {text}" for name, text in headers),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_the_operators_token_and_created_ones_get_in_at_once(port: Port) -> None:
    assert (await port.get(CATALOGUE, operator_token(port.data))).status == 200
    created = Tokens(port.data, None, SystemClock()).create(
        "report-mailer"
    )  # as `collector token create` does, in its own process
    assert (await port.get(CATALOGUE, created)).status == 200
    assert (await port.get(CATALOGUE, created[:-1])).status == 401


async def test_removed_tokens_and_those_of_a_damaged_file_stay_out(port: Port) -> None:
    created = Tokens(port.data, None, SystemClock()).create("report-mailer")
    for damage in (b"[]", b"{", b"7", b'[{"name": "x"}]', b'[{"name": "x", "sha256": "zz", "created": ""}]'):
        (port.data / "tokens.json").write_bytes(damage)
        assert (await port.get(CATALOGUE, created)).status == 401
        assert (await port.get(CATALOGUE)).status == 200
    (port.data / "tokens.json").unlink()
    assert (await port.get(CATALOGUE, created)).status == 401


async def test_a_route_without_a_rule_is_refused(port: Port) -> None:
    response = await port.get("/added-without-a-rule")
    assert response.status == 403
    assert b"secret" not in await response.read()


async def test_metrics_need_no_token(port: Port) -> None:
    response = await port.get("/metrics", None)
    assert (response.status, await response.read()) == (200, METRICS)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")


# --- what comes out ---------------------------------------------------------------------------------------------------


async def test_the_catalogue_tells_every_report_and_what_its_words_mean(port: Port) -> None:
    response = await port.get(CATALOGUE)
    assert response.content_type == "application/json"
    told = orjson.loads(await response.read())
    assert told["threshold"] == 10
    assert (told["visitors"]["capacity"], told["visitors"]["error_at_capacity"]) == (22_000_000, 0.003)
    reports = {report.pop("name"): report for report in told["reports"]}
    assert reports.keys() == read_declarations().reports.keys()
    assert reports["bounces"] == {
        "question": "Which first pages are also the last?",
        "by": [
            {"name": "path", "class": "ours", "tells": "the scrubbed path of a page, vouched for by a declared route"}
        ],
        "grain": "day",
        "measures": ["events", "amount"],
        "amount": "visits that ended on their first page",
        "kinds": ["page_leave"],
        "sorts": ["site"],
    }
    assert [reports[name]["sorts"] for name in ("links", "installs")] == [["site", "product"], ["product"]]
    assert [dimension["class"] for dimension in reports["installs"]["by"]] == ["ours", "ours", "theirs"]


async def test_an_answer_has_the_form_other_programs_rely_on(port: Port) -> None:
    port.reading.put("pages", TODAY, "/", events=12)
    told = await json_of(await port.get(f"{PAGES}&interval=day"))
    notes = told.pop("notes")
    assert isinstance(notes, list)
    assert told == {
        "report": "pages",
        "property": SITE,
        "from": TODAY,
        "to": TODAY,
        "question": {"report": "pages", "property": SITE, "from": TODAY, "to": TODAY}
        | {"interval": "day", "by": ["path"], "filters": [], "sort": None, "limit": 1_000, "offset": 0}
        | {"compare": None},
        "columns": ["bucket", "path", "events", "visitors"],
        "rows": [[TODAY, "/", 12, 12]],
        "totals": {"events": 12, "visitors": None},
        "threshold": 10,
    }


async def test_as_of_is_told_where_a_live_fold_answers_and_networks_and_firsts_never(port: Port) -> None:
    port.reading.put("countries", TODAY, "de", events=12, networks=11)
    response = await port.get(f"{CATALOGUE}/countries?property={SITE}&by=country")
    told = await json_of(response)
    assert told["as_of"] == f"{TODAY}T12:00:00Z"
    assert told["columns"] == ["country", "events", "visitors"]
    assert told["rows"] == [["de", 12, 12]]


async def test_csv_has_a_header_line_empty_cells_for_null_and_runs_nothing(port: Port) -> None:
    values = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", 'a,"b"', "/plain", "(other)"]
    for place, value in enumerate(values):
        port.reading.put("pages", TODAY, value, events=100 - place)
    response = await port.get(f"{PAGES}&format=csv")
    assert response.content_type == "text/csv"
    assert response.headers["Content-Disposition"] == 'attachment; filename="pages.csv"'
    rows = list(csv.reader(io.StringIO((await response.read()).decode(), newline="")))
    assert rows[0] == ["path", "events", "visitors"]
    assert [row[0] for row in rows[1:]] == [f"'{value}" for value in values[:6]] + values[6:]
    assert rows[-1] == ["(other)", "92", ""]


async def test_every_answer_is_private_and_names_no_server(port: Port) -> None:
    for path, token in [(PAGES, ANALYST_TOKEN), (PAGES, None), ("/metrics", None), ("/nothing", None)]:
        response = await port.get(path, token)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not {"Server", "Access-Control-Allow-Origin", "Set-Cookie", "ETag"} & response.headers.keys()


# --- how it says no ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        (f"{CATALOGUE}/{CANARY}?property={SITE}", 404, "report"),
        (f"{CATALOGUE}/..%2f..%2fetc?property={SITE}", 404, "report"),
        (f"{CATALOGUE}/pages?property={CANARY}", 400, "property"),
        (f"{CATALOGUE}/pages?property=%ff%00", 400, "property"),
        (f"{PAGES}&{CANARY}=1", 400, None),
        (f"{CATALOGUE}/pages?property={SITE}&by={CANARY}", 400, "by"),
        (f"{PAGES}&from={CANARY}", 400, "from"),
        (f"{PAGES}&limit=0", 400, "limit"),
        (f"{PAGES}&interval=hour", 400, "interval"),
        (f"{PAGES}&from=1026-01-01", 400, "from"),
        (f"{PAGES}&from=2026-11-23&to=2026-11-22", 400, "from"),
    ],
)
async def test_a_bad_question_is_answered_with_parameter_and_rule_and_nothing_of_what_was_sent(
    port: Port, path: str, status: int, parameter: str | None
) -> None:
    response = await port.get(path)
    assert response.status == status
    error = (await json_of(response))["error"]
    assert isinstance(error, dict)
    assert error.keys() == {"parameter", "rule"}
    assert error["parameter"] == parameter
    assert CANARY.encode() not in await response.read()


async def test_other_paths_and_methods_are_refused_on_a_page_of_our_own(port: Port) -> None:
    assert await json_of(await port.get(f"/{CANARY}", None)) == {"error": {"code": "not_found"}}
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = await port.get(CATALOGUE, method=method)
        assert (response.status, response.headers["Allow"]) == (405, "GET")
        assert await json_of(response) == {"error": {"code": "method_not_allowed"}}


async def test_a_failure_is_told_without_its_reason(port: Port) -> None:
    for failure, status, code in [
        (Unavailable(CANARY), 503, "unavailable"),
        (TimeoutError(CANARY), 503, "unavailable"),
        (RuntimeError(CANARY), 500, "failed"),
    ]:
        port.fails_with = failure
        response = await port.get(PAGES)
        assert response.status == status
        assert await json_of(response) == {"error": {"code": code}}
