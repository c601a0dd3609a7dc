"""What may be read: of `hot` cells of a report and property, and bounds of its days; of `sealed` the folded rows.

A few statements, generated of declared names with every value a bound parameter; text of an analyst never reaches one.
Every question first reads how far each node is sealed, and binds that in all it reads afterwards: `sealed` up to there,
`hot` after it. So a day that is sealed meanwhile is seen once: it stays in `hot` for ten minutes (sealer.py).
Cells come per bucket, node and epoch, as the fold needs them, and are summed: a cell lies in as many rows as batches
brought it, until merges make them one. Marker rows never come out. Days are days since 1970-01-01 and ranges include
both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from collector.catalogue.reports import Report
from collector.cell import OTHER, Counters
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, HOT, MARKER, SEAL, SEALED


class Row(NamedTuple):
    """One cell of one node and epoch. `bucket` is the epoch second its hour (traffic) or day begins at."""

    bucket: int
    values: tuple[str, ...]
    node: int
    epoch: int
    counters: Counters


class Bound(NamedTuple):
    """What one report says about how many networks a property had on a day, at one node in one epoch.

    largest = the networks of its largest cell of the day; firsts = the sum of its firsts: each is proven by itself.
    """

    day: int
    node: int
    report: str
    epoch: int
    largest: int
    firsts: int


class SealedRow(NamedTuple):
    """A folded row of one node; `epochs` counted callers there that day, `bound` networks are proven for it."""

    bucket: int
    node: int
    epochs: int
    values: tuple[str, ...]
    events: int
    visitors: int | None
    amount: int
    bound: int


DAYS_AT_ONCE = 64  # bounds what one look at `sealed` brings into memory

_RANGE = "bucket >= toDateTime({from_s:UInt32}, 'UTC') AND bucket < toDateTime({until_s:UInt32}, 'UTC')"
_OPEN_FROM = "transform(node, {nodes:Array(UInt64)}, {open_from_s:Array(UInt32)}, toUInt32(0))"
_HOT_RANGE = f"{_RANGE} AND toUnixTimestamp(bucket) >= {_OPEN_FROM}"
_SEALED_RANGE = f"{_RANGE} AND toUnixTimestamp(bucket) < {_OPEN_FROM}"
_SUMS = ", ".join(f"sum({counter})" for counter in COUNTERS)

_BOUNDS = f"""
SELECT day, node, report, epoch, max(cell_networks), sum(cell_firsts)
FROM (
    SELECT intDiv(toUnixTimestamp(bucket), {DAY_S}) AS day, node, report, epoch,
           sum(networks) AS cell_networks, sum(firsts) AS cell_firsts
    FROM {HOT.name}
    WHERE report != '{MARKER}' AND property = {{property:String}} AND {_HOT_RANGE}
    GROUP BY day, node, report, epoch, {", ".join(DIMENSIONS)}
)
GROUP BY day, node, report, epoch
ORDER BY day, node, report, epoch
"""


def cells_statement(report: Report) -> str:
    """The statement that reads the cells of a report."""
    key = ", ".join(("bucket", *DIMENSIONS[: len(report.by)], "node", "epoch"))
    return f"""
SELECT toUnixTimestamp(bucket), {key.removeprefix("bucket, ")}, {_SUMS}
FROM {HOT.name}
WHERE report = {{report:String}} AND property = {{property:String}} AND {_HOT_RANGE}
GROUP BY {key}
ORDER BY {key}
"""


_IS_MARKER = f"report = '{MARKER}' AND property = ''"
_IS_SEAL = f"d2 = '{SEAL}'"
# What came late may lie before the first day that has a seal.
_SEALED_THROUGH = f"""
SELECT node, intDiv(toUnixTimestamp(maxIf(bucket, {_IS_SEAL})), {DAY_S}), intDiv(toUnixTimestamp(min(bucket)), {DAY_S})
FROM {SEALED.name} WHERE {_IS_MARKER} GROUP BY node HAVING countIf({_IS_SEAL}) > 0
"""
_EPOCHS = f"""
SELECT intDiv(toUnixTimestamp(bucket), {DAY_S}), node, visitors FROM {SEALED.name}
WHERE {_IS_MARKER} AND {_IS_SEAL} AND {_RANGE}
"""


def sealed_statement(report: Report) -> str:
    """The statement that reads the folded rows of a report."""
    key = ", ".join(("bucket", "node", *DIMENSIONS[: len(report.by)]))
    return f"""
