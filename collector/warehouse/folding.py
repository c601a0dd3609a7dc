"""Cells of a day become rows of `sealed`: those of a whole day (sealer.py), or of one batch that comes after its seal.

Every property and report of a node's day is folded by itself, as answers fold it (day_part.py); reports by the hour
hour by hour. A report that is not declared any more leaves its total only: nobody says what its dimensions mean.
A late batch is folded for itself alone, with its own bound for a crowd: what it names, it proves. Its marker is the one
it would have brought to `hot`, so it does not depend on what was declared at which attempt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import orjson

from collector.catalogue.reports import THRESHOLD_FLOOR, Report
from collector.cell import MAX_DIMENSIONS, Counters
from collector.day_part import FoldPart, PartKey, fold_part
from collector.fold import Entry, Row, bound, fold_day, summed
from collector.log import log
from collector.warehouse.batch import Batch
from collector.warehouse.tables import COLUMNS, COUNTERS, DIMENSIONS, MARKER, SEALED

_AT = {column: COLUMNS.index(column) for column in COLUMNS}
_FIRST_DIMENSION, _FIRST_COUNTER = _AT[DIMENSIONS[0]], _AT[COUNTERS[0]]


class DayCell(NamedTuple):
    """A cell of some property, node and day; `values` are always MAX_DIMENSIONS, '' where the report has fewer."""

    report: str
    bucket: int
    values: tuple[str, ...]
    epoch: int
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class LateBatch(Batch):
    """A batch of `hot` whose day is sealed: the same name and counts, other rows, another table."""

    made: bytes

    def body(self) -> bytes:
        """The bytes to insert."""
        return self.made


class Folding:
    """Folds days under these declarations; without any, everything becomes totals."""

    def __init__(self, reports: Mapping[str, Report] | None = None, k: int = THRESHOLD_FLOOR) -> None:
        self._reports = reports or {}
        self._k = k

    def rows(
        self, property_id: str, day: int, node: int, cells: Iterable[DayCell], fold: FoldPart = fold_part
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of `sealed` for all cells of one property, day and node."""
        parts: defaultdict[str, defaultdict[int, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for cell in cells:
            parts[cell.report][cell.bucket].append((self._values(cell), cell.epoch, cell.counters))
        crowd = max((_bound(buckets) for buckets in parts.values()), default=0)
        for name, buckets in parts.items():
            report = self._reports.get(name)
            if report is None:
                log.warning("a report that is not declared any more is sealed as its total", report=name)
            for bucket, entries in buckets.items():
                key = PartKey(name, property_id, day, node)
                rows = fold(key, report, entries, self._k, crowd) if report else _total(entries)
                for row in rows:
                    padding = ("",) * (MAX_DIMENSIONS - len(row.values))
                    counted = row.events, row.visitors or 0, row.bound, 0, row.amount
                    yield (node, name, property_id, bucket, *row.values, *padding, *counted)

    def late(self, batch: Batch) -> LateBatch:
        """What a batch of `hot` becomes after its day was sealed; raises Corrupt."""
        properties: defaultdict[str, list[DayCell]] = defaultdict(list)
        for line in batch.body().split(b"\n"):
            row = orjson.loads(line)
            report, bucket, epoch = (row[_AT[name]] for name in ("report", "bucket", "epoch"))
            if report != MARKER:
                values = tuple(row[_FIRST_DIMENSION : _FIRST_DIMENSION + MAX_DIMENSIONS])
                cell = DayCell(report, bucket, values, epoch, Counters(*row[_FIRST_COUNTER:]))
                properties[row[_AT["property"]]].append(cell)
        day, node = batch.day, batch.node
        rows = [row for name, cells in properties.items() for row in self.rows(name, day, node, cells)]
        rows.append(SEALED.marker(node, day, batch.name, events=batch.events, rows=batch.rows))
        told = {each.name: getattr(batch, each.name) for each in fields(Batch)} | {"table": SEALED.name}
        return LateBatch(**told, made=b"\n".join(map(orjson.dumps, rows)))

    def _values(self, cell: DayCell) -> tuple[str, ...]:
        """Those of the report's own dimensions; where it is not declared, as many as are given."""
        if report := self._reports.get(cell.report):
            return cell.values[: len(report.by)]
        return tuple(filter(None, cell.values))


def _bound(buckets: Mapping[int, list[Entry]]) -> int:
    """The bound of a report's day: a cell of the day is the sum of its hours."""
    return bound(summed(entry for entries in buckets.values() for entry in entries))


def _total(entries: list[Entry]) -> list[Row]:
    return fold_day(entries, 0, 1, crowd=0)
