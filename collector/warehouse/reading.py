"""What may be read: of `hot` cells of a report and property, and bounds of its days; of `sealed` the folded rows.

A few statements, generated of declared names with every value a bound parameter; text of an analyst never reaches one.
Every question first reads how far each node is sealed, and binds that in all it reads afterwards: `sealed` up to there,
`hot` after it. So a day that is sealed meanwhile is seen once: it stays in `hot` for ten minutes (sealer.py).
Cells come per bucket, node and epoch, as the fold needs them, and are summed: a cell lies in as many rows as batches
brought it, until merges make them one. Marker rows never come out. Days are days since 1970-01-01 and ranges include
both ends.

A part of a table never changes: what was read of one that is still active need not be read again. So markers are read
of new parts only (62 parts of two years: 3 instead of 61 ms), and bounds once for all questions of a page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from collector.catalogue.reports import Report
from collector.cell import Counters
from collector.errors import Unavailable
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, HOT, MARKER, SEAL, SEALED, TABLES


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


class _MarksOfPart(NamedTuple):
    """What the markers of one node in one part of `sealed` say; `last` is 0 where none of them is a seal."""

    node: int
    last: int
    first: int
    epochs: Sequence[tuple[int, int]]


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
_MARKS_OF_PARTS = f"""
SELECT _part, node, intDiv(toUnixTimestamp(maxIf(bucket, {_IS_SEAL})), {DAY_S}) AS last,
       intDiv(toUnixTimestamp(min(bucket)), {DAY_S}) AS first,
       groupArrayIf((intDiv(toUnixTimestamp(bucket), {DAY_S}), visitors), {_IS_SEAL} AND visitors > 1)
FROM {SEALED.name} WHERE {_IS_MARKER} AND _part NOT IN {{known:Array(String)}} GROUP BY _part, node
"""
_PARTS = f"""
SELECT table, groupArray(name) FROM system.parts
WHERE database = currentDatabase() AND table IN ('{HOT.name}', '{SEALED.name}') AND active GROUP BY table
"""
_TABLES_THERE = f"""
SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ({", ".join(map(repr, TABLES))})
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
        self._parts: dict[str, list[_MarksOfPart]] = {}
        self._hot_parts: frozenset[str] = frozenset()
        self._through: dict[int, int] = {}
        self._first_sealed = 0
        self._epochs: dict[tuple[int, int], int] = {}
        self._bounds: tuple[object, list[Bound]] = (None, [])

    def look(self) -> None:
        """Make sure that the database answers and has the tables."""
        ((found,),) = self._ask(_TABLES_THERE)
        if found != len(TABLES):
            raise Unavailable("the tables are not there")

    def sealed_through(self) -> Mapping[int, int]:
        """The latest day of each node that is sealed; binds it in what is read until this is called again."""
        active = {table: frozenset(names) for table, names in self._ask(_PARTS)}
        self._hot_parts = active.get(HOT.name, frozenset())
        sealed = active.get(SEALED.name, frozenset())
        self._parts = {name: marks for name, marks in self._parts.items() if name in sealed}
        if sealed - self._parts.keys():
            found: defaultdict[str, list[_MarksOfPart]] = defaultdict(list)
            for part, *told in self._ask(_MARKS_OF_PARTS, known=list(self._parts)):
                found[part].append(_MarksOfPart(*told))
            self._parts |= found
        every = [marks for of_part in self._parts.values() for marks in of_part]
        self._through = {}
        for marks in every:
            if marks.last:
                self._through[marks.node] = max(marks.last, self._through.get(marks.node, 0))
        self._first_sealed = min((marks.first for marks in every if marks.node in self._through), default=0)
        self._epochs = {(day, marks.node): epochs for marks in every for day, epochs in marks.epochs}
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
        asked = self._hot_parts, self._through, property_id, from_day, to_day
        if asked == self._bounds[0] and self._hot_parts:
            return self._bounds[1]
        bounds = [Bound(*row) for row in self._ask_range(_BOUNDS, from_day, to_day, property=property_id)]
        self._bounds = asked, bounds
        return bounds

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
            self._parts = {}  # it may be another server that answers next
            with suppress(*FAILURES):
                client.close()
            raise away("the database does not answer", error) from error
