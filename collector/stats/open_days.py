"""What is shown of days that are not sealed, in reports with a dimension of theirs: when it grows, and that it is kept.

Asked every ten seconds, a fresh fold would show each new event as a difference and so rebuild single visits. So what is
shown stands until it may grow (shown.py), and what it has become is on disk before it is answered: a restart shows no
more than polling does. Where the disk fails, what stood before is answered, or nothing. With `live_fold_s` = 0 all of
that is off and every answer is folded anew (tests). days.py asks; the sealer, in its own thread, has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector.catalogue.reports import Report
from collector.day_part import PartKey, fold_part
from collector.errors import Unavailable
from collector.fold import Entry, Row, summed
from collector.shown import Shown, View, finish, grow, may_grow, unnamed
from collector.stats.shown_file import Lost, ShownFile


class OpenDays:
    """What is shown of open days, of threshold k. Every method raises Unavailable where the disk fails."""

    def __init__(self, file: ShownFile, k: int, live_fold_s: float) -> None:
        self._file = file
        self._k = k
        self._live_fold_s = live_fold_s

    def standing(self, key: PartKey, now: float, crowd: int) -> View | None:
        """What is shown again, `crowd` being the property-day's bound now; None if `grown` is to be asked."""
        if not self._live_fold_s:
            return None
        try:
            view = self._file.view(key)
        except Lost:
            return None
        except OSError as error:
            raise _unreadable() from error
        if view is None or may_grow(view, self._k, crowd=crowd, now=now, live_fold_s=self._live_fold_s):
            return None
        return view

    def grown(self, key: PartKey, report: Report, entries: Iterable[Entry], now: float, crowd: int) -> View:
        """What is shown from now on: `entries` are the day's cells so far."""
        if not self._live_fold_s:
            return grow(None, entries, report.theirs, self._k, crowd=crowd, at=now).view
        cells = summed(entries)
        before = None
        try:
            before = self._before(key)
            made = grow(before, cells, report.theirs, self._k, crowd=crowd, at=now)
            self._file.keep(key, made)
        except Lost:
            return unnamed(cells, report.theirs, self._k, crowd=crowd, at=now)
        except OSError as error:
            if before is None:
                raise Unavailable("what is shown of callers cannot be kept") from error
            return before.view
        return made.view

    def finish(self, key: PartKey, report: Report, entries: Iterable[Entry], k: int, crowd: int) -> list[Row]:
        """The rows a day is sealed with: those that were shown are among them, or are grown by a crowd."""
        if not report.theirs or not self._live_fold_s:
            return fold_part(key, report, entries, k, crowd)
        try:
            return finish(self._before(key), entries, report.theirs, k, crowd=crowd)
        except Lost:
            return list(unnamed(entries, report.theirs, k, crowd=crowd, at=0).rows)

    def forget(self, node: int, through_day: int) -> None:
        """Drop what was shown of a node's days up to that one: they are sealed, and answers are made of that."""
        try:
            self._file.forget(node, through_day)
        except OSError as error:
            raise Unavailable("what was shown of callers cannot be dropped") from error

    def _before(self, key: PartKey) -> Shown | None:
        try:
            return self._file.get(key)
        except OSError as error:
            raise _unreadable() from error


def _unreadable() -> Unavailable:
    return Unavailable("what was shown of callers cannot be read")
