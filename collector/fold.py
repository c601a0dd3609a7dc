"""The one fold: what may be named of one report, property, node and day. Live answers and sealing both call it.

    cells of a day (every bucket, batch, epoch)  ->  rows: named where a crowd of k networks stands behind, else (other)

Pure functions. Proofs are lower bounds: inside one epoch a cell's `networks` is exact and `firsts` are disjoint, so
both bound the distinct networks from below; a network met again after a restart is counted again, so epochs are never
added. Rows have no networks and no firsts, only the proven bound, and that is for the warehouse, never for an answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from collector.cell import OTHER, Counters

Entry = tuple[tuple[str, ...], int, Counters]
"""Dimension values (ours first), epoch, and what was counted there in that epoch."""


class Row(NamedTuple):
    """What a set of cells became: summed over epochs, `visitors` None where a value is (other).

    bound  distinct networks the row provably stands for
    """

    values: tuple[str, ...]
    events: int
    visitors: int | None
    amount: int
    bound: int


def bound(cells: Sequence[Entry]) -> int:
    """At least so many distinct networks stand behind these cells of one report, property, node and day.

    The larger of the largest cell's networks and the sum of firsts, in the epoch where that is most. Every cell must be
    summed already: one entry per values and epoch (`summed`).
    """
    if len(cells) == 1:
        only = cells[0][2]
        return only.networks if only.networks > only.firsts else only.firsts  # noqa: FURB136 - as below
    largest = 0
    firsts: dict[int, int] = {}
    for _, epoch, counters in cells:
        if counters.networks > largest:  # noqa: PLR1730 - max() costs three times as much here
            largest = counters.networks
        firsts[epoch] = firsts.get(epoch, 0) + counters.firsts
    return max(largest, *firsts.values()) if firsts else 0


def summed(entries: Iterable[Entry]) -> list[Entry]:
    """One entry per cell and epoch: several batches, hours or queries are added up; nothing given is changed."""
    cells: dict[tuple[tuple[str, ...], int], Counters] = {}
    repeated: list[Entry] = []
    for entry in entries:
        key = entry[:2]
        if key in cells:
            repeated.append(entry)
        else:
            cells[key] = entry[2]
    for key in {entry[:2] for entry in repeated}:
        cells[key] = replace(cells[key])
    for values, epoch, counters in repeated:
        cells[values, epoch].add(counters)
    return [(values, epoch, counters) for (values, epoch), counters in cells.items()]


def fold(entries: Iterable[Entry], theirs: int, k: int) -> list[Row]:
    """Rows that name no value of theirs for fewer than k networks, nor leave a smaller rest beside a named one.

    The last `theirs` dimensions are folded, from the outside in, inside each combination of ours: groups under k merge
    into (other) together with everything deeper; if that rest is under k, the smallest kept sibling joins it. What is
    (other) at the door belongs to the rest. A row whose theirs are all (other) tells only ours and may be small. Sums
    over theirs are exactly ours; with no theirs, epochs are summed and that is all.
    """
    combinations: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in summed(entries):
        values = entry[0]
        combinations[values[: len(values) - theirs]].append(entry)
    rows: list[Row] = []
    for ours, cells in combinations.items():
        _fold_inside(ours, cells, bound(cells), theirs, k, rows)
    return rows


def fold_day(entries: Iterable[Entry], theirs: int, k: int, *, crowd: int) -> list[Row]:
    """The fold of one report's day, or only its total where the property-day itself has fewer than k networks.

    crowd: the largest bound of any report of that property, node and day; under k, ours becomes (other), too.
    """
    if crowd >= k:
        return fold(entries, theirs, k)
    cells = summed(entries)
    return [_row((OTHER,) * len(cells[0][0]), cells, bound(cells))] if cells else []


def _fold_inside(values: tuple[str, ...], cells: list[Entry], size: int, deeper: int, k: int, rows: list[Row]) -> None:
    """Append the rows of `cells`, of bound `size`: they share `values` and have `deeper` dimensions of theirs below."""
    if not deeper:
        rows.append(_row(values, cells, size))
        return
    depth = len(values)
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in cells:
        groups[entry[0][depth]].append(entry)
    rest = groups.pop(OTHER, [])
    kept: list[tuple[int, str]] = []
    for value, group in groups.items():
        group_size = bound(group)
        if group_size >= k:
            kept.append((group_size, value))
        else:
            rest += group
    rest_size = bound(rest)
    kept.sort(reverse=True)
    # By presence, not by bound: an event without marks (its day's key was dead) proves no network and has one.
    while rest and kept and rest_size < k:
        rest += groups[kept.pop()[1]]
        rest_size = bound(rest)
    for group_size, value in kept:
        _fold_inside((*values, value), groups[value], group_size, deeper - 1, k, rows)
    if rest:
        rows.append(_row(values + (OTHER,) * deeper, rest, rest_size))


def _row(values: tuple[str, ...], cells: list[Entry], size: int) -> Row:
    events = visitors = amount = 0
    for _, _, counters in cells:
        events += counters.events
        visitors += counters.visitors
        amount += counters.amount
    return Row(values, events, None if OTHER in values else visitors, amount, size)
