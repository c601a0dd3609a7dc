"""The warehouse on the real engine: what a batch is once inserted, and what decides that it is."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, OperationalError

from collector.catalogue.declarations import read_declarations
from collector.cell import CellKey, Counters
from collector.errors import Corrupt, Misconfigured, Unavailable
from collector.stats import days as stats_days
from collector.warehouse.batch import MAX_ROWS, Batch, freeze, read_frozen
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.insert_once import NotInsertable, insert_once
from collector.warehouse.reading import Bound, Reading, Row
from collector.warehouse.tables import create_tables

DAY = 20_700
DAY_S = 86_400
ALLOWED_TYPES = {"Date", "DateTime", "DateTime('UTC')", "LowCardinality(String)", "UInt8", "UInt16", "UInt32", "UInt64"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_embedded(tmp_path_factory.mktemp("warehouse") / "engine") as engine:
        create_tables(engine.writer())
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


@pytest.fixture
def node() -> int:
    """A partition of its own."""
    return secrets.randbits(64)


def cell(report: str, *values: str, hour: int = 0, epoch: int = 1, site: str = "www") -> CellKey:
    return CellKey(report, site, DAY * DAY_S + hour * 3600, values, epoch)


def pages(count: int) -> dict[CellKey, Counters]:
    return {cell("pages", f"/page/{n}"): Counters(events=1, visitors=1, networks=1, firsts=1) for n in range(count)}


def batch_of(
    folder: Path, node: int, cells: Mapping[CellKey, Counters], *, events: int | None = None, segment: str = "s-0-1-1"
) -> Batch:
    events = sum(counters.events for counters in cells.values()) if events is None else events
    (batch,) = freeze(folder, node=node, segments=[segment], days={DAY: cells}, events={DAY: events}).batches
    return batch


def parts(client: Client, node: int) -> list[tuple[str, int]]:
    rows = client.query(
        "SELECT partition, rows FROM system.parts WHERE table = 'hot' AND active AND partition LIKE {like:String}",
        parameters={"like": f"%,{node})"},
    ).result_rows
    return [(str(partition), int(count)) for partition, count in rows]


def stored(client: Client, node: int) -> list[tuple[Any, ...]]:
    statement = (
        "SELECT report, d1, sum(events), sum(amount) FROM hot WHERE node = {n:UInt64} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [tuple(row) for row in client.query(statement, parameters={"n": node}).result_rows]


class Between:
    """Stands between us and the engine, and loses what it is told to lose."""

    def __init__(self, client: Client, *, insert: bool = True, report: Exception | None = None) -> None:
        self._client = client
        self._insert = insert
        self._report = report
        self.tokens: list[str] = []

    def raw_insert(self, *args: Any, **named: Any) -> None:
        self.tokens.append(named["settings"]["insert_deduplication_token"])
        if self._insert:
            self._client.raw_insert(*args, **named)
        if self._report:
            raise self._report

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def through(between: Between) -> Client:
    stand_in: Any = between
    client: Client = stand_in
    return client


@pytest.mark.parametrize("rows", [0, 1, 20_000, 200_000])
def test_a_batch_is_one_part_in_one_partition(client: Client, tmp_path: Path, node: int, rows: int) -> None:
    assert insert_once(client, batch_of(tmp_path, node, pages(rows), events=rows + 1))
    assert [count for _, count in parts(client, node)] == [rows + 1]


def test_a_batch_that_is_there_is_not_inserted_again(client: Client, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    assert insert_once(client, batch)
    assert not insert_once(client, batch)
    assert not insert_once(client, read_frozen(batch.path).batches[0])
    assert stored(client, node) == [
        ("", batch.name, 3, 3),
        ("pages", "/page/0", 1, 0),
        ("pages", "/page/1", 1, 0),
        ("pages", "/page/2", 1, 0),
    ]


def test_markers_survive_merges(client: Client, tmp_path: Path, node: int) -> None:
    batches = [batch_of(tmp_path, node, pages(5), segment=f"s-0-1-{n}") for n in range(20)]
    assert all(insert_once(client, batch) for batch in batches)
    client.command("OPTIMIZE TABLE hot FINAL")
    assert [count for _, count in parts(client, node)] == [5 + 20]
    assert not any(insert_once(client, batch) for batch in batches)


def test_a_reported_success_without_rows_is_not_believed(client: Client, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    with pytest.raises(Unavailable):
        insert_once(through(Between(client, insert=False)), batch)
    assert insert_once(client, batch)


def test_a_reported_failure_with_rows_is_not_believed(client: Client, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    assert insert_once(through(Between(client, report=OperationalError("connection reset"))), batch)
    assert not insert_once(client, batch)
    assert sum(events for report, _, events, _ in stored(client, node) if report) == 3


def test_every_attempt_has_a_token_of_its_own(client: Client, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(1))
    between = Between(client, insert=False)
    for _ in range(3):
        with pytest.raises(Unavailable):
            insert_once(through(between), batch)
    assert len(set(between.tokens)) == 3


def test_a_marker_that_tells_other_counts_stops_the_batch(client: Client, tmp_path: Path, node: int) -> None:
    assert insert_once(client, batch_of(tmp_path, node, pages(3)))
    before = stored(client, node)
    (tmp_path / "other").mkdir()
    with pytest.raises(Corrupt):
        insert_once(client, batch_of(tmp_path / "other", node, pages(3), events=4))
    assert stored(client, node) == before


def test_rows_the_engine_cannot_hold_are_refused_for_good_and_whole(client: Client, tmp_path: Path, node: int) -> None:
    cells = {**pages(3), cell("pages", "/bad"): Counters(events=-1)}
    with pytest.raises(NotInsertable):
        insert_once(client, batch_of(tmp_path, node, cells, events=4))
    assert parts(client, node) == []


def test_a_damaged_body_is_never_inserted(client: Client, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    data = bytearray(batch.path.read_bytes())
    data[batch.offset + 40] ^= 1
    batch.path.write_bytes(data)
    with pytest.raises(Corrupt):
        insert_once(client, batch)
    assert parts(client, node) == []


def test_no_bit_of_a_header_can_be_changed_or_missing(tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(1))
    data = batch.path.read_bytes()
    for place in range(batch.offset):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]):
            batch.path.write_bytes(changed)
            with pytest.raises(Corrupt):
                read_frozen(batch.path)


def test_a_frozen_file_is_private_and_says_what_it_stands_for(tmp_path: Path, node: int) -> None:
    days = {DAY: pages(2), DAY + 1: pages(1)}
    frozen = freeze(tmp_path, node=node, segments=["a-0-1-1", "a-0-1-2"], days=days, events={DAY: 5, DAY + 1: 1})
    assert frozen.path.stat().st_mode & 0o777 == 0o600
    assert read_frozen(frozen.path) == frozen
    assert frozen.segments == ("a-0-1-1", "a-0-1-2")
    assert [(batch.name, batch.day, batch.events, batch.rows) for batch in frozen.batches] == [
        ("a-0-1-1.20260904", DAY, 5, 2),
        ("a-0-1-1.20260905", DAY + 1, 1, 1),
    ]
    assert [batch.body().count(b"\n") for batch in frozen.batches] == [2, 1]


@pytest.mark.slow
def test_more_cells_than_one_part_may_hold_become_several_batches(client: Client, tmp_path: Path, node: int) -> None:
    cells = pages(MAX_ROWS + 7)
    frozen = freeze(tmp_path, node=node, segments=["a-0-1-1"], days={DAY: cells}, events={DAY: len(cells)})
    assert [batch.name for batch in frozen.batches] == ["a-0-1-1.20260904", "a-0-1-1.20260904.1"]
    assert all(insert_once(client, batch) for batch in frozen.batches)
    client.command("OPTIMIZE TABLE hot FINAL")
    assert not any(insert_once(client, batch) for batch in frozen.batches)
    counted = client.query(
        "SELECT sumIf(events, report = ''), sumIf(events, report != '') FROM hot WHERE node = {n:UInt64}",
        parameters={"n": node},
    ).result_rows[0]
    assert tuple(counted) == (len(cells), len(cells))


def test_no_column_could_hold_a_person(client: Client) -> None:
    columns = client.query("SELECT name, type FROM system.columns WHERE table = 'hot'").result_rows
    assert len(columns) == 13
    assert {str(kind) for _, kind in columns} <= ALLOWED_TYPES


def test_rows_of_a_cell_in_several_batches_add_up(engine: Embedded, client: Client, tmp_path: Path, node: int) -> None:
    reports = read_declarations().reports
    site = f"site-{node}"
    for n in range(3):
        cells = {
            cell("pages", "/a", site=site): Counters(2, 1, 1, 1, 0),
            cell("pages", "/a", site=site, epoch=2): Counters(1, 1, 1, 0, 0),
            cell("platforms", "linux", "desktop", site=site): Counters(1, 1, 1, 1, 0),
            cell("traffic", site=site, hour=n): Counters(2, 1, 1, 1, 1),
        }
        assert insert_once(client, batch_of(tmp_path, node, cells, events=3, segment=f"s-0-1-{n}"))
    reading = Reading(engine.reader())
    start = DAY * DAY_S
    assert reading.cells(reports["pages"], site, DAY, DAY) == [
        Row(start, ("/a",), node, 1, Counters(6, 3, 3, 3, 0)),
        Row(start, ("/a",), node, 2, Counters(3, 3, 3, 0, 0)),
    ]
    assert reading.cells(reports["platforms"], site, DAY - 1, DAY + 1) == [
        Row(start, ("linux", "desktop"), node, 1, Counters(3, 3, 3, 3, 0))
    ]
    assert reading.cells(reports["traffic"], site, DAY, DAY) == [
        Row(start + hour * 3600, (), node, 1, Counters(2, 1, 1, 1, 1)) for hour in range(3)
    ]
    assert reading.cells(reports["pages"], site, DAY + 1, DAY + 9) == []
    assert reading.bounds(site, DAY, DAY) == [
        Bound(DAY, node, "pages", 1, 3, 3),
        Bound(DAY, node, "pages", 2, 3, 0),
        Bound(DAY, node, "platforms", 1, 3, 3),
        Bound(DAY, node, "traffic", 1, 3, 3),  # a cell of the day is the sum of its hours
    ]
    assert reading.bounds("", DAY, DAY) == []  # markers have no property, and never come out


def test_stats_can_be_given_a_reading(engine: Embedded) -> None:
    reading: stats_days.Reading = Reading(engine.reader())
    assert list(reading.bounds("nobody", DAY, DAY)) == []


def test_who_reads_cannot_write(engine: Embedded) -> None:
    reader = engine.reader()
    for statement in ("DROP TABLE hot", "INSERT INTO hot (node) VALUES (1)", "SET readonly = 0"):
        with pytest.raises(Error):
            reader.command(statement)


def test_a_property_that_looks_like_sql_is_a_value(engine: Embedded) -> None:
    reading = Reading(engine.reader())
    assert reading.cells(read_declarations().reports["pages"], "' OR 1 = 1 --", DAY - 100, DAY + 100) == []


def test_a_second_process_is_told_who_is_in_its_way(engine: Embedded, tmp_path: Path) -> None:
    with (
        open_lock_holder(tmp_path / "engine"),
        pytest.raises(Misconfigured, match="another process"),
        open_embedded(tmp_path / "engine"),
    ):
        pass


def open_lock_holder(folder: Path) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; from collector.warehouse.embedded import open_embedded\n"
        "with open_embedded(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_a_running_query_does_not_keep_the_engine_from_closing(tmp_path: Path) -> None:
    program = """
import sys, threading, time
from pathlib import Path
from collector.warehouse.embedded import open_embedded
with open_embedded(Path(sys.argv[1])) as engine:
    reader = engine.reader()
    def ask():
        try:
            reader.query("SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 7")
        except Exception as error:
            print(error.name)
    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
thread.join()
print(time.monotonic() - began < 3)
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "engine")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.split() == ["QUERY_WAS_CANCELLED", "True"]