SELECT toUnixTimestamp(bucket), {key.removeprefix("bucket, ")}, sum(events), sum(visitors), sum(amount), max(networks)
FROM {SEALED.name}
WHERE report = {{report:String}} AND property = {{property:String}} AND {_SEALED_RANGE}
GROUP BY {key}
ORDER BY {key}
"""


class Reading:
    """Asks the database; used by one thread, connects when asked, and again after every failure.

    Every method raises Unavailable. How far nodes are sealed is what `sealed_through` said last: ask it first.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client: Client | None = None
        self._through: dict[int, int] = {}
        self._first_sealed = 0

    def sealed_through(self) -> Mapping[int, int]:
        """The latest day of each node that is sealed; binds it in what is read until this is called again."""
        rows = self._ask(_SEALED_THROUGH)
        self._through = {node: last for node, last, _ in rows}
        self._first_sealed = min((first for _, _, first in rows), default=0)
        return self._through

    def sealed(self, report: Report, property_id: str, from_day: int, to_day: int) -> Iterator[SealedRow]:
        """The report's folded rows of a property, as they were proven, in the order of their keys within some days."""
        first = max(from_day, self._first_sealed)
        last = min(to_day, max(self._through.values(), default=-1))
        width = len(report.by)
        for day in range(first, last + 1, DAYS_AT_ONCE):
            until = min(day + DAYS_AT_ONCE - 1, last)
            rows = self._ask_range(sealed_statement(report), day, until, property=property_id, report=report.name)
            found = self._ask_range(_EPOCHS, day, until) if rows else []
            epochs = {(day, node): counted for day, node, counted in found}
            for bucket, node, *rest in rows:
                values = tuple(rest[:width])
                events, visitors, amount, bound = rest[width:]
                told = None if OTHER in values else visitors
                known = epochs.get((bucket // DAY_S, node), 1)
                yield SealedRow(bucket, node, known, values, events, told, amount, bound)

    def cells(self, report: Report, property_id: str, from_day: int, to_day: int) -> list[Row]:
        """The report's cells of a property, one row per cell, node and epoch, in the order of their keys."""
        width = len(report.by)
        rows = self._ask_range(cells_statement(report), from_day, to_day, property=property_id, report=report.name)
        return [
            Row(row[0], tuple(row[1 : 1 + width]), row[1 + width], row[2 + width], Counters(*row[3 + width :]))
            for row in rows
        ]

    def bounds(self, property_id: str, from_day: int, to_day: int) -> list[Bound]:
        """For every day, node, report and epoch of a property: what proves how many networks it had."""
        return [Bound(*row) for row in self._ask_range(_BOUNDS, from_day, to_day, property=property_id)]

    def _ask_range(self, statement: str, from_day: int, to_day: int, **more: str) -> Sequence[Sequence[Any]]:
        nodes = list(self._through)
        bound: dict[str, Any] = {"from_s": from_day * DAY_S, "until_s": (to_day + 1) * DAY_S, "nodes": nodes}
        return self._ask(statement, open_from_s=[(self._through[node] + 1) * DAY_S for node in nodes], **bound, **more)

    def _ask(self, statement: str, **bound: Any) -> Sequence[Sequence[Any]]:
        client = self._client = self._client or self._engine.reader()
        try:
            return client.query(statement, parameters=bound).result_rows
        except FAILURES as error:
            self._client = None
            with suppress(*FAILURES):
                client.close()
            raise away("the database does not answer", error) from error
