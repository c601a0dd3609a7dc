"""The ledger as anyone reads it: the public list, the privacy page, the analysts' dictionary."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession

from collector.catalogue.registry import read_registry
from collector.door.privacy_page import Operator
from collector.errors import Misconfigured
from collector.ledger import RESERVED, ledger_of
from collector.metrics import Series
from tests.declared import DECLARATIONS, LEDGER
from tests.open_door import OpenDoor, open_door
from tests.stack import ROOT, Stack
from tests.storing import open_with_tables

LATE = datetime(2026, 11, 25, 23, 59, 50, tzinfo=UTC).timestamp()
PAGES = ("/privacy", "/what-you-see-of-me")
OPERATOR = Operator("Smith & <Sons>", "privacy@example.org")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.given: list[tuple[str, str]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.given += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "br", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(tmp_path / "data", LATE, OPERATOR) as door:
        yield door


async def get(door: OpenDoor, path: str) -> tuple[ClientResponse, str]:
    async with ClientSession() as session, session.get(door.url + path) as response:
        assert response.status == 200
        return response, await response.text()


# --- for programs -----------------------------------------------------------------------------------------------------


async def test_the_ledger_says_when_todays_key_dies_and_says_so_anew_every_day(door: OpenDoor) -> None:
    for moved_s, day, dies in ((0, "2026-11-25", "2026-11-26T01:00:00Z"), (10, "2026-11-26", "2026-11-27T01:00:00Z")):
        door.clock.at = LATE + moved_s
        response, text = await get(door, "/v1/ledger.json")
        told = orjson.loads(text)
        assert told.pop("today") == {"day": day, "key_dies_by": dies}
        assert told == LEDGER
        assert response.headers["Content-Type"] == "application/json"
        assert f"{dies[:10]}, 01:00 UTC" in (await get(door, "/privacy"))[1]


async def test_global_privacy_control_is_said_to_be_respected(door: OpenDoor) -> None:
    response, text = await get(door, "/.well-known/gpc.json")
    told = orjson.loads(text)
    assert told == {"gpc": True, "lastUpdate": LEDGER["opt_out"]["since"]}
    assert date.fromisoformat(told["lastUpdate"]) <= datetime.now(UTC).date()
    assert response.headers["Content-Type"] == "application/json"


def test_nothing_is_said_twice_the_ledger_is_made_of_the_declarations() -> None:
    reports = {report["name"]: report for report in LEDGER["reports"]}
    assert reports.keys() == DECLARATIONS.reports.keys()
    assert reports["installs"]["d3"] == "os"
    assert reports["traffic"]["d1"] is None
    assert LEDGER["threshold"] == DECLARATIONS.threshold
    kinds = {kind["name"]: {field["name"]: field for field in kind["fields"]} for kind in LEDGER["kinds"]}
    assert {kind: set(fields) for kind, fields in kinds.items()} == {
        kind: set(schema["properties"]) for kind, schema in DECLARATIONS.kinds.items()
    }
    assert kinds["page_hit"]["referrer"]["becomes"] == ["entry", "source"]
    assert kinds["page_hit"]["referrer"]["reports"] == ["traffic", "entry_pages", "sources"]
    words = (ROOT / "schemas" / "ledger.toml").read_text("utf-8")
    assert not [report.question for report in DECLARATIONS.reports.values() if report.question in words]
    assert not [each.tells for each in DECLARATIONS.dimensions.values() if each.tells in words]
    buckets = tomllib.loads((ROOT / "schemas" / "buckets.toml").read_text("utf-8"))
    assert list(RESERVED) == buckets["reserved"]


def test_what_nobody_found_words_for_stops_a_start() -> None:
    with pytest.raises(Misconfigured, match="collector_odd"):
        ledger_of(DECLARATIONS, [Series("collector_odd", "", ())])


# --- for people -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_runs_nothing_and_can_be_read_by_everybody(door: OpenDoor, path: str) -> None:
    response, text = await get(door, path)
    page = Page(text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert response.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.tags.keys().isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not [name for name, _ in page.given if name in ("style", "src") or name.startswith("on")]
    outside = [value for name, value in page.given if name in ("href", "action") and not value.startswith("/")]
    assert outside == (["mailto:privacy@example.org"] if path == "/privacy" else [])
    assert not re.search(r"url\(|@import", style[1])
    assert "prefers-color-scheme:dark" in style[1]
    assert ("lang", "en") in page.given
    assert page.tags["h1"] == page.tags["main"] == page.tags["title"] == 1
    assert page.tags["table"] == page.tags["caption"]
    assert page.tags["input"] == page.tags["label"]


async def test_the_privacy_page_names_all_that_is_counted_and_who_counts(door: OpenDoor) -> None:
    page = Page((await get(door, "/privacy"))[1])
    for report in LEDGER["reports"]:
        assert report["question"] in page.words
    for part in ("dimensions", "reserved"):
        assert all(each["name"] in page.words for each in LEDGER[part])
    for kind in LEDGER["kinds"]:
        assert all(field["tells"] in page.words for field in kind["fields"])
    for words in ("10 networks", "Sec-GPC: 1", "DNT: 1", "25 months", "48 hours", "article 11", "Smith & <Sons>"):
        assert words in page.words


async def test_without_an_operator_the_page_names_nobody(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", LATE) as door:
        page = Page((await get(door, "/privacy"))[1])
    assert "The operator of this address counts" in page.words
    assert "Whom to ask" not in page.words


def test_an_operator_is_two_words_of_the_configuration() -> None:
    read_registry({"privacy": {"operator": "Smith", "contact": "https://example.org/contact"}})
    with pytest.raises(Misconfigured, match="privacy: unknown key phone"):
        read_registry({"privacy": {"phone": "1"}})


def test_the_worker_serves_all_of_it(stack: Stack) -> None:
    for path in ("/v1/ledger.json", "/.well-known/gpc.json", *PAGES):
        told = stack.request("GET", path)
        assert told.status == 200, path
        assert not {"set-cookie", "etag", "last-modified", "server"} & told.headers.keys()
        head = stack.request("HEAD", path)
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", told.headers["content-length"])
    assert stack.metrics().get("collector_events_received_total", 0) == 0


# --- for analysts -----------------------------------------------------------------------------------------------------


def test_the_dictionary_is_for_who_has_a_token_and_the_command_prints_it(stack: Stack) -> None:
    assert stack.analyst_request("/api/v1/dictionary", token=None).status == 401
    told = stack.analyst_request("/api/v1/dictionary").json
    assert told["tables"] == LEDGER["tables"]
    printed = stack.command("dictionary")
    assert printed.returncode == 0, printed.stderr
    for report in told["reports"]:
        assert f"| `{report['name']}` | {report['question']} |" in printed.stdout
        assert report["sql"] in printed.stdout
    for table in told["tables"]:
        assert all(f"| `{column['name']}` | `{column['type']}` |" in printed.stdout for column in table["columns"])
    widths = {block: {line.count(" | ") for line in block} for block in _tables(printed.stdout)}
    assert all(len(counts) == 1 for counts in widths.values()), "every row of a table has as many cells"


def test_every_example_of_the_dictionary_runs(stack: Stack, tmp_path: Path) -> None:
    told = stack.analyst_request("/api/v1/dictionary").json
    with open_with_tables(tmp_path / "engine") as engine:
        for report in told["reports"]:
            row = f"('{report['name']}', 'www.example.org', now(), 'a', 'b', 'c', 7, 5, 3)"
            columns = "report, property, bucket, d1, d2, d3, events, visitors, amount"
            engine.writer().command(f"INSERT INTO sealed ({columns}) VALUES {row}")
            answer = engine.reader().query(report["sql"], parameters={"property": "www.example.org"})
            by = [report[place] for place in ("d1", "d2", "d3") if report[place]]
            assert list(answer.column_names)[1:] == by + report["measures"]
            assert answer.result_rows[0][-len(report["measures"])] == 7


def _tables(markdown: str) -> list[tuple[str, ...]]:
    blocks = (block.splitlines() for block in markdown.replace("\\|", "").split("\n\n"))
    return [tuple(block) for block in blocks if block[:1] and block[0].startswith("|")]
