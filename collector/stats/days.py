"""The folded rows of every day of a range: the only thing answers are made of.

Asks the warehouse for cells and bounds, folds each node's part of each day by itself, before anything is merged. Days
that are sealed were folded for good, in the same way (day_part.py): the database adds up their rows.
Reports without a dimension of theirs are folded as they stand now; the others as they are shown (open_days.py).
Networks and firsts end here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from collector.catalogue.reports import Report
from collector.cell import Counters
from collector.clock import Clock
from collector.day_part import PartKey, fold_part
from collector.fold import Entry, Row, bound, summed
from collector.shown import View
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import DAY_S

DayNode = tuple[int, int]
Crowds = dict[DayNode, int]

DAYS_AT_ONCE = 64  # bounds what one look at the warehouse brings into memory


class FoldedRow(Protocol):
    """What of a folded row is told: `visitors` count nothing where a value is (other)."""

    @property
    def values(self) -> tuple[str, ...]: ...
    @property
    def events(self) -> int: ...
    @property
    def visitors(self) -> int | None: ...
    @property
    def amount(self) -> int: ...


class SealedRow(FoldedRow, Protocol):
    """Rows of one node as they were sealed, added up: see Reading.sealed."""

    @property
    def bucket(self) -> int: ...
    @property
    def node(self) -> int: ...


class Reading(Protocol):
    """What stats asks of the warehouse. Days are whole days since 1970-01-01 UTC, both inclusive.

    Cells and bounds are of days that were not sealed when sealed_through was last asked, sealed rows of all others.
    """

    def sealed_through(self) -> Mapping[int, int]:
        """The latest day of each node that is sealed; to be asked before anything else."""
        ...

    def sealed(
        self,
        report: Report,
        property_id: str,
        from_day: int,
        to_day: int,
        interval: str | None,
        dimensions: Collection[str],
        /,
    ) -> Iterable[SealedRow]:
        """The rows that were sealed, added up within an interval and over the dimensions that are not among these.

        The values of those are ''. A row's bucket lies in its interval; those of one bucket and node come together.
        """
        ...

    def sealed_epochs(
        self, report: Report, property_id: str, from_day: int, to_day: int, /
    ) -> Mapping[tuple[int, int], int]:
        """Per sealed day and node where this report has rows: in how many epochs, where in several."""
        ...

    def cells(
        self, report: Report, property_id: str, from_day: int, to_day: int, /
    ) -> Iterable[tuple[int, tuple[str, ...], int, int, Counters]]:
        """Every cell: (bucket in epoch seconds, dimension values, node, epoch, counters)."""
        ...

    def bounds(self, property_id: str, from_day: int, to_day: int, /) -> Iterable[tuple[int, int, str, int, int, int]]:
        """Per day, node, report and epoch: the largest networks of a cell of that day, and the sum of firsts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedPart:
    """One node's part of one bucket or, of sealed days, of the interval the bucket lies in.

    epochs  of days that this node counted: in how many epochs
    as_of   since when it is shown, if it describes callers
    """

    bucket: int
    node: int
    rows: Sequence[FoldedRow]
    epochs: Mapping[int, int]
    as_of: float | None


