"""Whether the database is as this version needs it: the tables, what every insert sets, and parts that were put aside.

Asked on first contact and after every time the engine was away. Tables that are not there are made, and those of an
earlier version brought up to this one (migrations.py), where the user may; one that is different is never touched: it
is named with what differs. MergeTree settings that are not written in the table do not count, for a server's defaults
may change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, ProgrammingError

from collector.errors import Misconfigured, NotMade
from collector.warehouse.migrations import statements_from, version_of
from collector.warehouse.tables import HERE, SCHEMA, TABLES, Place, Table

# UNKNOWN_SETTING, READONLY, SETTING_CONSTRAINT_VIOLATION
_NOT_SETTABLE = frozenset({115, 164, 452})
_MAY_NOT = frozenset({164, 497})  # READONLY, ACCESS_DENIED
_REPLICA = re.compile(r"Replicated(\w+)\('[^']*', '[^']*', ")

_ONE_TABLE = "database = currentDatabase() AND table = {table:String}"
_LIKE = f"""
SELECT engine_full, partition_key, sorting_key, primary_key FROM system.tables
WHERE {_ONE_TABLE.replace("table =", "name =")}
"""
_REPLICATED = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND name IN {tables:Array(String)} AND startsWith(engine, 'Replicated')
"""
_COLUMNS = f"SELECT name, type FROM system.columns WHERE {_ONE_TABLE}"
_SETTINGS = "SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}"
_DETACHED = """
SELECT ifNull(reason, '') AS why, count() FROM system.detached_parts
WHERE database = currentDatabase() AND table IN {tables:Array(String)}
GROUP BY why ORDER BY why
"""


def make_tables(client: Client, place: Place = HERE) -> int:
    """Bring the tables of the client's database to this version, from the one that is returned.

    Raises Misconfigured naming what of one differs, if they are of a newer version, or if the user may not change them.
    """
    version = version_of(client)
    found = [table for table in TABLES.values() if _found(client, table)]
    _refuse_differences(client, found)
    if place.cluster and (alone := {table.name for table in found} - replicated_tables(client)):
        raise Misconfigured(f"the table {min(alone)} is there already, and not replicated: rename it, or its database")
    for statement in statements_from(0 if place.cluster else version, place):  # another replica may have none yet
        try:
            client.command(statement)
        except Error as error:
            if error.code not in _MAY_NOT:
                raise
            raise Misconfigured(
                f"the database is of version {version}, must be of {SCHEMA}, and its user may not change it:"
                " run `collector migrate` as one who may"
            ) from None
    _refuse_differences(client, TABLES.values())
    return version


def check_tables(client: Client) -> None:
    """Raise what make_tables would raise, and NotMade where it would change anything; changes nothing."""
    version = version_of(client)
    _refuse_differences(client, [table for table in TABLES.values() if _found(client, table)])
    if version < SCHEMA:
        of = f"its tables are of version {version}, and this program's of {SCHEMA}" if version else "it lacks tables"
        raise NotMade(of)


def _refuse_differences(client: Client, tables: Iterable[Table]) -> None:
    for table in tables:
        differences = list(_differences(client, table))
        if differences:
            raise Misconfigured(
                f"the table {table.name} in the database is not as this version needs it: {'; '.join(differences)}."
                " Rename it, or name another database."
            )


def replicated_tables(client: Client) -> frozenset[str]:
    """The names of our tables that are replicated."""
    found = client.query(_REPLICATED, parameters={"tables": list(TABLES)}).result_rows
    return frozenset(str(name) for (name,) in found)


def check_insert_settings(client: Client, pinned: Mapping[str, Any]) -> None:
    """Raise Misconfigured unless these settings, sent as an insert sends them, are in force."""
    try:
        rows = client.query(_SETTINGS, parameters={"names": list(pinned)}, settings=dict(pinned)).result_rows
    except ProgrammingError:  # the client's own: the user has one of them fixed to something else
        raise Misconfigured(_not_allowed([name for name in pinned if _is_fixed(client, name)])) from None
    except Error as error:
        if error.code in _NOT_SETTABLE:
            raise Misconfigured(_not_allowed(list(pinned))) from None
        raise
    in_force = {str(name): str(value) for name, value in rows}
    wrong = [name for name, value in pinned.items() if in_force.get(name) != str(value)]
    if wrong:
        raise Misconfigured(_not_allowed(wrong))


def detached_parts(client: Client) -> tuple[int, list[str]]:
    """How many parts of our tables the engine or somebody has put aside, and the reasons it gives."""
    rows = client.query(_DETACHED, parameters={"tables": list(TABLES)}).result_rows
    return sum(int(count) for _, count in rows), [str(reason) for reason, _ in rows]


def _found(client: Client, table: Table) -> tuple[str, ...] | None:
    """How the table is in the database; None if it is not there."""
    rows = client.query(_LIKE, parameters={"table": table.name}).result_rows
    return tuple(map(str, rows[0])) if rows else None


def _differences(client: Client, table: Table) -> Iterator[str]:
    """What of the table in the database is not as declared, each as a part of a sentence."""
    definition, partition_by, order_by, primary_key = _found(client, table) or ("", "", "", "")
    definition, _, settings = definition.partition(" SETTINGS ")
    definition, _, ttl = definition.partition(" TTL ")
    engine = re.split(" PARTITION BY | PRIMARY KEY | ORDER BY ", definition)[0]
    replicated = bool(_REPLICA.match(engine))
    engine, needed = _REPLICA.sub(r"\1(", engine), table.settings(replicated=replicated)
    given = dict(setting.partition(" = ")[::2] for setting in settings.split(", "))
    rows = client.query(_COLUMNS, parameters={"table": table.name}).result_rows
    types = {str(name): str(kind) for name, kind in rows}
    found = {"engine": engine, "partition key": partition_by, "order": order_by, "primary key": primary_key}
    found |= {"TTL": ttl}
    found |= {f"setting {name}": given.get(name, "") for name in needed}
    found |= {f"column {name}": kind for name, kind in types.items()}
    wanted = {"engine": table.engine, "partition key": table.partition_by}
    wanted |= {"order": table.order_by, "primary key": table.order_by, "TTL": table.ttl}
    wanted |= {f"setting {name}": str(value) for name, value in needed.items()}
    wanted |= {f"column {name}": kind for name, (kind, _) in table.columns.items()}
    for what in found | wanted:
        if found.get(what, "") != wanted.get(what, ""):
            yield f"{what} is {found.get(what) or 'absent'}, and must be {wanted.get(what) or 'absent'}"


def _is_fixed(client: Client, name: str) -> bool:
    known = client.server_settings.get(name)
    return known is not None and bool(known.readonly)


def _not_allowed(names: list[str]) -> str:
    return (
        f"the database does not let an insert set: {', '.join(names)}. Let the collector's user change them"
        " (its settings profile), or use a newer ClickHouse."
    )
