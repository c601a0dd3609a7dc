"""A batch goes into replicated tables once, and what no majority confirms is not believed.

No Keeper can be had where tests run, so no replica takes an insert here. What a replicated table must be like is shown
on real ones of the engine's own in-memory Keeper, which are read-only; the order of asking and believing is shown on
plain tables that are taken for replicated ones, whose deduplication by token is the same to an asker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from collector.errors import Corrupt, Misconfigured, Unavailable
from collector.warehouse.batch import Batch
from collector.warehouse.engine import Engine
from collector.warehouse.in_force import make_tables, replicated_tables
from collector.warehouse.insert_once import PINNED, attempt
from collector.warehouse.server import Server
from collector.warehouse.tables import TABLES, Place
from collector.warehouse.writing import Writing
from tests.clickhouse_http import ClickHouseHttp
from tests.storing import batch_of, open_with_tables, pages

REPLICATED = Place(cluster="main")
KEEPER = """
<clickhouse>
  <zookeeper><implementation>testkeeper</implementation></zookeeper>
  <macros><shard>01</shard><replica>r1</replica></macros>
</clickhouse>
"""


class Replicas:
    """An engine whose tables are taken for replicated ones; `between` sees and may replace every insert and marker."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.inserts = 0
        self.insert: Callable[[Callable[[], object]], object] = lambda insert: insert()
        self.look: Callable[[], None] = lambda: None

    def writer(self) -> Any:
        self._client = self._engine.writer()
        return self

    def query(self, statement: str, *args: Any, **named: Any) -> Any:
        if "startsWith(engine, 'Replicated')" in statement:
            return SimpleNamespace(result_rows=[(name,) for name in TABLES])
        if "sum(events), sum(amount)" in statement:
            self.look()
        return self._client.query(statement, *args, **named)

    def raw_insert(self, *args: Any, **named: Any) -> None:
        self.inserts += 1
        self.insert(lambda: self._client.raw_insert(*args, **named))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_with_tables(tmp_path_factory.mktemp("quorum") / "engine") as engine:
        yield engine


@pytest.fixture
def replicas(engine: Engine) -> Replicas:
    return Replicas(engine)


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.writer()


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return batch_of(tmp_path, hash(tmp_path) & 0xFFFF_FFFF, pages(3))


def events(client: Client, batch: Batch) -> int:
    query = "SELECT sum(events) FROM hot WHERE report = 'pages' AND node = {node:UInt64}"
    return int(client.query(query, parameters={"node": batch.node}).result_rows[0][0])


def test_what_may_not_have_been_taken_is_tried_again_under_the_same_token_and_counts_once(
    replicas: Replicas, client: Client, batch: Batch
) -> None:
    for _ in range(3):  # the collector is killed after each
        assert Writing(replicas).insert_once(batch)
    assert replicas.inserts == 3
    assert events(client, batch) == 3


def test_a_marker_that_has_settled_is_believed(
    replicas: Replicas, client: Client, batch: Batch, tmp_path: Path
) -> None:
    writing = Writing(replicas)
    assert writing.insert_once(batch)
    assert writing.insert_once(batch_of(tmp_path, batch.node, pages(3), segment="s-0-1-2"))
    client.command("OPTIMIZE TABLE hot FINAL")
    assert not writing.insert_once(batch)
    assert replicas.inserts == 2
    assert events(client, batch) == 6


def test_an_attempt_that_hung_elsewhere_and_goes_on_after_the_look_counts_once(
    replicas: Replicas, client: Client, batch: Batch
) -> None:
    def late(insert: Callable[[], object]) -> None:
        assert attempt(client, batch, batch.name) is None
        insert()

    replicas.insert = late
    assert Writing(replicas).insert_once(batch)
    assert events(client, batch) == 3


def test_an_error_is_believed_more_than_a_marker(replicas: Replicas, client: Client, batch: Batch) -> None:
    def unknown(insert: Callable[[], object]) -> None:
        insert()  # the replica shows it, and may drop it in five minutes
        raise OperationalError("UNKNOWN_STATUS_OF_INSERT")

    replicas.insert = unknown
    writing = Writing(replicas)
    for _ in range(2):
        with pytest.raises(Unavailable):
            writing.insert_once(batch)
    replicas.insert = lambda insert: insert()
    assert writing.insert_once(batch)
    assert events(client, batch) == 3


def test_a_success_without_a_marker_is_not_believed(replicas: Replicas, batch: Batch) -> None:
    replicas.insert = lambda insert: None
    with pytest.raises(Unavailable, match="is known to Keeper, and its marker is not there"):
        Writing(replicas).insert_once(batch)


