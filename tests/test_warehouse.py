"""Batches on every engine: what a batch is once inserted, what decides that it is, and what must be in force for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from collector.cell import Counters
from collector.disk import DISK
from collector.errors import Corrupt, Unavailable
from collector.warehouse.batch import MAX_ROWS, freeze, read_frozen
from collector.warehouse.engine import Engine
from collector.warehouse.insert_once import NotInsertable
from collector.warehouse.writing import Writing
from tests.storing import DAY, ENGINES, batch_of, cell, open_engine, pages


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path_factory.mktemp("warehouse")) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.writer()


@pytest.fixture
def writing(engine: Engine) -> Writing:
    return Writing(engine)


@pytest.fixture
def node() -> int:
    """A partition of its own."""
    return secrets.randbits(64)


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

    def __init__(self, engine: Engine, *, insert: bool = True, report: Exception | None = None) -> None:
        self._engine = engine
        self._insert = insert
        self._report = report
        self.tokens: list[str] = []

    def writer(self) -> Any:
        """A stand-in for a client."""
        self._client = self._engine.writer()
        return self

    def raw_insert(self, *args: Any, **named: Any) -> None:
        self.tokens.append(named["settings"]["insert_deduplication_token"])
        if self._insert:
            self._client.raw_insert(*args, **named)
        if self._report:
            raise self._report

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def writing_through(between: Between) -> Writing:
    engine: Any = between
    return Writing(engine)


@pytest.mark.parametrize("rows", [0, 1, 20_000, 200_000])
def test_a_batch_is_one_part_in_one_partition(
    client: Client, writing: Writing, tmp_path: Path, node: int, rows: int
) -> None:
    assert writing.insert_once(batch_of(tmp_path, node, pages(rows), events=rows + 1))
    assert [count for _, count in parts(client, node)] == [rows + 1]


def test_a_batch_that_is_there_is_not_inserted_again(
    client: Client, writing: Writing, tmp_path: Path, node: int
) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    assert writing.insert_once(batch)
    assert not writing.insert_once(batch)
    assert not writing.insert_once(read_frozen(DISK, batch.path).batches[0])
    assert stored(client, node) == [
        ("", batch.name, 3, 3),
        ("pages", "/page/0", 1, 0),
        ("pages", "/page/1", 1, 0),
        ("pages", "/page/2", 1, 0),
    ]


def test_markers_survive_merges(client: Client, writing: Writing, tmp_path: Path, node: int) -> None:
    batches = [batch_of(tmp_path, node, pages(5), segment=f"s-0-1-{n}") for n in range(20)]
    assert all(writing.insert_once(batch) for batch in batches)
    client.command("OPTIMIZE TABLE hot FINAL")
    assert [count for _, count in parts(client, node)] == [5 + 20]
    assert not any(writing.insert_once(batch) for batch in batches)


def test_a_reported_success_without_rows_is_not_believed(
    engine: Engine, writing: Writing, tmp_path: Path, node: int
) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    with pytest.raises(Unavailable):
        writing_through(Between(engine, insert=False)).insert_once(batch)
    assert writing.insert_once(batch)


def test_a_reported_failure_with_rows_is_not_believed(
    engine: Engine, client: Client, writing: Writing, tmp_path: Path, node: int
) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    assert writing_through(Between(engine, report=OperationalError("connection reset"))).insert_once(batch)
    assert not writing.insert_once(batch)
    assert sum(events for report, _, events, _ in stored(client, node) if report) == 3


def test_every_attempt_has_a_token_of_its_own(engine: Engine, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(1))
    between = Between(engine, insert=False)
    for _ in range(3):
        with pytest.raises(Unavailable):
            writing_through(between).insert_once(batch)
    assert len(set(between.tokens)) == 3


def test_a_marker_that_tells_other_counts_stops_the_batch(
    client: Client, writing: Writing, tmp_path: Path, node: int
) -> None:
    assert writing.insert_once(batch_of(tmp_path, node, pages(3)))
    before = stored(client, node)
    (tmp_path / "other").mkdir()
    with pytest.raises(Corrupt):
        writing.insert_once(batch_of(tmp_path / "other", node, pages(3), events=4))
    assert stored(client, node) == before


def test_rows_the_engine_cannot_hold_are_refused_for_good_and_whole(
    client: Client, writing: Writing, tmp_path: Path, node: int
) -> None:
    cells = {**pages(3), cell("pages", "/bad"): Counters(events=-1)}
    with pytest.raises(NotInsertable):
        writing.insert_once(batch_of(tmp_path, node, cells, events=4))
    assert parts(client, node) == []


def test_a_damaged_body_is_never_inserted(client: Client, writing: Writing, tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(3))
    data = bytearray(batch.path.read_bytes())
    data[batch.offset + 40] ^= 1
    batch.path.write_bytes(data)
    with pytest.raises(Corrupt):
        writing.insert_once(batch)
    assert parts(client, node) == []


def test_no_bit_of_a_header_can_be_changed_or_missing(tmp_path: Path, node: int) -> None:
    batch = batch_of(tmp_path, node, pages(1))
    data = batch.path.read_bytes()
    for place in range(batch.offset):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]):
            batch.path.write_bytes(changed)
            with pytest.raises(Corrupt):
                read_frozen(DISK, batch.path)


def test_a_frozen_file_is_private_and_says_what_it_stands_for(tmp_path: Path, node: int) -> None:
    days = {DAY: pages(2), DAY + 1: pages(1)}
    frozen = freeze(DISK, tmp_path, node=node, segments=["a-0-1-1", "a-0-1-2"], days=days, events={DAY: 5, DAY + 1: 1})
    assert frozen.path.stat().st_mode & 0o777 == 0o600
    assert read_frozen(DISK, frozen.path) == frozen
    assert frozen.segments == ("a-0-1-1", "a-0-1-2")
    assert [(batch.name, batch.day, batch.events, batch.rows) for batch in frozen.batches] == [
        ("a-0-1-1.20260904", DAY, 5, 2),
        ("a-0-1-1.20260905", DAY + 1, 1, 1),
    ]
    assert [batch.body().count(b"\n") for batch in frozen.batches] == [2, 1]


@pytest.mark.slow
def test_more_cells_than_one_part_may_hold_become_several_batches(
    client: Client, writing: Writing, tmp_path: Path, node: int
) -> None:
    cells = pages(MAX_ROWS + 7)
    frozen = freeze(DISK, tmp_path, node=node, segments=["a-0-1-1"], days={DAY: cells}, events={DAY: len(cells)})
    assert [batch.name for batch in frozen.batches] == ["a-0-1-1.20260904", "a-0-1-1.20260904.1"]
    assert all(writing.insert_once(batch) for batch in frozen.batches)
    client.command("OPTIMIZE TABLE hot FINAL")
    assert not any(writing.insert_once(batch) for batch in frozen.batches)
    counted = client.query(
        "SELECT sumIf(events, report = ''), sumIf(events, report != '') FROM hot WHERE node = {n:UInt64}",
        parameters={"n": node},
    ).result_rows[0]
    assert tuple(counted) == (len(cells), len(cells))
