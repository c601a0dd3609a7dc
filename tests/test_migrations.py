"""Every earlier schema is brought to this one, and counts what it counted; tests/data/schemas/ holds each as it was."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from collector.errors import Misconfigured
from collector.stats.answer import Answer
from collector.warehouse.engine import Engine
from collector.warehouse.migrations import STEPS, statements_from
from collector.warehouse.tables import SCHEMA, TABLES
from collector.warehouse.writing import Writing
from tests.memory_reading import SteppedClock
from tests.sealing import DAY_S, DUE_S, FIRST_DAY, Desk, KilledError, Node, hits, noon
from tests.storing import open_with_tables

SCHEMAS = Path(__file__).parent / "data" / "schemas"
EARLIER = ["1", "1-generated", "2"]
DAYS = range(FIRST_DAY, FIRST_DAY + 4)
REPORTS = ("traffic", "pages", "countries", "sources")


class Elsewhere:
    """The same engine in another database; `kill_after`: who brings it up to date dies after so many statements."""

    def __init__(self, engine: Engine, database: str, kill_after: int = -1) -> None:
        self._engine = engine
        self._database = database
        self._kill_after = kill_after
        self.statements: list[str] = []

    def writer(self) -> Any:
        self._client = self._engine.writer()
        self._client.database = self._database
        return self

    def reader(self) -> Client:
        client = self._engine.reader()
        client.database = self._database
        return client

    def command(self, statement: str, *args: Any, **named: Any) -> Any:
        if statement.startswith(("CREATE", "ALTER")):
            if len(self.statements) == self._kill_after:
                raise KilledError(statement)
            self.statements.append(statement)
        return self._client.command(statement, *args, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine where one collector has lived: some days are sealed, some are open."""
    folder = tmp_path_factory.mktemp("migrations")
    with open_with_tables(folder / "engine") as engine:
        clock = SteppedClock(FIRST_DAY * DAY_S)
        node = Node(engine, folder, clock)
        for number, day in enumerate(DAYS):
            node.place.write(hits(day, 12 + number) + hits(day, 3, country="FR", path="/pricing", hour=20))
            clock.at = noon(day) * 3600
            node.load()
        client = engine.writer()
        client.command("CREATE DATABASE unsealed")
        client.command("CREATE TABLE unsealed.hot AS hot")
        client.command("INSERT INTO unsealed.hot SELECT * FROM hot")
        client.command("CREATE TABLE unsealed.sealed AS sealed")
        clock.at = (FIRST_DAY + 1) * DAY_S + DUE_S
        node.work()
        assert client.command("SELECT count() FROM sealed WHERE d2 = 'sealed'") == 2
        assert client.command("SELECT sum(events) FROM unsealed.hot WHERE report = 'pages'") == 66
        yield engine


