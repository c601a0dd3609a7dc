"""While no collector runs, `collector doctor` looks itself: and makes, migrates and repairs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.data_folder import hold
from collector.doctor.line import State
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from tests.clickhouse_http import ClickHouseHttp
from tests.doctoring import doctor

TABLES = "SELECT name, comment FROM system.tables WHERE database = 'counts' ORDER BY name"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where a collector may have run."""
    hold(tmp_path / "data").release()
    return tmp_path / "data"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouseHttp]:
    harness = ClickHouseHttp(tmp_path / "clickhouse")
    yield harness
    harness.stop()


def test_a_directory_that_was_never_served_from_gets_no_name_and_no_database(data: Path) -> None:
    told = doctor(data)
    assert (told["database"].state, told["database"].tells) == (State.WARN, "none was made here yet")
    assert {path.name for path in data.iterdir()} <= {"lock", "tmp"}


def test_a_server_keeps_the_tables_it_has_and_is_not_given_any(data: Path, server: ClickHouseHttp) -> None:
    with closing(Server(server.url(""))) as engine:
        client = engine.administrator()
        told = doctor(data, clickhouse=server.url())
        assert (told["database"].state, told["database"].tells) == (
            State.WARN,
            "the server has no database of that name",
        )
        assert client.query("SELECT name FROM system.databases WHERE name = 'counts'").result_rows == []

        client.command("CREATE DATABASE counts")
        assert doctor(data, clickhouse=server.url())["database"].tells == "it lacks tables"
        assert client.query(TABLES).result_rows == []

        with closing(Server(server.url())) as collectors:
            Writing(collectors).connect()
        assert doctor(data, clickhouse=server.url())["database"].state is State.OK
        for table in ("hot", "sealed"):
            client.command(f"ALTER TABLE counts.{table} MODIFY COMMENT ''")  # as of version 2
        told = doctor(data, clickhouse=server.url())
        assert told["database"].tells == "its tables are of version 2, and this program's of 3"
        assert (told["database"].state, list(told)[-1]) == (State.WARN, "database")
        assert client.query(TABLES).result_rows == [("hot", ""), ("sealed", "")]