def test_a_replica_that_lacks_what_others_have_is_not_asked_to_insert(replicas: Replicas, batch: Batch) -> None:
    def lags() -> None:
        error = DatabaseError("REPLICA_IS_NOT_IN_QUORUM")
        error.code = 289
        raise error

    replicas.look = lags
    with pytest.raises(Unavailable, match=r"\(ClickHouse error 289\)"):
        Writing(replicas).insert_once(batch)
    assert not replicas.inserts


def test_two_markers_are_waited_for_until_one_is_left(replicas: Replicas, client: Client, batch: Batch) -> None:
    assert attempt(client, batch, "of a commit whose fate is unknown") is None
    with pytest.raises(Unavailable, match="is there 2 times, until the engine drops one"):
        Writing(replicas).insert_once(batch)
    query = "SELECT min(name) FROM system.parts WHERE active AND table = 'hot' AND partition LIKE {like:String}"
    part = client.query(query, parameters={"like": f"%,{batch.node})"}).result_rows[0][0]
    client.command(f"ALTER TABLE hot DROP PART '{part}'")
    assert Writing(replicas).insert_once(batch)
    assert events(client, batch) == 3


def test_a_marker_that_tells_other_counts_stops_the_batch(
    replicas: Replicas, client: Client, batch: Batch, tmp_path: Path
) -> None:
    assert Writing(replicas).insert_once(batch)
    (tmp_path / "other").mkdir()
    with pytest.raises(Corrupt):
        Writing(replicas).insert_once(batch_of(tmp_path / "other", batch.node, pages(3), events=9))


# --- what a replicated table must be like -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("keeper")
    (folder / "config.xml").write_text(KEEPER)
    harness = ClickHouseHttp(folder / "server", config=folder / "config.xml")
    with closing(Server(harness.url())) as server:
        yield server
    harness.stop()


@pytest.fixture
def replica(server: Server, request: pytest.FixtureRequest) -> Client:
    client = server.writer()
    database = f"of_{abs(hash(request.node.name))}"
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    return client


def of_one_replica(statement: str) -> str:
    """The statement as each server of the cluster runs it."""
    assert " ON CLUSTER `main`" in statement
    return statement.replace(" ON CLUSTER `main`", "")


def test_replicated_tables_as_declared_are_accepted_as_they_are(replica: Client) -> None:
    for table in TABLES.values():
        replica.command(of_one_replica(table.ddl(REPLICATED)))
    assert make_tables(replica) == 3
    assert replicated_tables(replica) == set(TABLES)
    (path,) = replica.query("SELECT DISTINCT zookeeper_path FROM system.replicas WHERE table = 'hot'").result_rows[-1]
    assert path == f"/clickhouse/tables/01/{replica.database}/hot"  # for whichever replica is made, and whenever


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("window_seconds = 604800", "window_seconds = 60"), "setting replicated_deduplication_window_seconds is 60"),
        (("fsync_after_fetch = 1", "fsync_after_fetch = 0"), "setting min_compressed_bytes_to_fsync_after_fetch is 0"),
        (("fsync_after_insert = 1, ", ""), "setting fsync_after_insert is absent"),
        (("(events, visitors, networks,", "(visitors, networks,"), "engine is SummingMergeTree((visitors, networks,"),
    ],
)
def test_a_replicated_table_that_is_not_as_declared_is_refused(
    replica: Client, change: tuple[str, str], told: str
) -> None:
    statement = of_one_replica(TABLES["hot"].ddl(REPLICATED))
    assert statement != statement.replace(*change)
    replica.command(statement.replace(*change))
    with pytest.raises(Misconfigured) as caught:
        make_tables(replica)
    assert told in str(caught.value)


def test_a_cluster_is_not_made_of_a_table_that_is_not_replicated(replica: Client) -> None:
    for table in TABLES.values():
        replica.command(table.ddl())

    with pytest.raises(Misconfigured, match="the table hot is there already, and not replicated"):
        make_tables(replica, REPLICATED)


def test_inserts_wait_for_a_majority_and_questions_for_what_it_has(engine: Engine) -> None:
    assert PINNED["insert_quorum"] == "auto"
    assert PINNED["insert_quorum_parallel"] == 0
    names = ", ".join(f"'{name}'" for name in PINNED)
    rows = engine.writer().query(f"SELECT name FROM system.settings WHERE name IN ({names})").result_rows
    assert len(rows) == len(PINNED)
