"""Versions of the tables, and the steps from each to the next. Forward only; in_force.py checks what comes out.

    0   nothing           1   `hot`           2   `hot` and `sealed`           3   ... whose comments say so

The version is a table's COMMENT, `collector schema N`: a part of the definition, so it is there exactly when the table
is, travels with a backup and through EXCHANGE TABLES, and needs nothing beside the two tables that would have to be
made, granted, replicated and kept from disagreeing with them. Tables of before version 3 have none.

A step is a function that makes statements; each may be repeated, and killed after any of them the next run does the
rest: what is still to be done is read from the tables. A step that rewrites rows does so into a new table, compares
sums, and exchanges the two; no step so far had to. Called on every contact (writing.py) and by `collector migrate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured
from collector.warehouse.tables import HERE, HOT, SCHEMA, SEALED, TABLES, VERSION, Place

_COMMENTS = """
SELECT name, comment FROM system.tables
WHERE database = currentDatabase() AND name IN {tables:Array(String)}
"""
_NAMES = {"tables": list(TABLES)}
_SAYS = re.compile(rf"{VERSION} (\d+)")
_WITHOUT = {HOT.name: 0, SEALED.name: 1}  # what a database that lacks this table is of, at most
_UNSAID = 2


def make_hot(place: Place) -> Iterator[str]:
    """0 -> 1: the table of open days. As every table, it is made in its newest form at once, with its version."""
    yield HOT.ddl(place)


def make_sealed(place: Place) -> Iterator[str]:
    """1 -> 2: the table of sealed days. Days that are due are sealed once it is there."""
    yield SEALED.ddl(place)


def say_version(place: Place) -> Iterator[str]:
    """2 -> 3: the tables say which version they are of. Nothing to do on a cluster: its tables were made saying it."""
    if not place.cluster:
        for name in TABLES:
            yield f"ALTER TABLE {place.of(name)} MODIFY COMMENT '{VERSION} 3'"


STEPS: Mapping[int, Callable[[Place], Iterator[str]]] = {1: make_hot, 2: make_sealed, 3: say_version}
"""What leads to each version from the one before."""


def version_of(client: Client) -> int:
    """Which version the tables in the client's database are of; raises Misconfigured if it is not known yet here."""
    comments = {str(name): str(comment) for name, comment in client.query(_COMMENTS, parameters=_NAMES).result_rows}
    said = {name: _SAYS.fullmatch(comment) for name, comment in comments.items()}
    found = {name: int(match[1]) if match else _UNSAID for name, match in said.items()}
    newest = max(found.values(), default=0)
    if newest > SCHEMA:
        raise Misconfigured(
            f"the database is of version {newest}, and this program knows {SCHEMA} and earlier ones:"
            " use a newer program, or another database"
        )
    return min(found.get(name, without) for name, without in _WITHOUT.items())


def statements_from(version: int, place: Place = HERE) -> Iterator[str]:
    """What brings tables of that version to the newest."""
    for to in range(version + 1, SCHEMA + 1):
        yield from STEPS[to](place)
