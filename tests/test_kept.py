"""What is kept 25 months goes on the day that the engine says, also at the ends of months: nobody is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.warehouse.engine import Engine
from collector.warehouse.tables import KEPT_MONTHS, SEALED, kept_after
from collector.warehouse.writing import Writing
from tests.importing import Importer
from tests.made_logs import DAY_S, Request, written
from tests.memory_reading import seconds
from tests.storing import open_engine

YEARS = range(20_454, 20_454 + 12 * 366)  # from 2026 on


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("kept")) as engine:
        yield engine


def test_on_every_day_of_twelve_years_it_is_the_latest_day_that_the_ttl_takes(engine: Engine) -> None:
    oldest = YEARS[0] - 32 * KEPT_MONTHS
    query = (
        f"SELECT number + {oldest}, toUnixTimestamp({SEALED.ttl}) FROM (SELECT number, toDateTime((number + {oldest})"
        f" * {DAY_S}, 'UTC') AS bucket FROM numbers({YEARS[-1] - oldest}))"
    )
    ends = [(int(day), int(end_s)) for day, end_s in engine.writer().query(query).result_rows]
    for today in YEARS:
        for now_s in (today * DAY_S, today * DAY_S + DAY_S - 1):
            assert kept_after(now_s) == max(day for day, end_s in ends[today - YEARS[0] :][:99] if end_s <= now_s), (
                today
            )


def test_the_day_after_it_stays_and_it_goes(engine: Engine) -> None:
    writing = Writing(engine)
    writing.connect()
    client = engine.writer()
    day = writing.kept_after()
    rows = [SEALED.marker(7, each, "it", events=1, rows=0) for each in range(day - 3, day + 4)]
    client.insert("sealed", rows, column_names=list(SEALED.columns))
    client.command("OPTIMIZE TABLE sealed FINAL")
    found = client.query(f"SELECT intDiv(toUnixTimestamp(bucket), {DAY_S}) FROM sealed ORDER BY bucket").result_rows
    assert writing.kept_after() != day or [int(each) for (each,) in found] == [day + 1, day + 2, day + 3]


def test_an_import_leaves_out_what_a_short_month_takes_tomorrow(engine: Engine, tmp_path: Path) -> None:
    importer = Importer(engine, tmp_path / "data")
    importer.clock.at = seconds("2051-02-27T12:00:00")
    days = range(seconds("2049-01-27T12:00:00"), seconds("2049-02-04T00:00:00"), DAY_S)
    told = importer.counted(written(tmp_path / "log", [Request(at=at) for at in days]))
    assert (told.tally, told.days) == ({"too_old": 5, "counted": 3}, ["2049-02-01", "2049-02-02", "2049-02-03"])
