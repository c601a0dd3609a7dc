"""What sealing asks of the database, and the one statement that takes a day out of `hot`.

Which days lie in `hot`, which are sealed, the cells of one of them, whether a batch has come. Everything goes through
the loader's connection (writing.py) and raises Unavailable. Called by sealer.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from collector.cell import MAX_DIMENSIONS, Counters
from collector.warehouse.batch import Batch
from collector.warehouse.folding import DayCell
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, HOT, MARKER, SEAL, SEALED, TABLES
from collector.warehouse.writing import Writing

_IS_MARKER = f"report = '{MARKER}' AND property = ''"
_DAY = f"intDiv(toUnixTimestamp(bucket), {DAY_S})"
# Every batch has a marker, so markers tell the days.
_HOT_DAYS = f"SELECT DISTINCT {_DAY} AS day, node FROM {HOT.name} WHERE {_IS_MARKER} ORDER BY day, node"
_SEALED = f"""
SELECT node, max({_DAY}), argMax(d3, bucket) FROM {SEALED.name} WHERE {_IS_MARKER} AND d2 = '{SEAL}' GROUP BY node
"""
_OF_THE_DAY = (
    f"node = {{node:UInt64}} AND report != '{MARKER}' AND bucket >= toDateTime({{from_s:UInt32}}, 'UTC')"
    f" AND bucket < toDateTime({{from_s:UInt32}} + {DAY_S}, 'UTC')"
)
_PROPERTIES = f"SELECT DISTINCT property FROM {HOT.name} WHERE {_OF_THE_DAY} ORDER BY property"
_KEY = f"report, bucket, {', '.join(DIMENSIONS)}, epoch"
_CELLS = f"""
SELECT {_KEY.replace("bucket", "toUnixTimestamp(bucket)")}, {", ".join(f"sum({counter})" for counter in COUNTERS)}
FROM {HOT.name} WHERE property = {{property:String}} AND {_OF_THE_DAY} GROUP BY {_KEY} ORDER BY {_KEY}
"""


class DayNode(NamedTuple):
    """One node's part of a day: days since 1970-01-01."""

    day: int
    node: int


class Through(NamedTuple):
    """The latest day of a node that is sealed, and who sealed it: '' for the node itself."""

    day: int
    by: str


class Seals:
    """See above; used by the loader's thread."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing

    def hot_days(self) -> list[DayNode]:
        """What lies in `hot`, of every node, oldest first."""
        return [DayNode(*row) for row in self.writing.ask(_HOT_DAYS)]

    def sealed(self) -> dict[int, Through]:
        """How far each node is sealed."""
        return {node: Through(day, by) for node, day, by in self.writing.ask(_SEALED)}

    def cells(self, part: DayNode) -> Iterator[tuple[str, list[DayCell]]]:
        """Everything that lies in `hot` for it, property by property."""
        asked = {"node": part.node, "from_s": part.day * DAY_S}
        for (property_id,) in self.writing.ask(_PROPERTIES, **asked):
            rows = self.writing.ask(_CELLS, property=property_id, **asked)
            yield property_id, [_cell(*row) for row in rows]

    def has_come(self, batch: Batch) -> bool:
        """Whether the marker of a batch is in its table."""
        asked = {"node": batch.node, "day_s": batch.day * DAY_S, "name": batch.name}
        ((found, _, _),) = self.writing.ask(TABLES[batch.table].find_marker, **asked)
        return bool(found)

    def drop_hot(self, part: DayNode) -> None:
        """Drop the partition of a day of a node that is sealed."""
        self.writing.command(f"ALTER TABLE {HOT.name} DROP PARTITION (toDate({part.day:d}), {part.node:d})")


def _cell(report: str, bucket: int, *rest: int | str) -> DayCell:
    values = tuple(str(value) for value in rest[:MAX_DIMENSIONS])
    epoch, *counted = (int(number) for number in rest[MAX_DIMENSIONS:])
    return DayCell(report, bucket, values, epoch, Counters(*counted))
