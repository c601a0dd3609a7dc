"""What may be read of `hot`: the cells of one report and property, and the bounds of a property's days.

Two statements, generated of declared names with every value a bound parameter; text of an analyst never reaches one.
Rows come per bucket, node and epoch, as the fold needs them, and are summed: a cell lies in as many rows as batches
brought it, until merges make them one. Marker rows never come out. Days are days since 1970-01-01 and ranges include
both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from collector.catalogue.reports import Report
from collector.cell import Counters
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, HOT, MARKER


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


_RANGE = "bucket >= toDateTime({from_s:UInt32}, 'UTC') AND bucket < toDateTime({until_s:UInt32}, 'UTC')"
_SUMS = ", ".join(f"sum({counter})" for counter in COUNTERS)

_BOUNDS = f"""
SELECT day, node, report, epoch, max(cell_networks), sum(cell_firsts)
FROM (
    SELECT intDiv(toUnixTimestamp(bucket), {DAY_S}) AS day, node, report, epoch,
           sum(networks) AS cell_networks, sum(firsts) AS cell_firsts
    FROM {HOT.name}
    WHERE report != '{MARKER}' AND property = {{property:String}} AND {_RANGE}
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
WHERE report = {{report:String}} AND property = {{property:String}} AND {_RANGE}
GROUP BY {key}
ORDER BY {key}
"""


class Reading:
    """Asks the database; used by one thread, connects when asked, and again after every failure.

    Every method raises Unavailable.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client: Client | None = None

    def cells(self, report: Report, property_id: str, from_day: int, to_day: int) -> list[Row]:
        """The report's cells of a property, one row per cell, node and epoch, in the order of their keys."""
        width = len(report.by)
        rows = self._ask(cells_statement(report), property_id, from_day, to_day, report=report.name)
        return [
            Row(row[0], tuple(row[1 : 1 + width]), row[1 + width], row[2 + width], Counters(*row[3 + width :]))
            for row in rows
        ]

    def bounds(self, property_id: str, from_day: int, to_day: int) -> list[Bound]:
        """For every day, node, report and epoch of a property: what proves how many networks it had."""
        return [Bound(*row) for row in self._ask(_BOUNDS, property_id, from_day, to_day)]

    def _ask(
        self, statement: str, property_id: str, from_day: int, to_day: int, **more: str
    ) -> Sequence[Sequence[Any]]:
        bound = {"property": property_id, "from_s": from_day * DAY_S, "until_s": (to_day + 1) * DAY_S, **more}
        client = self._client = self._client or self._engine.reader()
        try:
            return client.query(statement, parameters=bound).result_rows
        except FAILURES as error:
            self._client = None
            with suppress(*FAILURES):
                client.close()
            raise away("the database does not answer", error) from error
