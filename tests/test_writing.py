"""What must be in force in a database, on every engine: found out on contact, said plainly, never changed by us."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured, Unavailable
from collector.warehouse.engine import Engine
from collector.warehouse.tables import HOT, SEALED
from collector.warehouse.writing import LOOK_EVERY_S, Writing
from tests.storing import ENGINES, batch_of, open_engine, pages


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path_factory.mktemp("writing")) as engine:
        yield engine


class Elsewhere:
    """The same engine, in an empty database of the test's own."""

    def __init__(self, engine: Engine, database: str) -> None:
        self._engine = engine
        self._database = database

    def writer(self) -> Client:
        client = self._engine.writer()
        client.database = self._database
        return client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@pytest.fixture
def engine(server: Engine) -> Iterator[Any]:
    database = f"other_{secrets.token_hex(4)}"
    server.writer().command(f"CREATE DATABASE {database}")
    yield Elsewhere(server, database)
    server.writer().command(f"DROP DATABASE {database}")


def test_tables_are_made_where_they_are_absent_and_found_where_they_are(engine: Engine) -> None:
    Writing(engine).connect()
    Writing(engine).connect()
    assert engine.writer().command("SELECT count() FROM system.tables WHERE database = currentDatabase()") == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("SummingMergeTree((events, ", "SummingMergeTree(("), "engine is SummingMergeTree((visitors, "),
        (("SummingMergeTree((events, visitors, networks, firsts, amount))", "MergeTree"), "engine is MergeTree, and"),
        (
            ("PARTITION BY (toDate(bucket), node)", "PARTITION BY toDate(bucket)"),
            "partition key is toDate(bucket), and",
        ),
        (("d2, d3, epoch)", "d2, d3)"), "order is report, property, bucket, d1, d2, d3, and must be"),
        (("epoch UInt64 CODEC(T64, ZSTD(1))", "epoch UInt32"), "column epoch is UInt32, and must be UInt64"),
        (("    node UInt64", "    address String,\n    node UInt64"), "column address is String, and must be absent"),
        (("fsync_after_insert = 1, ", ""), "setting fsync_after_insert is absent, and must be 1"),
        (("window = 1000", "window = 10"), "setting non_replicated_deduplication_window is 10, and must be 1000"),
        (
            ("\nSETTINGS", "\nTTL bucket + INTERVAL 1 DAY\nSETTINGS"),
            "TTL is bucket + toIntervalDay(1), and must be absent",
        ),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused_by_what_differs_and_left_alone(
    engine: Engine, change: tuple[str, str], told: str
) -> None:
    other = HOT.ddl().replace(*change)
    assert other != HOT.ddl()
    client = engine.writer()
    client.command(other)
    before = client.command("SHOW CREATE TABLE hot")
    with pytest.raises(Misconfigured) as caught:
        Writing(engine).connect()
    assert str(caught.value).startswith("the table hot in the database is not as this version needs it: ")
    assert told in str(caught.value)
    assert client.command("SHOW CREATE TABLE hot") == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("\nTTL bucket + toIntervalMonth(25)", ""), "TTL is absent, and must be bucket + toIntervalMonth(25)"),
        (("Month(25)", "Month(2)"), "TTL is bucket + toIntervalMonth(2), and must be bucket + toIntervalMonth(25)"),
        (("Month(25)", "Month(25) WHERE amount = 0"), "TTL is bucket + toIntervalMonth(25) WHERE"),
        (("((events, visitors, amount))", ""), "engine is SummingMergeTree, and must be SummingMergeTree((events, "),
        (("toYYYYMM(bucket)", "toYear(bucket)"), "partition key is toYear(bucket), and must be toYYYYMM(bucket)"),
    ],
)
def test_the_sealed_table_has_exactly_the_declared_ttl(engine: Engine, change: tuple[str, str], told: str) -> None:
    client = engine.writer()
    client.command(SEALED.ddl().replace(*change))
    with pytest.raises(Misconfigured) as caught:
        Writing(engine).connect()
    assert str(caught.value).startswith("the table sealed in the database is not as this version needs it: ")
    assert told in str(caught.value)


