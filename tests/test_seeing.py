"""What you see of me: it names the cells that are counted, of everybody and everything, and leaves nothing behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest_asyncio
from aiohttp import ClientSession

from collector.count.cells import Cells
from collector.tools.wire import request, say
from collector.warehouse.tables import DIMENSIONS
from tests.calling import Reply
from tests.loading import Counted, Place
from tests.odd_events import Sent, as_query, odd_events
from tests.open_door import EPOCH, OpenDoor, open_door
from tests.spooling import DECLARATIONS, LIFE, contents
from tests.stack import Stack
from tests.storing import open_with_tables

NOON = datetime(2026, 11, 25, 12, 30, tzinfo=UTC).timestamp()
PATH = "/v1/what-you-see-of-me"
HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}
NEVER_TOLD = {"visitors", "networks", "firsts", "marks", "threshold", "new", "id"}

Cell = tuple[str, str, int, tuple[str, ...]]
Adds = Counter[Cell]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(skip_auto_headers=["User-Agent", "Accept"]) as session:
        yield session


async def ask(client: ClientSession, door: OpenDoor, sent: Sent) -> dict[str, Any]:
    event, headers = sent
    async with client.get(door.url + PATH, params=as_query(event), headers=headers) as response:
        assert response.status == 200
        seen: dict[str, Any] = orjson.loads(await response.read())
        return seen


async def send(client: ClientSession, door: OpenDoor, sent: Sent) -> dict[str, Any] | None:
    """The refusal the event gets when it is sent, if it gets one."""
    event, headers = sent
    async with client.post(door.url + "/v1/events", json=[event], headers=headers) as response:
        (refused,) = orjson.loads(await response.read())["rejected"] or [None]
    return {name: refused[name] for name in ("code", "field", "message")} if refused else None


def named(seen: dict[str, Any]) -> dict[str, Adds]:
    """What the answer says is added, by counter."""
    found: dict[str, Adds] = {"events": Counter(), "amount": Counter()}
    for cell in seen["cells"]:
        at = datetime.fromisoformat(cell["bucket"]).replace(tzinfo=UTC)
        values = tuple(cell["dimensions"].values())
        key = cell["report"], seen["event"]["property"], int(at.timestamp()), values
        for name, adds in found.items():
            adds[key] += cell["adds"][name]
    return found


async def test_the_cells_named_are_the_cells_counted_and_asking_leaves_no_trace(
    client: ClientSession, tmp_path: Path
) -> None:
    requests = list(odd_events(1_500, seed=20261125))
    async with open_door(tmp_path / "data", NOON) as door:
        await send(client, door, (HIT, {"X-Forwarded-For": "192.0.2.1", **BROWSER}))
        before = door.traces()
        seen = [await ask(client, door, sent) for sent in requests]
        assert door.traces() == before
        refusals = [await send(client, door, sent) for sent in requests]
        assert door.traces()[0] != before[0]
        left_out = _left_out(door)
    assert [each["refused"] for each in seen] == refusals
    assert Counter(each["reason"] for each in seen if each["reason"]) == left_out
    assert all(left_out[reason] >= 10 for reason in ("opt_out", "bot", "prefetch", "partial"))
    counted = [each for each in seen if each["counted"]]
    assert len(counted) > 600
    assert len({each["event"]["kind"] for each in counted}) == len(DECLARATIONS.kinds)
    assert {cell["report"] for each in counted for cell in each["cells"]} == DECLARATIONS.reports.keys()
    assert not [each for each in seen if each["cells"] and not each["counted"]]

    (spooled,) = contents(tmp_path / "data" / "spool")
    _, *records = spooled.records  # the first was sent before
    assert [named(each) for each in counted] == [_cells(record.event) for record in records]
    # And in the database, by way of the loader; the first event is left out again.
    assert _in_the_database(tmp_path) == _sum([*map(named, counted), _cells(spooled.records[0].event)])


def _left_out(door: OpenDoor) -> Counter[str]:
    lines = door.traces()[2].decode().splitlines()
    start = 'collector_events_not_counted_total{reason="'
    counts = (line.removeprefix(start).split('"} ') for line in lines if line.startswith(start))
    return Counter({reason: int(float(count)) for reason, count in counts if float(count)})


def _cells(event: Any) -> dict[str, Adds]:
    cells = Cells(DECLARATIONS.layouts)
    cells.add(event, marks=0, epoch=EPOCH)
    (day,) = cells.days().values()
    return {
        name: Counter({tuple(key[:4]): getattr(counters, name) for key, counters in day.items()})  # type: ignore[misc]  # the first four of a key are a Cell
        for name in ("events", "amount")
    }


def _sum(all_of_them: list[dict[str, Adds]]) -> dict[str, Adds]:
    total: dict[str, Adds] = {"events": Counter(), "amount": Counter()}
    for each in all_of_them:
        for name, adds in total.items():
            adds.update(each[name])
    return total


def _in_the_database(folder: Path) -> dict[str, Adds]:
    place, counted = Place(folder / "data", LIFE.node), Counted()
    with open_with_tables(folder / "engine") as engine:
        loader = place.loader(engine, counted)
        while loader.load_ready():
            pass
        select = (
            f"SELECT report, property, toUnixTimestamp(bucket), [{', '.join(DIMENSIONS)}], sum(events), sum(amount)"
        )
        rows = engine.reader().query(f"{select} FROM hot WHERE report != '' GROUP BY ALL").result_rows
    assert (counted.pending, counted.set_aside, counted.repeats) == (0, 0, 0)
    found: dict[str, Adds] = {"events": Counter(), "amount": Counter()}
    for report, property_id, bucket, values, events, amount in rows:
        key = report, property_id, bucket, tuple(values[: len(DECLARATIONS.reports[report].by)])
        found["events"][key], found["amount"][key] = events, amount
    return found


async def test_an_answer_is_the_same_before_and_after_it_was_counted_and_for_every_neighbour(
    client: ClientSession, tmp_path: Path
) -> None:
    sent = (HIT, {"X-Forwarded-For": "203.0.113.77", **BROWSER})
    async with open_door(tmp_path / "data", NOON) as door:
        answers = [await ask(client, door, sent)]
        for _ in range(3):
            await send(client, door, sent)
            answers.append(await ask(client, door, sent))
        answers.append(await ask(client, door, (HIT, {**sent[1], "X-Forwarded-For": "203.0.113.9"})))
    assert answers[1:] == answers[:1] * 4
    assert {"country": "DE"} in [cell["dimensions"] for cell in answers[0]["cells"]]
    assert "203.0.113" not in str(answers)
    words = set(answers[0]) | set(answers[0]["event"]) | {key for cell in answers[0]["cells"] for key in cell}
    assert not words & NEVER_TOLD


async def test_without_a_kind_it_is_a_hit_of_the_first_page_of_the_site_that_the_host_names(
    client: ClientSession, tmp_path: Path
) -> None:
    async with open_door(tmp_path / "data", NOON) as door:
        for host in ("www.example.org", "EXAMPLE.org:8080", "elsewhere.example"):
            seen = await ask(client, door, ({}, {"Host": host, **BROWSER}))
            assert seen["event"] == {
                "kind": "page_hit",
                "property": "www.example.org",
                "hour": "2026-11-25T12:00:00Z",
            }
            buckets = {cell["report"]: cell["bucket"] for cell in seen["cells"]}
            assert (buckets["traffic"], buckets["pages"]) == ("2026-11-25T12:00:00Z", "2026-11-25")


async def test_who_is_not_counted_is_told_why_in_words(client: ClientSession, tmp_path: Path) -> None:
    pages = {
        "does not want to be counted": {**BROWSER, "Sec-GPC": "1"},
        "looks like a program": {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
        "asks in advance": {**BROWSER, "Sec-Purpose": "prefetch"},
        "How many hits, visits and visitors?": BROWSER,
    }
    async with open_door(tmp_path / "data", NOON) as door:
        for words, headers in pages.items():
            async with client.get(door.url + "/what-you-see-of-me", headers=headers) as response:
                assert words in await response.text()
        bad = {"url": "https://evil.example/<script>"}
        async with client.get(door.url + "/what-you-see-of-me", params=bad, headers=BROWSER) as response:
            text = await response.text()
    assert "foreign_host" in text
    assert "<script" not in text
    assert "evil" not in text


ODD_QUERIES = (
    *("", "?", "&&=&", "url=%ff", "url=%00", "kind=%00", "url=\xff\xfe", "url=https://www.example.org/%ED%A0%80%ff"),
    *("age_s=9999999999999999999", "age_s=-9999999999999999999", "age_s=\u0661", "test=TRUE", "site=%E2%80%AE"),
    *("kind=update_check&first=,,", "kind=update_check&product=player&first=" + "day," * 900, "a=1&" * 900),
    *("kind=page_hit&kind=goal", "kind=page_leave&url=x&seconds=1e3", "kind=recommendation&shown=%2B1", "%6Bind=x"),
)


def test_no_query_brings_it_down(stack: Stack) -> None:
    for query in ODD_QUERIES:
        for path in (PATH, "/what-you-see-of-me"):
            said = say(stack.public, request(method="GET", path=f"{path}?{query}", headers=BROWSER))
            assert said.status in (200, 400), query
    assert "request failed" not in stack.log_text
    assert stack.request("GET", PATH, headers=BROWSER).json["counted"]


def test_pages_of_other_sites_get_nothing_of_it(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(config='public_hosts = ["127.0.0.1"]\n' + CONFIG)
    for path in (PATH, "/what-you-see-of-me"):
        told = stack.request("GET", path, headers={"Origin": "https://evil.example", **BROWSER})
        assert told.status == 200
        assert "access-control-allow-origin" not in told.headers
        assert told.headers["cache-control"] == "no-store"
        assert not {"set-cookie", "etag", "last-modified", "server", "date"} & told.headers.keys()
        assert stack.request("OPTIONS", path).status == 405
        assert stack.request("POST", path, b"{}").status == 405
        head = stack.request("HEAD", path, headers=BROWSER)
        assert (head.status, head.body, head.headers) == (200, b"", _without_origin(told))
        assert stack.request("GET", path, headers={"Host": "evil.example"}).status == 421


CONFIG = '[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\nroutes = ["/**"]\n'


def _without_origin(told: Reply) -> dict[str, str]:
    return told.headers
