"""What one node's part of one day says in one report: the fold that live answers and sealing have in common.

Both call `fold_part` and nothing else, so that a day says the same the moment before and after it is sealed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from collector.catalogue.reports import Report
from collector.fold import Entry, Row, fold_day


class PartKey(NamedTuple):
    """Whose part: k is per node, so each node's part of a day is folded by itself."""

    report: str
    property: str
    day: int
    node: int


class FoldPart(Protocol):
    """Anything that folds a part as `fold_part` does."""

    def __call__(self, key: PartKey, report: Report, entries: Iterable[Entry], k: int, crowd: int, /) -> list[Row]: ...


def fold_part(key: PartKey, report: Report, entries: Iterable[Entry], k: int, crowd: int) -> list[Row]:
    """The rows of one part or, of a report by the hour, of one hour of it.

    crowd  the largest bound of any report of that property, node and day. An undimensioned total needs none: it is
           always shown, for there is nothing in it to single anyone out by.
    """
    return fold_day(entries, report.theirs, k, crowd=crowd if report.by else k)