def test_the_statements_that_make_the_tables_are_these() -> None:
    settings = (
        "SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1,"
        " min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 480\nCOMMENT 'collector schema 3'"
    )
    key = """(
    node UInt64 CODEC(T64, ZSTD(1)),
    report LowCardinality(String) CODEC(ZSTD(1)),
    property LowCardinality(String) CODEC(ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    d1 LowCardinality(String) CODEC(ZSTD(1)),
    d2 LowCardinality(String) CODEC(ZSTD(1)),
    d3 LowCardinality(String) CODEC(ZSTD(1)),
"""
    counters = """    events UInt64 CODEC(T64, ZSTD(1)),
    visitors UInt64 CODEC(T64, ZSTD(1)),
    networks UInt64 CODEC(T64, ZSTD(1)),
    firsts UInt64 CODEC(T64, ZSTD(1)),
    amount UInt64 CODEC(T64, ZSTD(1))
)
"""
    assert HOT.ddl() == (
        f"CREATE TABLE IF NOT EXISTS hot {key}    epoch UInt64 CODEC(T64, ZSTD(1)),\n{counters}"
        "ENGINE = SummingMergeTree((events, visitors, networks, firsts, amount))\n"
        f"PARTITION BY (toDate(bucket), node)\nORDER BY (report, property, bucket, d1, d2, d3, epoch)\n{settings}"
    )
    assert SEALED.ddl() == (
        f"CREATE TABLE IF NOT EXISTS sealed {key}{counters}ENGINE = SummingMergeTree((events, visitors, amount))\n"
        "PARTITION BY toYYYYMM(bucket)\nORDER BY (report, property, bucket, d1, d2, d3, node)\n"
        f"TTL bucket + toIntervalMonth(25)\n{settings}"
    )


def test_a_table_that_became_another_one_is_found_out_after_the_next_failure(engine: Engine, tmp_path: Path) -> None:
    writing = Writing(engine)
    assert writing.insert_once(batch_of(tmp_path, 1, pages(1)))
    client = engine.writer()
    client.command("DROP TABLE hot SYNC")
    client.command(HOT.ddl().replace("fsync_after_insert = 1, ", ""))
    writing.disconnect()
    with pytest.raises(Misconfigured, match="fsync_after_insert"):
        writing.insert_once(batch_of(tmp_path, 1, pages(1), segment="s-0-1-2"))


def test_detached_parts_are_told_on_contact_and_about_hourly(engine: Engine, tmp_path: Path) -> None:
    told: list[int] = []
    now = 0.0
    writing = Writing(engine, detached=told.append, now=lambda: now)
    assert writing.insert_once(batch_of(tmp_path, 1, pages(1)))
    assert told == [0]
    engine.writer().command("ALTER TABLE hot DETACH PARTITION ALL")
    assert writing.insert_once(batch_of(tmp_path, 1, pages(1), segment="s-0-1-2"))
    assert told == [0]
    now = LOOK_EVERY_S
    assert writing.insert_once(batch_of(tmp_path, 1, pages(1), segment="s-0-1-3"))
    assert told == [0, 1]
    Writing(engine, detached=told.append).connect()
    assert told == [0, 1, 1]


def test_a_host_that_does_not_answer_is_not_waited_for_again_by_every_batch(engine: Engine, tmp_path: Path) -> None:
    now, contacts = 0.0, 0

    class Silent(Elsewhere):
        def writer(self) -> Client:
            nonlocal now, contacts
            contacts += 1
            now += 6
            raise Unavailable("timed out")

    writing = Writing(Silent(engine, ""), now=lambda: now)
    for _ in range(100):
        with pytest.raises(Unavailable):
            writing.insert_once(batch_of(tmp_path, 1, pages(1)))
    assert contacts == 1
    now += 6
    with pytest.raises(Unavailable):
        writing.insert_once(batch_of(tmp_path, 1, pages(1)))
    assert contacts == 2


def test_an_attempt_whose_retry_comes_after_the_deduplication_window_counts_once(
    engine: Engine, tmp_path: Path
) -> None:
    writing = Writing(engine)
    writing.connect()
    client = engine.writer()
    client.command("ALTER TABLE hot MODIFY SETTING non_replicated_deduplication_window = 3")
    first = batch_of(tmp_path, 1, pages(2))
    assert writing.insert_once(first)
    for number in range(2, 8):
        assert writing.insert_once(batch_of(tmp_path, 1, pages(2), segment=f"s-0-1-{number}"))
    assert not writing.insert_once(first)
    assert client.command("SELECT sum(events) FROM hot WHERE report = 'pages'") == 14
