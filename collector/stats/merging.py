"""The folded rows of a range of days, picked, added up and put in order: the table of an answer.

Rows of several days, nodes and dimensions that were not asked for become one row of their bucket and values. Totals are
the sums of all that was picked. Pure: answer.py says what to merge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any

from collector.cell import OTHER
from collector.stats.days import FoldedPart
from collector.stats.question import Interval, Question
from collector.stats.shown_file import DAY_S

EPOCH = date(1970, 1, 1)

Value = str | int | None
Line = tuple[Value, ...]
Key = tuple[str, tuple[str, ...]]
"""Bucket as it is told, empty without an interval, and the values of the dimensions that were asked for."""


@dataclass(slots=True)
class Sum:
    """What was counted, added up."""

    events: int = 0
    visitors: int = 0
    amount: int = 0

    def add(self, events: int, visitors: int, amount: int) -> None:
        """Count this, too."""
        self.events += events
        self.visitors += visitors
        self.amount += amount


class Merged:
    """The parts of an answer added up, and what was noticed on the way.

    nodes, epochs   who counted, and of each day how many epochs at one node
    oldest          since when the oldest part is shown, None if all is as of now
    left_out_other  whether filters left out a row because its value is (other), which may hold what they ask for
    """

    def __init__(self, question: Question, parts: Iterable[FoldedPart]) -> None:
        self.sums: dict[Key, Sum] = {}
        self.total = Sum()
        self.nodes: set[int] = set()
        self.epochs: Counter[int] = Counter()
        self.oldest: float | None = None
        self.left_out_other = False
        self._filters = [(question.report.by.index(each.dimension), each) for each in question.filters]
        self._places = [question.report.by.index(dimension) for dimension in question.by]
        self._told: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        for part in parts:
            self._add(part, bucket_of(part.bucket, question.interval))

    def _add(self, part: FoldedPart, bucket: str) -> None:
        self.nodes.add(part.node)
        for day, epochs in part.epochs.items():
            self.epochs[day] = max(self.epochs[day], epochs)
        if part.as_of is not None:
            self.oldest = part.as_of if self.oldest is None else min(self.oldest, part.as_of)
        for row in part.rows:
            if row.values not in self._told:
                self._told[row.values] = self._picked(row.values)
            values = self._told[row.values]
            if values is not None:
                counted = row.events, row.visitors or 0, row.amount
                self.sums.setdefault((bucket, values), Sum()).add(*counted)
                self.total.add(*counted)

    def _picked(self, values: tuple[str, ...]) -> tuple[str, ...] | None:
        """The values that are told of a row, None if a filter leaves it out."""
        failed = [values[place] for place, each in self._filters if not each.holds(values[place])]
        if failed:
            self.left_out_other = self.left_out_other or set(failed) == {OTHER}
            return None
        return tuple(values[place] for place in self._places)


def lines_of(question: Question, sums: Iterable[tuple[Key, Sum]]) -> tuple[Line, ...]:
    """The sums as rows of the answer, in their order."""
    return tuple(_line(question, *key, counted) for key, counted in sums)


def page_of(question: Question, merged: Merged) -> list[tuple[Key, Sum]]:
    """The rows that are told: sorted, then cut. Without a sort the ones with most events, put in order of buckets."""
    until = question.offset + question.limit
    most = sorted(merged.sums.items(), key=lambda item: (-item[1].events, item[0]))
    if question.sort is None:
        return sorted(most[question.offset : until], key=lambda item: (item[0][0], -item[1].events, item[0][1]))
    return _sorted(question, most)[question.offset : until]


def earlier_of(question: Question, shown: Iterable[tuple[Key, Sum]], merged: Merged) -> list[tuple[Key, Sum]]:
    """The rows of an earlier range with the values that are shown; with an interval all: a curve must add up."""
    values = {key[1] for key, _ in shown}
    most = sorted(merged.sums.items(), key=lambda item: (item[0][0], -item[1].events, item[0][1]))
    told = [item for item in most if item[0][1] in values] if question.by and question.interval is None else most
    return told if question.sort is None else _sorted(question, told)


def totals_of(question: Question, total: Sum) -> dict[str, int | None]:
    """Every declared measure; callers only where nothing overlaps, and of several days under their own name."""
    totals: dict[str, int | None] = {"events": total.events}
    if question.report.visitors:
        alone = not question.report.by
        totals["visitors"] = total.visitors if alone and question.is_of_one_day else None
        if alone and not question.is_of_one_day:
            totals["visitor_days"] = total.visitors
    if question.report.amount:
        totals["amount"] = total.amount
    return totals


def bucket_of(begins_s: int, interval: Interval | None) -> str:
    """The bucket in which a part that begins then is told."""
    if interval is None:
        return ""
    if interval == "hour":
        return time_of(begins_s)
    day = EPOCH + timedelta(days=begins_s // DAY_S)
    if interval == "week":
        day -= timedelta(days=day.weekday())
    elif interval == "month":
        day = day.replace(day=1)
    return day.isoformat()


def time_of(at_s: float) -> str:
    """A moment as an answer tells it."""
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sorted(question: Question, items: list[tuple[Key, Sum]]) -> list[tuple[Key, Sum]]:
    """By one column, what is not told last; where it is the same they keep the order they came in."""
    sort = question.sort
    if sort is None:
        return items
    place = question.columns.index(sort.column)
    told: list[tuple[Any, tuple[Key, Sum]]] = []  # of one column: all texts or all numbers
    untold = []
    for key, counted in items:
        cell = _line(question, *key, counted)[place]
        if cell is None:
            untold.append((key, counted))
        else:
            told.append((cell, (key, counted)))
    told.sort(key=itemgetter(0), reverse=sort.descending)
    return [item for _, item in told] + untold


def _line(question: Question, bucket: str, values: tuple[str, ...], counted: Sum) -> Line:
    told = question.names_every_dimension and OTHER not in values
    measures: dict[str, Value] = {
        "events": counted.events,
        "visitors": counted.visitors if told else None,
        "amount": counted.amount,
    }
    begins: Line = (bucket,) if question.interval else ()
    return begins + values + tuple(measures[name] for name in question.report.measures)
