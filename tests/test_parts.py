"""A part that is not whole on disk is not believed, whatever the engine remembers of it: its batch is inserted again.

The engine itself takes no notice of a write that fails (tests/test_injection.py shows it with a real one). Here a file
of a part is emptied behind its back, which looks the same to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from collector.errors import Unavailable
from collector.warehouse.embedded import Embedded
from collector.warehouse.engine import Engine
from collector.warehouse.writing import MERGES_EVERY_S, Writing
from tests.storing import batch_of, open_with_tables, pages

FILES = (
    "checksums.txt",
    "columns.txt",
    "columns_substreams.txt",
    "count.txt",
    "data.bin",
    "data.cmrk4",
    "default_compression_codec.txt",
    "metadata_version.txt",
    "minmax_bucket.idx",
    "minmax_node.idx",
    "partition.dat",
    "primary.cidx",
    "serialization.json",
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("parts") / "engine") as engine:
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


class Emptying:
    """Stands between us and the engine, and does something after an insert."""

    def __init__(self, engine: Engine, after: Callable[[], object]) -> None:
        self._engine = engine
        self._after = after

    def writer(self) -> Any:
        self._client = self._engine.writer()
        return self

    def raw_insert(self, *args: Any, **named: Any) -> None:
        self._client.raw_insert(*args, **named)
        self._after()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def part_of(client: Client, node: int) -> Path:
    """Where the only part of this node lies."""
    query = "SELECT path FROM system.parts WHERE table = 'hot' AND active AND rows AND endsWith(partition, {e:String})"
    ((path,),) = client.query(query, parameters={"e": f",{node})"}).result_rows
    return Path(path)


def counted(client: Client, node: int) -> int:
    query = "SELECT sum(events) FROM hot WHERE node = {n:UInt64} AND report = 'pages'"
    return int(client.query(query, parameters={"n": node}).result_rows[0][0])


def test_the_files_below_are_all_a_part_has(engine: Embedded, client: Client, tmp_path: Path) -> None:
    node = secrets.randbits(63)
    assert Writing(engine).insert_once(batch_of(tmp_path, node, pages(3)))
    assert sorted(file.name for file in part_of(client, node).iterdir()) == list(FILES)


@pytest.mark.parametrize("file", FILES)
def test_an_attempt_whose_part_is_not_whole_is_undone_and_made_again(
    engine: Embedded, client: Client, tmp_path: Path, file: str
) -> None:
    node = secrets.randbits(63)
    batch = batch_of(tmp_path, node, pages(3))
    emptying: Any = Emptying(engine, lambda: (part_of(client, node) / file).write_bytes(b""))
    with pytest.raises(Unavailable):
        Writing(emptying).insert_once(batch)
    assert Writing(engine).insert_once(batch)
    assert counted(client, node) == 3


@pytest.mark.parametrize("file", FILES)
def test_a_batch_found_in_a_part_that_is_not_whole_is_inserted_again(
    engine: Embedded, client: Client, tmp_path: Path, file: str
) -> None:
    node = secrets.randbits(63)
    batch = batch_of(tmp_path, node, pages(3))
    assert Writing(engine).insert_once(batch)
    (part_of(client, node) / file).write_bytes(b"")
    assert Writing(engine).insert_once(batch)
    assert counted(client, node) == 3


@pytest.mark.parametrize("file", ["data.bin", "partition.dat", "metadata_version.txt"])
def test_a_merge_whose_part_is_not_whole_is_undone(engine: Embedded, client: Client, tmp_path: Path, file: str) -> None:
    node = secrets.randbits(63)
    now_s = 0.0
    writing = Writing(engine, now=lambda: now_s)
    for number in range(3):
        assert writing.insert_once(batch_of(tmp_path, node, pages(3), segment=f"s-0-1-{number}"))
    client.command("OPTIMIZE TABLE hot FINAL")
    merged = part_of(client, node)
    (merged / file).write_bytes(b"")
    now_s = MERGES_EVERY_S
    writing.look_at_merges()
    assert counted(client, node) == 9
    query = "SELECT count() FROM system.parts WHERE table = 'hot' AND active AND name = {n:String}"
    assert client.query(query, parameters={"n": merged.name}).result_rows == [(0,)]


def test_a_merge_that_is_whole_stays(engine: Embedded, client: Client, tmp_path: Path) -> None:
    node = secrets.randbits(63)
    now_s = 0.0
    writing = Writing(engine, now=lambda: now_s)
    for number in range(3):
        assert writing.insert_once(batch_of(tmp_path, node, pages(3), segment=f"s-0-1-{number}"))
    client.command("OPTIMIZE TABLE hot FINAL")
    merged = part_of(client, node)
    now_s = MERGES_EVERY_S
    writing.look_at_merges()
    assert part_of(client, node) == merged
    assert counted(client, node) == 9
