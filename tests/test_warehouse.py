"""Batches on the real engine: what a batch is once inserted, and what decides that it is."""

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
from collector.warehouse.embedded import Embedded
from collector.warehouse.insert_once import NotInsertable, insert_once
from tests.storing import DAY, batch_of, cell, open_with_tables, pages


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("warehouse") / "engine") as engine:
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


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
    assert not insert_once(client, read_frozen(DISK, batch.path).batches[0])
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
def test_more_cells_than_one_part_may_hold_become_several_batches(client: Client, tmp_path: Path, node: int) -> None:
    cells = pages(MAX_ROWS + 7)
    frozen = freeze(DISK, tmp_path, node=node, segments=["a-0-1-1"], days={DAY: cells}, events={DAY: len(cells)})
    assert [batch.name for batch in frozen.batches] == ["a-0-1-1.20260904", "a-0-1-1.20260904.1"]
    assert all(insert_once(client, batch) for batch in frozen.batches)
    client.command("OPTIMIZE TABLE hot FINAL")
    assert not any(insert_once(client, batch) for batch in frozen.batches)
    counted = client.query(
        "SELECT sumIf(events, report = ''), sumIf(events, report != '') FROM hot WHERE node = {n:UInt64}",
        parameters={"n": node},
    ).result_rows[0]
    assert tuple(counted) == (len(cells), len(cells))
