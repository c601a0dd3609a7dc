"""What sealing asks of the database, and the one statement that takes a day out of `hot`.

Which days lie in `hot`, which are sealed, what one of them becomes, whether a batch has come. Everything goes through
the loader's connection (writing.py) and raises Unavailable. Called by sealer.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collector.cell import MAX_DIMENSIONS, Counters
from collector.day_part import FoldPart, fold_part
from collector.warehouse.batch import Batch
from collector.warehouse.folding import DayCell
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, HOT, MARKER, SEAL, SEALED, TABLES
from collector.warehouse.writing import Writing

_IS_MARKER = f"report = '{MARKER}' AND property = ''"
_DAY = f"intDiv(toUnixTimestamp(bucket), {DAY_S})"
# Every batch has a marker, so markers tell the days.
_HOT_DAYS = f"SELECT DISTINCT {_DAY} AS day, node FROM {HOT.name} WHERE {_IS_MARKER} ORDER BY day, node"
SEALED_THROUGH = f"""
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


NEVER = Through(-1, "")


class FoldedDay(NamedTuple):
    """What one node's part of a day becomes: rows of `sealed`, of how many cells, counted in how many epochs."""

    rows: list[tuple[Any, ...]]
    cells: int
    epochs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDay:
    """A day of a node that was sealed now, and how many cells became how many rows."""

    day: int
    node: int
    cells: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDay:
    """A day of a node that is not sealed: when it is due, in epoch seconds, and what blocks it ('' if nothing does)."""

    day: int
    node: int
    due_s: int
    blocked: str


@dataclass(slots=True, kw_only=True)
class Told:
    """What one look at the days did and left; `more`: ask again, some are still to be sealed."""

    sealed: list[SealedDay] = field(default_factory=list)
    open: list[OpenDay] = field(default_factory=list)
    more: bool = False


class Seals:
    """See above; used by the loader's thread. `fold` is what folds a report's part of a day, as live answers do."""

    def __init__(self, writing: Writing, fold: FoldPart = fold_part) -> None:
        self.writing = writing
        self._fold = fold

    def hot_days(self) -> list[DayNode]:
        """What lies in `hot`, of every node, oldest first."""
        return [DayNode(*row) for row in self.writing.ask(_HOT_DAYS)]

    def sealed(self) -> dict[int, Through]:
        """How far each node is sealed."""
        return {node: Through(day, by) for node, day, by in self.writing.ask(SEALED_THROUGH)}

    def folded(self, part: DayNode) -> FoldedDay:
        """What it becomes."""
        cells = 0
        epochs: set[int] = set()
        rows: list[tuple[Any, ...]] = []
        for property_id, found in self._cells(part):
            cells += len(found)
            epochs.update(cell.epoch for cell in found)
            rows += self.writing.folding.rows(property_id, part.day, part.node, found, self._fold)
        return FoldedDay(rows, cells, max(len(epochs), 1))

    def has_come(self, batch: Batch) -> bool:
        """Whether the marker of a batch is in its table."""
        asked = {"node": batch.node, "day_s": batch.day * DAY_S, "name": batch.name}
        ((found, _, _),) = self.writing.ask(TABLES[batch.table].find_marker, **asked)
        return bool(found)

    def is_contradicted(self, batch: Batch) -> bool:
        """Whether a marker of its name tells other counts than the batch, in the table it is for or in `sealed`."""
        asked = {"node": batch.node, "day_s": batch.day * DAY_S, "name": batch.name}
        for table in TABLES.values():
            ((found, events, rows),) = self.writing.ask(table.find_marker, **asked)
            if found and (events, rows) != (batch.events, batch.rows):
                return True
        return False

    def drop_hot(self, part: DayNode) -> None:
        """Drop the partition of a day of a node that is sealed."""
        self.writing.command(f"ALTER TABLE {HOT.name} DROP PARTITION (toDate({part.day:d}), {part.node:d})")

    def _cells(self, part: DayNode) -> Iterator[tuple[str, list[DayCell]]]:
        """Everything that lies in `hot` for it, property by property."""
        asked = {"node": part.node, "from_s": part.day * DAY_S}
        for (property_id,) in self.writing.ask(_PROPERTIES, **asked):
            rows = self.writing.ask(_CELLS, property=property_id, **asked)
            yield property_id, [_cell(*row) for row in rows]


def _cell(report: str, bucket: int, *rest: int | str) -> DayCell:
    values = tuple(str(value) for value in rest[:MAX_DIMENSIONS])
    epoch, *counted = (int(number) for number in rest[MAX_DIMENSIONS:])
    return DayCell(report, bucket, values, epoch, Counters(*counted))
