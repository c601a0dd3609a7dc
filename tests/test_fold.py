"""What the fold promises, on tables whose true networks are known because the test made every event itself."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest

from collector.cell import DIRECT, OTHER, UNKNOWN, Counters
from collector.fold import Entry, Row, bound, fold, fold_day, summed
from tests.costing import growth

K = 10
TABLES = 1_000
DIMENSIONS = 3

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One report, property, node and day: what the warehouse holds, and the truth behind it."""

    theirs: int
    entries: list[Entry]
    networks: dict[Values, set[int]]
    events: dict[Values, int]
    visitors: dict[Values, int]


def random_table(seed: int) -> Table:
    """Events of a day with up to three restarts, skewed values, lost marks; marks made as product.md (Words) says."""
    dice = random.Random(seed)
    theirs = dice.randrange(DIMENSIONS + 1)
    people = int(2 ** dice.uniform(0, 8.5))
    skew = dice.choice([1.0, 2.0, 4.0])
    epochs = dice.choice([1, 1, 2, 3, 4])
    lost = dice.choice([0.0, 0.0, 0.002, 0.05])
    reserved = dice.choice([[], [UNKNOWN], [DIRECT, OTHER], [OTHER]])
    vocabularies = [[f"v{n}" for n in range(dice.choice([1, 2, 4, 12]))] + reserved for _ in range(DIMENSIONS)]
    shared = dice.choice([1, 1, 3])
    entries: list[Entry] = []
    networks: defaultdict[Values, set[int]] = defaultdict(set)
    events: defaultdict[Values, int] = defaultdict(int)
    visitors: defaultdict[Values, int] = defaultdict(int)
    marked: set[tuple[object, ...]] = set()

    def new(*token: object) -> int:
        if token in marked:
            return 0
        marked.add(token)
        return 1

    for _ in range(int(people * dice.uniform(1, 4))):
        person = dice.randrange(people)
        network = person // shared
        epoch = dice.randrange(epochs)
        values = tuple(words[int(dice.random() ** skew * len(words))] for words in vocabularies)
        networks[values].add(network)
        events[values] += 1
        counters = Counters(events=1, amount=dice.randrange(3))
        if dice.random() >= lost:
            counters.visitors = new("visitor", epoch, person, values)
            counters.networks = new("network", epoch, network, values)
            counters.firsts = new("first", epoch, network)
        visitors[values] += counters.visitors
        entries.append((values, epoch, counters))
    return Table(theirs=theirs, entries=entries, networks=networks, events=events, visitors=visitors)


@cache
def tables() -> list[Table]:
    return [random_table(seed) for seed in range(TABLES)]


def cells_behind(table: Table, rows: list[Row]) -> dict[Values, list[Values]]:
    """Which true cells each row stands for: a cell is in the deepest row that names its values, or the rest beside."""
    named = {row.values for row in rows}
    behind: dict[Values, list[Values]] = {values: [] for values in named}
    for values in table.networks:
        ours = DIMENSIONS - table.theirs
        candidates = [values[:depth] + (OTHER,) * (DIMENSIONS - depth) for depth in range(DIMENSIONS, ours - 1, -1)]
        behind[next(candidate for candidate in candidates if candidate in named)].append(values)
    return behind


def true_networks(table: Table, cells: list[Values]) -> int:
    return len(set().union(*(table.networks[values] for values in cells)))


def broken_promises(table: Table, rows: list[Row]) -> list[str]:
    """Every promise about theirs that these rows break, by the networks that truly stand behind them."""
    behind = cells_behind(table, rows)
    ours = DIMENSIONS - table.theirs
    broken = []
    for row in rows:
        size = true_networks(table, behind[row.values])
        named = [depth for depth in range(ours, DIMENSIONS) if row.values[depth] != OTHER]
        if named and size < K:
            broken.append(f"{row.values} is named for {size}")
        rest_at = [depth for depth in range(ours, DIMENSIONS) if row.values[depth] == OTHER]
        if size < K and any(siblings(rows, row.values, depth) != {OTHER} for depth in rest_at):
            broken.append(f"{row.values} is a rest of {size}")
    return broken


def siblings(rows: list[Row], values: Values, depth: int) -> set[str]:
    return {row.values[depth] for row in rows if row.values[:depth] == values[:depth]}


