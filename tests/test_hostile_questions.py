"""A collector that is asked by somebody hostile, over HTTP and in front of the real engine; and at random, for export.

Nothing that is sent may fail the collector, change what it holds, or come back but as the filter that was understood.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from tests.asking import random_question, written
from tests.payloads import MARK, payloads
from tests.stack import TOKEN, Stack
from tests.stats_desk import declared

SITE = "www.example.org"
EVER = {"from": "2026-01-01", "to": "2035-12-31"}
PAGES = {"property": SITE, **EVER, "by": "path"}
CONFIG = f'trusted_proxies = ["127.0.0.0/8"]\n[[site]]\nid = "{SITE}"\nhosts = ["{SITE}"]\nroutes = ["/**"]\n'
PATHS = ["/", "/a,b", "/=b", "/blog/first"]
REPORTS = [declared().reports[name] for name in ("traffic", "pages", "campaigns", "countries", "platforms")]


class Asker:
    """One connection to the analyst port that stays open."""

    def __init__(self, stack: Stack) -> None:
        host, _, port = stack.analyst.rpartition(":")
        self._connection = HTTPConnection(host, int(port), timeout=20)

    def get(self, report: str, pairs: list[tuple[str, str]]) -> tuple[int, bytes]:
        path = f"/api/v1/reports/{quote(report, safe='')}?{urlencode(pairs)}"
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        response = self._connection.getresponse()
        assert "X-Injected" not in response.headers
        return response.status, response.read()

    def json(self, report: str, pairs: list[tuple[str, str]]) -> Any:
        status, body = self.get(report, pairs)
        assert status == 200, body
        return orjson.loads(body)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("hostile"), config=CONFIG)
    dice = random.Random(3)
    for network in range(24):
        hits = [
            {
                "kind": "page_hit",
                "site": SITE,
                "url": f"https://{SITE}{dice.choice(PATHS)}",
                "utm_source": dice.choice(["news", "mail"]),
            }
            for _ in range(20)
        ]
        assert stack.post(hits, {"X-Forwarded-For": f"198.51.{network}.1"}).json["rejected"] == []
    stack.wait_loaded(480)
    yield stack
    stack.sweep()


@pytest.fixture(scope="module")
def asker(stack: Stack) -> Asker:
    return Asker(stack)


def everything(asker: Asker) -> list[Any]:
    """All rows of all reports, and the catalogue."""
    told = []
    for report in declared().reports.values():
        by = [("by", ",".join(report.by))] if report.by else []
        answer = asker.json(report.name, [("property", SITE), *EVER.items(), *by])
        told.append((answer["rows"], answer["totals"]))
    return [*told, asker.get("", [])]


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])  # other ones each time
def test_hostile_texts_in_every_parameter_change_nothing_and_never_come_back(
    stack: Stack, asker: Asker, every: int
) -> None:
    texts = payloads()
    assert len(set(texts)) >= 500
    before = everything(asker)
    first = random.randrange(every)
    for text in texts[first::every]:
        assert_refused(asker.get(text, [*PAGES.items()]), 404, text)
        assert_refused(asker.get("pages", [*PAGES.items(), (text, "1")]), 400, text)
        for name in ("property", "period", "from", "to", "interval", "by", "filter", "sort"):
            others = [(other, value) for other, value in PAGES.items() if other != name]
            if name == "period":
                others = [("property", SITE)]
            assert_refused(asker.get("pages", [*others, (name, text)]), 400, text)
        for name in ("limit", "offset", "compare", "format"):
            assert_refused(asker.get("pages", [*PAGES.items(), (name, text)]), 400, text)
        assert_picks_nothing(asker, text)
    assert everything(asker) == before, first
    assert before[1][1]["events"] == 480
    assert MARK not in stack.log_text, first
    assert "level=error" not in stack.log_text, first


def assert_refused(reply: tuple[int, bytes], status: int, text: str) -> None:
    assert reply[0] == status, text
    assert MARK.encode() not in reply[1].lower()
    # With braces it is no report's name at all, but a path that does not exist.
    assert orjson.loads(reply[1])["error"].keys() in ({"parameter", "rule"}, {"code"} if status == 404 else {})


def assert_picks_nothing(asker: Asker, text: str) -> None:
    """As the value of a filter it is a value like any other, which no page has."""
    filters = [("filter", f"path{op}{written(text)}") for op in ("==", "!=", "~")]
    answer = asker.json("pages", [*PAGES.items(), *filters])
    assert [each["values"] for each in answer["question"].pop("filters")] == [[text]] * 3
    assert (answer["rows"], answer["totals"]["events"]) == ([], 0)
    assert MARK not in str(answer)


def test_every_parameter_that_there_is_was_tried(asker: Asker) -> None:
    """A new parameter must be put into the test above."""
    _, refusal = asker.get("pages", [("nothing", "1")])
    rule = orjson.loads(refusal)["error"]["rule"]
    assert rule.partition(": ")[2].split(", ") == [
        *("property", "period", "from", "to", "interval", "by", "filter", "sort", "limit", "offset", "compare"),
        "format",
    ]


def test_what_is_exported_is_what_is_answered_and_pages_add_up_over_http(asker: Asker) -> None:
    dice = random.Random(5)
    days = date.fromisoformat(EVER["from"]), date.fromisoformat(EVER["to"])
    rows_met = 0
    for _ in range(40):
        asked = random_question(dice, SITE, dice.choice(REPORTS), PATHS, days)
        whole = asker.json(asked.report.name, asked.page(1_000))
        header, *rows = exported(asker, asked.report.name, asked.page(1_000))
        assert header == whole["columns"]
        assert rows == [["" if cell is None else inert(str(cell)) for cell in row] for row in whole["rows"]]
        paged = [asker.json(asked.report.name, asked.page(2, at))["rows"] for at in range(0, len(rows) + 1, 2)]
        events = whole["columns"].index("events")
        assert sum(row[events] for page in paged for row in page) == whole["totals"]["events"]
        rows_met += len(rows)
    assert rows_met > 30


def exported(asker: Asker, report: str, pairs: list[tuple[str, str]]) -> list[list[str]]:
    status, body = asker.get(report, [*pairs, ("format", "csv")])
    assert status == 200
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


def inert(cell: str) -> str:
    return f"'{cell}" if cell[0] in "=+-@\t\r" else cell
