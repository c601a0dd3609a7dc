"""The embedded engine: no column could hold a person, what is read adds up, readers only read, one process has it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.catalogue.declarations import read_declarations
from collector.cell import Counters
from collector.errors import Misconfigured
from collector.stats import days as stats_days
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.insert_once import insert_once
from collector.warehouse.reading import Bound, Reading, Row
from tests.storing import DAY, DAY_S, batch_of, cell, open_with_tables

ALLOWED_TYPES = {"Date", "DateTime", "DateTime('UTC')", "LowCardinality(String)", "UInt8", "UInt16", "UInt32", "UInt64"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("engine") / "engine") as engine:
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


@pytest.fixture
def node() -> int:
    """A partition of its own."""
    return secrets.randbits(64)


def test_no_column_could_hold_a_person(client: Client) -> None:
    for table, width in (("hot", 13), ("sealed", 12)):
        columns = client.query(f"SELECT name, type FROM system.columns WHERE table = '{table}'").result_rows
        assert len(columns) == width
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
    reading = Reading(engine)
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
    reading: stats_days.Reading = Reading(engine)
    assert list(reading.bounds("nobody", DAY, DAY)) == []


def test_who_reads_cannot_write(engine: Embedded) -> None:
    reader = engine.reader()
    for statement in ("DROP TABLE hot", "INSERT INTO hot (node) VALUES (1)", "SET readonly = 0"):
        with pytest.raises(Error):
            reader.command(statement)


def test_a_property_that_looks_like_sql_is_a_value(engine: Embedded) -> None:
    reading = Reading(engine)
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