def total(rows: list[Row], places: tuple[int, ...] = ()) -> dict[Values, tuple[int, int]]:
    sums: defaultdict[Values, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        key = tuple(row.values[place] for place in places)
        sums[key] = sums[key][0] + row.events, sums[key][1] + row.amount
    return dict(sums)


def unfolded(table: Table) -> list[Row]:
    return [Row(values, one.events, one.visitors, one.amount, 0) for values, _, one in table.entries]


def property_day(table: Table) -> list[Row]:
    return fold_day(table.entries, table.theirs, K, crowd=bound(summed(table.entries)))


def test_no_value_of_theirs_is_named_for_under_k_networks_and_no_rest_beside_one_is_under_k() -> None:
    named = 0
    for table in tables():
        rows = fold(table.entries, table.theirs, K)
        assert broken_promises(table, rows) == []
        assert len({row.values for row in rows}) == len(rows)
        named += sum(any(value != OTHER for value in row.values[DIMENSIONS - table.theirs :]) for row in rows)
    assert named > TABLES  # the tables are of a size at which there is something to name


def test_adding_epochs_instead_of_taking_their_maximum_would_break_the_promise() -> None:
    broken = 0
    for table in tables():
        as_if_one_epoch = [(values, 0, counters) for values, _, counters in table.entries]
        broken += bool(broken_promises(table, fold(as_if_one_epoch, table.theirs, K)))
    assert broken > 0


def test_summing_over_theirs_gives_ours_exactly_on_every_property_day_of_k_networks() -> None:
    crowded = 0
    for table in tables():
        if bound(summed(table.entries)) >= K:
            crowded += 1
            ours = tuple(range(DIMENSIONS - table.theirs))
            assert total(property_day(table), ours) == total(unfolded(table), ours)
    assert crowded > TABLES // 4


def test_a_property_day_of_fewer_networks_keeps_its_total_only() -> None:
    small = 0
    for table in tables():
        if bound(summed(table.entries)) < K:
            small += 1
            rows = property_day(table)
            assert [row.values for row in rows] == [(OTHER, OTHER, OTHER)]
            assert rows[0].visitors is None
    assert small > TABLES // 4


def test_totals_are_always_exact() -> None:
    for table in tables():
        assert total(property_day(table)) == total(unfolded(table))


def test_the_bound_never_exceeds_the_networks_that_truly_stand_behind_a_row() -> None:
    for table in tables():
        rows = fold(table.entries, table.theirs, K)
        behind = cells_behind(table, rows)
        assert all(row.bound <= true_networks(table, behind[row.values]) for row in rows)


def test_a_named_row_is_its_cell_with_visitors_and_a_row_with_other_has_none() -> None:
    for table in tables():
        for row in fold(table.entries, table.theirs, K):
            if OTHER in row.values:
                assert row.visitors is None
            else:
                assert (row.events, row.visitors) == (table.events[row.values], table.visitors[row.values])


def test_rows_do_not_depend_on_the_order_or_the_batches_cells_arrive_in() -> None:
    for table in tables()[:50]:
        shuffled = list(table.entries)
        random.Random(1).shuffle(shuffled)
        assert sorted(fold(shuffled, table.theirs, K), key=str) == sorted(
            fold(summed(table.entries), table.theirs, K), key=str
        )


def test_what_is_given_to_the_fold_is_not_changed_by_it() -> None:
    one = Counters(events=1, networks=1, firsts=1)
    entries: list[Entry] = [(("a",), 0, one), (("a",), 0, one), (("a",), 0, one)]
    assert fold(entries, 0, K) == [Row(("a",), 3, 0, 0, 3)]
    assert one == Counters(events=1, networks=1, firsts=1)


def cell(*values: str, networks: int, firsts: int = 0, epoch: int = 0) -> Entry:
    return values, epoch, Counters(events=networks, visitors=networks, networks=networks, firsts=firsts)


@pytest.mark.parametrize(
    ("cells", "proven"),
    [
        ([], 0),
        ([cell("a", networks=3), cell("b", networks=4)], 4),
        ([cell("a", networks=3, firsts=3), cell("b", networks=4, firsts=3)], 6),
        ([cell("a", networks=6, firsts=6), cell("a", networks=6, firsts=6, epoch=1)], 6),
        ([cell("a", networks=6, firsts=6), cell("b", networks=9, firsts=1, epoch=1)], 9),
    ],
)
def test_the_bound_is_the_best_proof_of_any_one_epoch(cells: list[Entry], proven: int) -> None:
    assert bound(cells) == proven


def test_a_small_rest_takes_its_smallest_sibling_with_it() -> None:
    cells = [cell("de", networks=30, firsts=30), cell("fr", networks=12, firsts=12), cell("is", networks=1, firsts=1)]
    assert [(row.values, row.events) for row in fold(cells, 1, K)] == [(("de",), 30), ((OTHER,), 13)]


def test_unknown_and_direct_are_values_like_any_other() -> None:
    cells = [cell(UNKNOWN, networks=10), cell(DIRECT, networks=9)]
    assert [row.values for row in fold(cells, 1, K)] == [(OTHER,)]
    cells = [cell(UNKNOWN, networks=10), cell(DIRECT, networks=10)]
    assert sorted(row.values for row in fold(cells, 1, K)) == [(DIRECT,), (UNKNOWN,)]


def test_an_event_without_marks_is_a_rest_that_must_reach_k() -> None:
    cells: list[Entry] = [cell("de", networks=30), cell("fr", networks=12), (("is",), 0, Counters(events=1))]
    assert [row.values for row in fold(cells, 1, K)] == [("de",), (OTHER,)]


def test_a_combination_of_ours_that_only_a_few_met_tells_only_ours() -> None:
    cells = [cell("1.0", "windows", "x86_64", networks=3), cell("2.0", "linux", "x86_64", networks=20)]
    assert sorted(row.values for row in fold(cells, 2, K)) == [("1.0", OTHER, OTHER), ("2.0", "linux", "x86_64")]


def test_cells_fold_in_a_time_that_their_number_is_the_measure_of() -> None:
    def folding(cells: int) -> Callable[[], object]:
        dice = random.Random(1)
        day = [
            cell(f"a{dice.randrange(20)}", f"b{dice.randrange(100)}", f"c{n}", networks=dice.randrange(30))
            for n in range(cells)
        ]
        return lambda: fold(day, 3, K)

    assert growth(folding, 4_000, 40_000) < 40