class FoldedDays:
    """Folds what the warehouse holds, day by day."""

    def __init__(self, reading: Reading, clock: Clock, k: int, open_days: OpenDays) -> None:
        self._reading = reading
        self._clock = clock
        self._k = k
        self._open_days = open_days

    def of(
        self,
        report: Report,
        property_id: str,
        first: int,
        last: int,
        interval: str | None,
        dimensions: Collection[str],
    ) -> Iterator[FoldedPart]:
        """The parts of every day from `first` to `last` (days since 1970-01-01) that has any event.

        What is sealed is added up already, within the interval and over the dimensions that are not among these.
        """
        self._reading.sealed_through()
        yield from self._sealed(report, property_id, first, last, interval, dimensions)
        if not report.by:
            # An undimensioned total is always shown: there is nothing in it to single anyone out by.
            yield from self._now(report, property_id, first, last, {})
            return
        crowds, present = self._crowds(report, property_id, first, last)
        if report.theirs:
            yield from self._theirs(report, property_id, present, crowds)
            return
        for some in _some({day for day, _ in present}):
            yield from self._now(report, property_id, some[0], some[-1], crowds)

    def _sealed(
        self,
        report: Report,
        property_id: str,
        first: int,
        last: int,
        interval: str | None,
        dimensions: Collection[str],
    ) -> Iterator[FoldedPart]:
        """Parts as they were sealed."""
        epochs: defaultdict[int, dict[int, int]] = defaultdict(dict)
        if report.visitors:
            for (day, node), counted in self._reading.sealed_epochs(report, property_id, first, last).items():
                epochs[node][day] = counted
        found = self._reading.sealed(report, property_id, first, last, interval, dimensions)
        for (bucket, node), rows in groupby(found, lambda row: (row.bucket, row.node)):
            yield FoldedPart(bucket=bucket, node=node, rows=list(rows), epochs=epochs[node], as_of=None)

    def _crowds(self, report: Report, property_id: str, first: int, last: int) -> tuple[Crowds, set[DayNode]]:
        """The largest bound of any report per day and node, and where this report has cells at all."""
        crowds: defaultdict[DayNode, int] = defaultdict(int)
        present: set[DayNode] = set()
        for day, node, name, _, largest, firsts in self._reading.bounds(property_id, first, last):
            crowds[day, node] = max(crowds[day, node], largest, firsts)
            if name == report.name:
                present.add((day, node))
        return crowds, present

    def _now(self, report: Report, property_id: str, first: int, last: int, crowds: Crowds) -> Iterator[FoldedPart]:
        """Parts as they stand now: for reports of ours, which may be asked as often as one likes."""
        parts: defaultdict[tuple[int, int], list[Entry]] = defaultdict(list)
        epochs: defaultdict[DayNode, set[int]] = defaultdict(set)
        for bucket, values, node, epoch, counters in self._reading.cells(report, property_id, first, last):
            parts[bucket, node].append((values, epoch, counters))
            epochs[bucket // DAY_S, node].add(epoch)
        for (bucket, node), entries in parts.items():
            day_node = bucket // DAY_S, node
            key = PartKey(report.name, property_id, *day_node)
            rows = self._fold(key, report, entries, crowds.get(day_node, 0))
            yield FoldedPart(
                bucket=bucket, node=node, rows=rows, epochs={day_node[0]: len(epochs[day_node])}, as_of=None
            )

    def _theirs(self, report: Report, property_id: str, present: set[DayNode], crowds: Crowds) -> Iterator[FoldedPart]:
        """Parts as they were shown, or, where they may grow, as they are shown from now on."""
        now = self._clock.now()
        to_make: set[DayNode] = set()
        for day, node in sorted(present):
            view = self._open_days.standing(PartKey(report.name, property_id, day, node), now, crowds[day, node])
            if view is None:
                to_make.add((day, node))
            else:
                yield _part(day, node, view)
        for some in _some({day for day, _ in to_make}):
            parts: defaultdict[DayNode, list[Entry]] = defaultdict(list)
            for bucket, values, node, epoch, counters in self._reading.cells(report, property_id, some[0], some[-1]):
                if (bucket // DAY_S, node) in to_make:
                    parts[bucket // DAY_S, node].append((values, epoch, counters))
            for (day, node), entries in parts.items():
                key = PartKey(report.name, property_id, day, node)
                yield _part(day, node, self._open_days.grown(key, report, entries, now, crowds[day, node]))

    def _fold(self, key: PartKey, report: Report, entries: list[Entry], crowd: int) -> list[Row]:
        cells = summed(entries)
        # The cells may be a moment younger than the bounds.
        return fold_part(key, report, cells, self._k, max(crowd, bound(cells)))


def _some(days: set[int]) -> Iterator[list[int]]:
    ordered = sorted(days)
    return (ordered[start : start + DAYS_AT_ONCE] for start in range(0, len(ordered), DAYS_AT_ONCE))


def _part(day: int, node: int, view: View) -> FoldedPart:
    return FoldedPart(bucket=day * DAY_S, node=node, rows=view.rows, epochs={day: view.epochs}, as_of=view.at)
