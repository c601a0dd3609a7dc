"""What has been shown of a day that is not sealed, and how it grows: by increments, each folded by itself.

    the day so far  =  increment + increment + ...  +  what came since

Of one report, property, day and node. An increment is all that came to one combination of ours since its last one. It
is folded alone, as a day is, and only if every row of that fold is a crowd: then it is shown for good, (other) too.
What came since is told by ours only. So every answer, and every difference of two, is a sum of crowds and of rows that
tell only ours. Nothing of an increment is folded again with what comes later: of a rest known to hold no `de` and of
what came since, a later `de` would tell how many of the latter are not. Pure; stats grows, the sealer finishes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from collector.cell import OTHER, Counters
from collector.fold import Entry, Row, bound, fold, fold_day, summed

Values = tuple[str, ...]
Cell = tuple[Values, int]
"""Dimension values, epoch."""

_NONE = Counters()

GROWS_BY = 2  # an increment brings at least one network for every two shown: many small ones would name little


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One node's part of one report's day as it is shown, from `at` (epoch seconds) on.

    final   the rows of all increments; cells: what these were made of
    looked  per combination of ours: networks of what came since, when it was last folded and nothing could be named
    rows    all that is shown: the final ones, and what came since as ours
    crowd   the property-day's networks at that time; epochs: how many epochs counted in it
    """

    final: tuple[Row, ...]
    cells: Mapping[Cell, Counters]
    looked: Mapping[Values, int]
    rows: tuple[Row, ...]
    at: float
    crowd: int
    epochs: int


_NOTHING = Shown(final=(), cells=MappingProxyType({}), looked=MappingProxyType({}), rows=(), at=0.0, crowd=0, epochs=0)


def may_grow(shown: Shown, k: int, *, crowd: int, now: float, live_fold_s: float) -> bool:
    """Whether anything newer may be shown: k networks came to the property since, and so much time has passed.

    A day of which nothing is named yet need not wait for the time: whoever asks in its first minute is not left with
    (other) for an hour.
    """
    return crowd - shown.crowd >= k and (not shown.final or now - shown.at >= live_fold_s)


def grow(shown: Shown | None, entries: Iterable[Entry], theirs: int, k: int, *, crowd: int, at: float) -> Shown:
    """What is shown from now on: what was, and of what came since whatever makes an increment.

    `entries` is the whole day so far. The first is the day's fold (`fold_day`). An increment needs k networks more
    than when its rest was last folded in vain, so that no single one tells what made the difference.
    """
    cells = summed(entries)
    epochs = len({epoch for _, epoch, _ in cells})
    return _grown(shown or _NOTHING, cells, theirs, k, crowd, grows_by=GROWS_BY, at=at, epochs=epochs)


def finish(shown: Shown | None, entries: Iterable[Entry], theirs: int, k: int, *, crowd: int) -> list[Row]:
    """The rows of a day that nothing is added to any more: its fold, or what was shown and a last increment."""
    if shown is None:
        return fold_day(entries, theirs, k, crowd=crowd)
    ended = _grown(shown, summed(entries), theirs, k, crowd, grows_by=None, at=shown.at, epochs=shown.epochs)
    return list(ended.rows)


def unnamed(entries: Iterable[Entry], theirs: int, k: int, *, crowd: int) -> list[Row]:
    """Rows that tell only ours: for a day of which it is not known what was shown."""
    return _only_ours(summed(entries), theirs if crowd >= k else None)


def _grown(  # noqa: PLR0913 - the parameters of grow and finish, and what they differ in
    shown: Shown,
    cells: list[Entry],
    theirs: int,
    k: int,
    crowd: int,
    *,
    grows_by: int | None,
    at: float,
    epochs: int,
) -> Shown:
    crowd = max(crowd, bound(cells))  # the cells may be a moment younger
    rest = _by_ours(_minus(cells, shown.cells), theirs)
    before = _by_ours([(values, epoch, one) for (values, epoch), one in shown.cells.items()], theirs)
    final = list(shown.final)
    taken = dict(shown.cells)
    looked = dict(shown.looked)
    since: list[Entry] = []
    for ours, came in rest.items():
        size = bound(came)
        least = max(k, bound(before[ours]) // grows_by) if grows_by and ours in before else k
        if crowd >= k and size - looked.get(ours, 0) >= least:
            rows = fold(came, theirs, k)
            if any(value != OTHER for row in rows for value in row.values[len(ours) :]):
                final += rows
                looked.pop(ours, None)
                for values, epoch, one in came:
                    taken[values, epoch] = _sum(taken.get((values, epoch)), one)
                continue
            looked[ours] = size
        since += came
    final = _added(final)
    return Shown(
        final=tuple(final),
        cells=taken,
        looked=looked,
        rows=tuple(_added([*final, *_only_ours(since, theirs if crowd >= k else None)])),
        at=at,
        crowd=crowd,
        epochs=epochs,
    )


def _minus(cells: list[Entry], shown: Mapping[Cell, Counters]) -> list[Entry]:
    """What came to each cell since. A database that lost something may hold less than was shown: that is nothing."""
    rest = []
    for values, epoch, now in cells:
        then = shown.get((values, epoch))
        if then is None:
            rest.append((values, epoch, now))
        elif now != then:
            came = Counters(
                events=max(0, now.events - then.events),
                visitors=max(0, now.visitors - then.visitors),
                networks=max(0, now.networks - then.networks),
                firsts=max(0, now.firsts - then.firsts),
                amount=max(0, now.amount - then.amount),
            )
            if came != _NONE:
                rest.append((values, epoch, came))
    return rest


def _by_ours(cells: list[Entry], theirs: int) -> dict[Values, list[Entry]]:
    combinations: defaultdict[Values, list[Entry]] = defaultdict(list)
    for entry in cells:
        combinations[entry[0][: len(entry[0]) - theirs]].append(entry)
    return dict(combinations)


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


def _sum(one: Counters | None, other: Counters) -> Counters:
    total = Counters()
    for counters in (one, other):
        if counters is not None:
            total.add(counters)
    return total
