"""What has been shown of a day that is not sealed, and how it grows: by increments, each folded by itself.

    the day so far  =  increment + increment + ...  +  what came since, told by ours only

Of one report, property, day and node. An increment is all that came to one combination of ours since its last one,
folded alone, as a day is: what it names is shown for good, and what it leaves is (other) for good, so every row of it
is a crowd. So is every difference of two answers. Two things would break it. To fold what is (other) beside a named
row together with what comes later: of a rest known to hold no `de` and of what came since, a later `de` tells how many
of the latter are not; so only a value that was never named may be named from (other). And to fold again after a single
network: a value named then tells where that one is from. Pure; stats grows it, the sealer finishes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from collector.cell import OTHER, Counters
from collector.fold import Entry, Row, bound, fold, fold_day, summed

Values = tuple[str, ...]
Cell = tuple[Values, int]
"""Dimension values, epoch."""

# An increment has a network for every two before it at least: many small ones would name little (measured).
GROWS_BY = 2

_NO_COUNTERS = Counters()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that is shown of one node's part of one report's day, from `at` (epoch seconds) on.

    crowd   the property-day's networks at that time; epochs: how many epochs counted in it
    names   whether any row names a value of theirs
    """

    rows: tuple[Row, ...]
    at: float
    crowd: int
    epochs: int
    names: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown, and what must be known to show more.

    named   the rows of all increments that name a value of theirs
    cells   what all increments were made of; beside: what of it is (other)
    looked  per combination of ours: networks of what came since, when it was last folded and nothing could be named
    """

    view: View
    named: tuple[Row, ...]
    cells: Mapping[Cell, Counters]
    beside: Mapping[Cell, Counters]
    looked: Mapping[Values, int]


_EMPTY: Mapping[Cell, Counters] = MappingProxyType({})
_NOTHING = Shown(
    view=View(rows=(), at=0.0, crowd=0, epochs=0, names=False),
    named=(),
    cells=_EMPTY,
    beside=_EMPTY,
    looked=MappingProxyType({}),
)


def may_grow(view: View, k: int, *, crowd: int, now: float, live_fold_s: float) -> bool:
    """Whether anything newer may be shown: k networks came to the property since, and so much time has passed.

    A day of which nothing is named yet need not wait for the time: whoever asks in its first minute is not left with
    (other) for an hour.
    """
    return crowd - view.crowd >= k and (not view.names or now - view.at >= live_fold_s)


def grow(shown: Shown | None, entries: Iterable[Entry], theirs: int, k: int, *, crowd: int, at: float) -> Shown:
    """What is shown from now on: what was, more of it where there is an increment, and ours as of now.

    `entries` is the whole day so far. What is shown first is its fold (`fold_day`).
    """
    made = _grown(shown or _NOTHING, summed(entries), theirs, k, crowd=crowd, grows_by=GROWS_BY)
    return replace(made, view=replace(made.view, at=at))


def finish(shown: Shown | None, entries: Iterable[Entry], theirs: int, k: int, *, crowd: int) -> list[Row]:
    """The rows of a day that nothing is added to any more: its fold, or what was shown and a last increment."""
    if shown is None:
        return fold_day(entries, theirs, k, crowd=crowd)
    return list(_grown(shown, summed(entries), theirs, k, crowd=crowd, grows_by=None).view.rows)


def unnamed(entries: Iterable[Entry], theirs: int, k: int, *, crowd: int, at: float) -> View:
    """Only ours is told: of a day of which it is not known what was shown."""
    cells = summed(entries)
    crowd = max(crowd, bound(cells))
    rows = tuple(_only_ours(cells, theirs if crowd >= k else None))
    return View(rows=rows, at=at, crowd=crowd, epochs=_epochs(cells), names=False)


def _grown(shown: Shown, cells: list[Entry], theirs: int, k: int, *, crowd: int, grows_by: int | None) -> Shown:
    crowd = max(crowd, bound(cells))  # the cells may be a moment younger
    taken, beside = _by_ours(_entries(shown.cells), theirs), _by_ours(_entries(shown.beside), theirs)
    named = list(shown.named)
    looked = dict(shown.looked)
    since: list[Entry] = []
    for ours, came in _by_ours(_minus(cells, shown.cells), theirs).items():
        size = bound(came)
        least = max(k, bound(taken[ours]) // grows_by) if grows_by else k
        rows: list[Row] = []
        # Only once k networks more came here than when it was last looked at, or the last one alone may decide.
        if crowd >= k and size - looked.get(ours, 0) >= least:
            rows, left = _named(came, theirs, k, already=set())
            looked[ours] = size
        if not rows:
            since += came
            continue
        del looked[ours]
        taken[ours] = summed([*taken[ours], *came])
        named += rows
        already = {row.values[len(ours)] for row in named if row.values[: len(ours)] == ours}
        rows, beside[ours] = _named(summed([*beside[ours], *left]), theirs, k, already=already)
        named += rows
    named = _added(named)
    others = _all(beside)
    all_rows = (*named, *_only_ours(summed([*others, *since]), theirs if crowd >= k else None))
    return Shown(
        view=View(rows=all_rows, at=shown.view.at, crowd=crowd, epochs=_epochs(cells), names=bool(named)),
        named=tuple(named),
        cells=_mapping(_all(taken)),
        beside=_mapping(others),
        looked=looked,
    )


def _named(cells: list[Entry], theirs: int, k: int, *, already: set[str]) -> tuple[list[Row], list[Entry]]:
    """The rows that these cells of one combination of ours name, none for a value named `already`; the other cells."""
    ours = len(cells[0][0]) - theirs if cells else 0
    rest = (OTHER,) * theirs
    told = [(values[:ours] + rest if values[ours] in already else values, epoch, one) for values, epoch, one in cells]
    rows = [row for row in fold(told, theirs, k) if row.values[ours] != OTHER]
    names = {row.values[ours] for row in rows}
    return rows, [entry for entry in cells if entry[0][ours] not in names]


def _minus(cells: list[Entry], taken: Mapping[Cell, Counters]) -> list[Entry]:
    """What came to each cell since. Of a database that lost something of what was shown it is nothing."""
    rest = []
    for values, epoch, now in cells:
        then = taken.get((values, epoch), _NO_COUNTERS)
        came = Counters(
            events=max(0, now.events - then.events),
            visitors=max(0, now.visitors - then.visitors),
            networks=max(0, now.networks - then.networks),
            firsts=max(0, now.firsts - then.firsts),
            amount=max(0, now.amount - then.amount),
        )
        if came != _NO_COUNTERS:
            rest.append((values, epoch, came))
    return rest


def _only_ours(cells: list[Entry], theirs: int | None) -> list[Row]:
    """One row per combination of ours, or a single one (theirs None), with (other) for everything else."""
    told: defaultdict[Values, list[Entry]] = defaultdict(list)
    for entry in cells:
        width = len(entry[0])
        ours = entry[0][: width - theirs] if theirs is not None else ()
        told[ours + (OTHER,) * (width - len(ours))].append(entry)
    return [_row(values, group) for values, group in told.items()]


def _row(values: Values, cells: list[Entry]) -> Row:
    total = Counters()
    for _, _, counters in cells:
        total.add(counters)
    return Row(values, total.events, None if OTHER in values else total.visitors, total.amount, bound(cells))


def _added(rows: Iterable[Row]) -> list[Row]:
    """Rows of equal values added up. The networks of increments may be the same ones: the larger bound is proven."""
    sums: dict[Values, Row] = {}
    for row in rows:
        known = sums.get(row.values)
        sums[row.values] = row if known is None else _both(known, row)
    return list(sums.values())


def _both(one: Row, other: Row) -> Row:
    visitors = None if one.visitors is None or other.visitors is None else one.visitors + other.visitors
    return Row(one.values, one.events + other.events, visitors, one.amount + other.amount, max(one.bound, other.bound))


def _epochs(cells: list[Entry]) -> int:
    return len({epoch for _, epoch, _ in cells})


def _by_ours(cells: list[Entry], theirs: int) -> defaultdict[Values, list[Entry]]:
    combinations: defaultdict[Values, list[Entry]] = defaultdict(list)
    for entry in cells:
        combinations[entry[0][: len(entry[0]) - theirs]].append(entry)
    return combinations


def _all(combinations: Mapping[Values, list[Entry]]) -> list[Entry]:
    return [entry for cells in combinations.values() for entry in cells]


def _entries(cells: Mapping[Cell, Counters]) -> list[Entry]:
    return [(values, epoch, one) for (values, epoch), one in cells.items()]


def _mapping(cells: Iterable[Entry]) -> dict[Cell, Counters]:
    return {(values, epoch): one for values, epoch, one in cells}
