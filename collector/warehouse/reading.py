"""What may be read: of `hot` cells of a report and property, and bounds of its days; of `sealed` the folded rows.

A few statements, generated of declared names with every value a bound parameter; text of an analyst never reaches one.
Every question first reads how far each node is sealed, and binds that in all it reads afterwards: `sealed` up to there,
`hot` after it. So a day that is sealed meanwhile is seen once: it stays in `hot` for ten minutes (sealer.py).
Cells come per bucket, node and epoch, as the fold needs them, and are summed: a cell lies in as many rows as batches
brought it, until merges make them one. Marker rows never come out. Days are days since 1970-01-01 and ranges include
both ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from collector.catalogue.reports import Report
from collector.cell import Counters
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
    """Folded rows of one node, added up; `bucket` lies in their interval, `values` are '' where all were added up."""

    bucket: int
    node: int
    values: tuple[str, ...]
    events: int
    visitors: int
    amount: int


DAYS_AT_ONCE = 64  # bounds what one look at `sealed` brings into memory where every day has rows of its own

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
# What came late may lie before the first day that has a seal. Last: the days whose callers were counted again.
_SEALED_THROUGH = f"""
SELECT node, intDiv(toUnixTimestamp(maxIf(bucket, {_IS_SEAL})), {DAY_S}), intDiv(toUnixTimestamp(min(bucket)), {DAY_S}),
       groupArrayIf((intDiv(toUnixTimestamp(bucket), {DAY_S}), visitors), {_IS_SEAL} AND visitors > 1)
FROM {SEALED.name} WHERE {_IS_MARKER} GROUP BY node HAVING countIf({_IS_SEAL}) > 0
"""
_OF_THE_REPORT = f"report = {{report:String}} AND property = {{property:String}} AND {_SEALED_RANGE}"
_PRESENT = f"""
SELECT DISTINCT intDiv(toUnixTimestamp(bucket), {DAY_S}) AS day, node FROM {SEALED.name}
WHERE {_OF_THE_REPORT} AND day IN {{days:Array(UInt32)}}
"""
_INTERVALS = {
    None: "toDateTime({from_s:UInt32}, 'UTC')",
    "hour": "bucket",
    "day": "toStartOfDay(bucket)",
    "week": "toDateTime(toMonday(bucket), 'UTC')",
    "month": "toDateTime(toStartOfMonth(bucket), 'UTC')",
}


def sealed_statement(report: Report, interval: str | None, dimensions: Collection[str]) -> str:
    """The statement that adds up the folded rows of a report: by interval, node and these of its dimensions."""
    places = [column for name, column in zip(report.by, DIMENSIONS, strict=False) if name in dimensions]
    values = ", ".join(column if column in places else "''" for column in DIMENSIONS[: len(report.by)])
    key = ", ".join(("begins", "node", *places))
    return f"""
SELECT toUnixTimestamp({_INTERVALS[interval]}) AS begins, node, [{values}], sum(events), sum(visitors), sum(amount)
FROM {SEALED.name} WHERE {_OF_THE_REPORT}
GROUP BY {key} ORDER BY {key}
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
        self._epochs: dict[tuple[int, int], int] = {}

    def sealed_through(self) -> Mapping[int, int]:
        """The latest day of each node that is sealed; binds it in what is read until this is called again."""
        rows = self._ask(_SEALED_THROUGH)
        self._through = {node: last for node, last, _, _ in rows}
        self._first_sealed = min((first for _, _, first, _ in rows), default=0)
        self._epochs = {(day, node): epochs for node, _, _, found in rows for day, epochs in found}
        return self._through

    def sealed(
        self,
        report: Report,
        property_id: str,
        from_day: int,
        to_day: int,
        interval: str | None,
        dimensions: Collection[str],
    ) -> Iterator[SealedRow]:
        """The report's folded rows of a property, added up by interval and these of its dimensions.

        Rows of one bucket and node come together; where the days are read in portions, they may come again.
        """
        first, last = self._sealed_range(from_day, to_day)
        whole = not dimensions or interval not in {"hour", "day"}
        at_once = max(last + 1 - first, 1) if whole else DAYS_AT_ONCE
        statement = sealed_statement(report, interval, dimensions)
        for day in range(first, last + 1, at_once):
            until = min(day + at_once - 1, last)
            for bucket, node, values, *counted in self._ask_range(
                statement, day, until, property=property_id, report=report.name
            ):
                yield SealedRow(bucket, node, tuple(values), *counted)

    def sealed_epochs(
        self, report: Report, property_id: str, from_day: int, to_day: int
    ) -> Mapping[tuple[int, int], int]:
        """Per day and node with sealed rows of the report: how many epochs counted callers, where it was not one."""
        first, last = self._sealed_range(from_day, to_day)
        days = sorted({day for day, _ in self._epochs if first <= day <= last})
        if not days:
            return {}
        found = self._ask_range(_PRESENT, first, last, property=property_id, report=report.name, days=days)
        return {(day, node): self._epochs[day, node] for day, node in found if (day, node) in self._epochs}

    def _sealed_range(self, from_day: int, to_day: int) -> tuple[int, int]:
        return max(from_day, self._first_sealed), min(to_day, max(self._through.values(), default=-1))

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

    def _ask_range(self, statement: str, from_day: int, to_day: int, **more: Any) -> Sequence[Sequence[Any]]:
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
