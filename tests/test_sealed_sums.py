"""What is sealed is added up by the database, and that is the same as adding up every row."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from collector.catalogue.declarations import read_declarations
from collector.catalogue.reports import Report
from collector.cell import OTHER
from collector.warehouse.embedded import Embedded
from collector.warehouse.reading import DAYS_AT_ONCE, Reading, SealedRow
from collector.warehouse.tables import COLUMNS, SEAL, SEALED
from tests.memory_reading import SITE
from tests.sealing import DAY_S, FIRST_DAY
from tests.storing import open_with_tables

DAYS = 2 * DAYS_AT_ONCE + 30
THROUGH = {1: FIRST_DAY + DAYS - 1, 2: FIRST_DAY + DAYS - 20}
RESTARTED = {(FIRST_DAY + 3, 1): 2, (FIRST_DAY + 4, 1): 3, (FIRST_DAY + 4, 2): 2}
WITHOUT_ROWS = FIRST_DAY + 3  # of campaigns
REPORTS = read_declarations().reports
KNOWN = ("traffic", "pages", "platforms", "campaigns")


class Made(NamedTuple):
    """A row as it lies in the table."""

    report: str
    bucket: int
    node: int
    values: tuple[str, ...]
    counted: tuple[int, int, int]


def made_rows() -> Iterator[Made]:
    """Rows of two nodes, of days up to some beyond those that will be known to be sealed."""
    chance = random.Random(7)
    for day in range(FIRST_DAY, FIRST_DAY + DAYS):
        for node in THROUGH:
            for report in (REPORTS[name] for name in KNOWN):
                if report.name == "campaigns" and day == WITHOUT_ROWS:
                    continue
                for _ in range(chance.randrange(1, 4)):
                    values = tuple(chance.choice(("a", "b", "c", OTHER)) for _ in report.by)
                    hour = chance.randrange(24) if report.grain == "hour" else 0
                    counted = (chance.randrange(1, 9), 0 if OTHER in values else chance.randrange(9), 5)
                    yield Made(report.name, day * DAY_S + hour * 3_600, node, values, counted)


@pytest.fixture(scope="module")
def rows() -> list[Made]:
    return list(made_rows())


@pytest.fixture(scope="module")
def reading(rows: list[Made], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    folder: Path = tmp_path_factory.mktemp("sums")
    with open_with_tables(folder / "engine") as engine:
        insert(engine, rows)
        reading = Reading(engine)
        assert reading.sealed_through() == THROUGH
        yield reading


def insert(engine: Embedded, rows: list[Made]) -> None:
    lines: list[tuple[Any, ...]] = []
    for row in rows:
        events, visitors, amount = row.counted
        padding = ("",) * (3 - len(row.values))
        lines.append((row.node, row.report, SITE, row.bucket, *row.values, *padding, events, visitors, 10, 0, amount))
    for node, through in THROUGH.items():
        for day in range(FIRST_DAY, through + 1):
            epochs = RESTARTED.get((day, node), 1)
            lines.append(SEALED.marker(node, day, f"seal-{day}", events=0, rows=1, d2=SEAL, visitors=epochs))
    client: Client = engine.writer()
    columns = [column for column in COLUMNS if column != "epoch"]
    client.raw_insert(SEALED.name, columns, b"\n".join(map(orjson.dumps, lines)), fmt="JSONCompactEachRow")
    client.close()


def begins(bucket: int, interval: str | None) -> str:
    """The interval a bucket lies in, in other words than the database's."""
    at = datetime.fromtimestamp(bucket, UTC)
    monday = date(at.year, at.month, at.day) - timedelta(days=at.weekday())
    told = {None: "", "hour": f"{at:%Y-%m-%dT%H}", "day": f"{at:%Y-%m-%d}", "week": str(monday), "month": f"{at:%Y-%m}"}
    return told[interval]


Sums = dict[tuple[str, int, tuple[str, ...]], tuple[int, ...]]


def summed(found: Collection[Made | SealedRow], interval: str | None) -> Sums:
    sums: defaultdict[tuple[str, int, tuple[str, ...]], tuple[int, ...]] = defaultdict(lambda: (0, 0, 0))
    for row in found:
        counted = row.counted if isinstance(row, Made) else (row.events, row.visitors, row.amount)
        key = begins(row.bucket, interval), row.node, row.values
        sums[key] = tuple(map(sum, zip(sums[key], counted, strict=True)))
    return dict(sums)


def blanked(row: Made, report: Report, dimensions: Collection[str]) -> Made:
    kept = (value if name in dimensions else "" for name, value in zip(report.by, row.values, strict=True))
    return row._replace(values=tuple(kept))


@pytest.mark.parametrize("name", KNOWN)
def test_sums_of_any_interval_and_dimensions_are_those_of_all_rows(
    name: str, reading: Reading, rows: list[Made]
) -> None:
    report = REPORTS[name]
    intervals = [None, "day", "week", "month", *(["hour"] if report.grain == "hour" else [])]
    for first, last in ((FIRST_DAY, FIRST_DAY + DAYS + 9), (FIRST_DAY + 17, FIRST_DAY + DAYS - 15)):
        known = [
            row for row in rows if row.report == name and first <= row.bucket // DAY_S <= min(last, THROUGH[row.node])
        ]
        for interval in intervals:
            for count in range(len(report.by) + 1):
                for dimensions in combinations(report.by, count):
                    found = list(reading.sealed(report, SITE, first, last, interval, dimensions))
                    expected = [blanked(row, report, dimensions) for row in known]
                    assert summed(found, interval) == summed(expected, interval)
                    if interval == "month":  # it is the database that added them up
                        assert len(found) == len(summed(expected, interval))


def test_days_counted_in_several_epochs_are_told_where_a_report_has_rows(reading: Reading) -> None:
    last = FIRST_DAY + DAYS
    assert reading.sealed_epochs(REPORTS["pages"], SITE, FIRST_DAY, last) == RESTARTED
    on_the_fourth = {part: epochs for part, epochs in RESTARTED.items() if part[0] != WITHOUT_ROWS}
    assert reading.sealed_epochs(REPORTS["campaigns"], SITE, FIRST_DAY, last) == on_the_fourth
    assert reading.sealed_epochs(REPORTS["pages"], SITE, FIRST_DAY + 5, last) == {}
    assert reading.sealed_epochs(REPORTS["pages"], "nobody", FIRST_DAY, last) == {}


def test_what_is_sealed_meanwhile_is_not_read_before_it_is_asked_how_far(reading: Reading) -> None:
    days = {
        row.bucket // DAY_S
        for row in reading.sealed(REPORTS["pages"], SITE, 0, 99_999, "day", ("path",))
        if row.node == 2
    }
    assert max(days) == THROUGH[2]