def statements(schema: str) -> list[str]:
    """The statements of a golden file."""
    lines = (SCHEMAS / f"{schema}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";").split(";\n")


def as_it_was(engine: Engine, schema: str) -> tuple[str, str]:
    """A new database of that schema with what the collector counted by then, and the database it was copied from."""
    origin = "unsealed" if schema.startswith("1") else "default"
    database = f"earlier_{secrets.token_hex(4)}"
    client = engine.writer()
    client.command(f"CREATE DATABASE {database}")
    client.database = database
    for statement in statements(schema):
        client.command(statement)
    for table in ("hot",) if schema.startswith("1") else tuple(TABLES):
        client.command(f"INSERT INTO {table} SELECT * FROM {origin}.{table}")
    return database, origin


def rows(engine: Engine, database: str) -> dict[str, list[Any]]:
    """Everything that lies in a database: cells, sealed rows, markers and seals, each summed as readers sum it."""
    found = {}
    for name, table in TABLES.items():
        key = ", ".join(column for column in table.columns if column not in ("events", "visitors", "amount"))
        query = (
            f"SELECT {key}, sum(events), sum(visitors), sum(amount) FROM {database}.{name} GROUP BY {key} ORDER BY ALL"
        )
        found[name] = list(engine.writer().query(query).result_rows)
    return found


def answers(engine: Engine, database: str) -> list[Answer]:
    """What an analyst is answered."""
    desk = Desk(Elsewhere(engine, database), SteppedClock((FIRST_DAY + 4) * DAY_S))
    return [desk.ask(report, DAYS[0], DAYS[-1], interval="day") for report in REPORTS]


def comments(engine: Engine, database: str) -> set[str]:
    query = "SELECT comment FROM system.tables WHERE database = {database:String}"
    return {comment for (comment,) in engine.writer().query(query, parameters={"database": database}).result_rows}


@pytest.mark.parametrize("schema", EARLIER)
def test_an_earlier_schema_is_brought_to_this_one_and_says_the_same(engine: Engine, schema: str) -> None:
    database, origin = as_it_was(engine, schema)
    elsewhere = Elsewhere(engine, database)
    Writing(elsewhere).connect()
    assert elsewhere.statements
    assert comments(engine, database) == {f"collector schema {SCHEMA}"}
    assert rows(engine, database) == rows(engine, origin)
    assert answers(engine, database) == answers(engine, origin)
    elsewhere.statements.clear()
    Writing(elsewhere).connect()
    assert not elsewhere.statements


@pytest.mark.parametrize("schema", ["1", "2"])
def test_whoever_is_killed_after_any_statement_leaves_what_the_next_one_finishes(engine: Engine, schema: str) -> None:
    for kill_after in range(len(list(statements_from(int(schema))))):
        database, origin = as_it_was(engine, schema)
        with pytest.raises(KilledError):
            Writing(Elsewhere(engine, database, kill_after)).connect()
        Writing(Elsewhere(engine, database)).connect()
        assert comments(engine, database) == {f"collector schema {SCHEMA}"}
        assert rows(engine, database) == rows(engine, origin)
        assert answers(engine, database) == answers(engine, origin)


def test_what_is_made_anew_is_the_last_golden_file_and_the_files_end_with_it(engine: Engine) -> None:
    assert statements(str(SCHEMA)) == [table.ddl() for table in TABLES.values()]
    assert not (SCHEMAS / f"{SCHEMA + 1}.sql").exists()
    assert sorted(STEPS) == list(range(1, SCHEMA + 1))
    assert all((step.__doc__ or "").startswith(f"{to - 1} -> {to}: ") for to, step in STEPS.items())


@pytest.mark.parametrize("table", list(TABLES))
def test_a_database_of_a_newer_program_is_refused_and_left_alone(engine: Engine, table: str) -> None:
    database, _ = as_it_was(engine, "2")
    client = engine.writer()
    client.command(f"ALTER TABLE {database}.{table} MODIFY COMMENT 'collector schema {SCHEMA + 1}'")
    elsewhere = Elsewhere(engine, database)
    with pytest.raises(Misconfigured, match=f"is of version {SCHEMA + 1}, and this program knows {SCHEMA} and earlier"):
        Writing(elsewhere).connect()
    assert not elsewhere.statements


def test_a_table_that_is_not_as_it_was_is_refused_before_anything_is_changed(engine: Engine) -> None:
    database, _ = as_it_was(engine, "1")
    client = engine.writer()
    client.command(f"ALTER TABLE {database}.hot RESET SETTING fsync_after_insert")
    elsewhere = Elsewhere(engine, database)
    with pytest.raises(Misconfigured, match="setting fsync_after_insert is absent, and must be 1"):
        Writing(elsewhere).connect()
    assert not elsewhere.statements


def test_who_may_not_change_the_tables_is_told_to_migrate_and_who_need_not_is_let_in(engine: Engine) -> None:
    class MayNot(Elsewhere):
        def command(self, statement: str, *args: Any, **named: Any) -> Any:
            if statement.startswith(("CREATE", "ALTER")):
                error = DatabaseError("Code: 497")
                error.code = 497
                raise error
            return super().command(statement, *args, **named)

    database, _ = as_it_was(engine, "2")
    with pytest.raises(
        Misconfigured, match=f"of version 2, must be of {SCHEMA}, .* run `collector migrate` as one who"
    ):
        Writing(MayNot(engine, database)).connect()
    Writing(Elsewhere(engine, database)).connect()
    Writing(MayNot(engine, database)).connect()
