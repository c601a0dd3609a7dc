"""What is shown of an open day, again and again, tells of no crowd too small."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

import pytest

from collector.cell import OTHER, Counters
from collector.fold import Entry, Row, bound, fold, fold_day, summed
from collector.shown import Shown, finish, grow, may_grow, unnamed
from tests.costing import growth
from tests.growing_days import DIMENSIONS, Day, K, Values, broken_promises, is_named, random_day, sum_of

DAYS = 300

Grow = Callable[[Shown | None, list[Entry], int, int], Shown]


@cache
def days() -> list[Day]:
    return [random_day(seed) for seed in range(DAYS)]


def as_it_is(shown: Shown | None, entries: list[Entry], theirs: int, crowd: int) -> Shown:
    return grow(shown, entries, theirs, K, crowd=crowd, at=0)


def shown_of(day: Day, grown: Grow = as_it_is) -> list[list[Row]]:
    """What polling sees of a day: the rows at every look, and the sealed ones after the last."""
    states: list[list[Row]] = []
    shown = None
    for entries in day.looks:
        shown = grown(shown, entries, day.theirs, bound(summed(entries)))
        states.append(list(shown.view.rows))
    last = day.looks[-1]
    return [*states, finish(shown, last, day.theirs, K, crowd=bound(summed(last)))]


def test_no_state_and_no_difference_of_two_tells_theirs_of_under_k_networks_and_totals_are_exact() -> None:
    named = grew = 0
    for day in days():
        states = shown_of(day)
        assert broken_promises(day, states) == []
        told = [sum_of(row for row in rows if is_named(day, row)) for rows in states]
        named += told[-1] > 0
        grew += len(set(told) - {0}) > 1
    assert named > DAYS / 2  # the days are of a size at which there is something to name,
    assert grew > DAYS / 4  # and more to name later


def fold_anew(_: Shown | None, entries: list[Entry], theirs: int, crowd: int) -> Shown:
    return as_it_is(None, entries, theirs, crowd)


def keep_no_cells(shown: Shown | None, entries: list[Entry], theirs: int, crowd: int) -> Shown:
    return replace(as_it_is(shown, entries, theirs, crowd), cells={})


def keep_the_rest_open(shown: Shown | None, entries: list[Entry], theirs: int, crowd: int) -> Shown:
    """Takes named rows only for good: what is (other) beside them is folded again with what comes later."""
    made = as_it_is(shown, entries, theirs, crowd)
    upto = DIMENSIONS - theirs + 1
    came = [row.values[:upto] for row in made.named if shown is None or row not in shown.named]
    cells = dict(shown.cells) if shown else {}
    cells |= {cell: one for cell, one in made.cells.items() if cell[0][:upto] in came}
    return replace(made, cells=cells, beside={})


@pytest.mark.parametrize("grown", [fold_anew, keep_no_cells, keep_the_rest_open])
def test_another_rule_would_break_it(grown: Grow) -> None:
    assert sum(bool(broken_promises(day, shown_of(day, grown))) for day in days()) > DAYS / 100


def test_adding_epochs_up_would_break_it() -> None:
    as_one_epoch = [
        replace(day, looks=[summed((values, 0, counters) for values, _, counters in look) for look in day.looks])
        for day in days()
    ]
    assert sum(bool(broken_promises(day, shown_of(day))) for day in as_one_epoch) > 0


def test_ours_is_exact_at_every_look_and_a_small_day_has_its_total_only() -> None:
    small = 0
    for day in days():
        for rows, entries in zip(shown_of(day), [*day.looks, day.looks[-1]], strict=True):
            if bound(summed(entries)) < K:
                small += 1
                assert [row.values for row in rows] in ([], [(OTHER,) * DIMENSIONS])
            else:
                exact = unnamed(entries, day.theirs, K, crowd=K, at=0)
                assert _by_ours(day, rows) == _by_ours(day, exact.rows)
    assert small > DAYS / 50


def _by_ours(day: Day, rows: Iterable[Row]) -> dict[Values, tuple[int, int]]:
    sums: defaultdict[Values, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        ours = row.values[: day.ours]
        sums[ours] = sums[ours][0] + row.events, sums[ours][1] + row.amount
    return dict(sums)


def test_what_is_first_shown_is_the_fold_of_the_day_so_far_and_so_is_a_sealed_day_that_nobody_asked_for() -> None:
    for day in days():
        entries = day.looks[-1]
        crowd = bound(summed(entries))
        folded = sorted(fold_day(entries, day.theirs, K, crowd=crowd), key=str)
        assert sorted(as_it_is(None, entries, day.theirs, crowd).view.rows, key=str) == folded
        assert sorted(finish(None, entries, day.theirs, K, crowd=crowd), key=str) == folded


def test_visitors_of_named_rows_never_exceed_those_that_were_counted_and_bounds_are_proven() -> None:
    for day in days():
        counted = {row.values: row for row in fold(day.looks[-1], 0, K)}
        for row in shown_of(day)[-1]:
            if OTHER in row.values:
                assert row.visitors is None
            else:
                assert (row.visitors or 0) <= (counted[row.values].visitors or 0)
            assert row.bound <= day.crowd_of(row.amount)


def entry(value: str, networks: int, events: int | None = None, epoch: int = 1) -> Entry:
    count = networks if events is None else events
    return (value,), epoch, Counters(events=count, visitors=networks, networks=networks, firsts=networks)


def countries(shown: Shown | None, *entries: Entry, crowd: int = 1_000) -> Shown:
    return grow(shown, entries, 1, K, crowd=crowd, at=0)


def events(rows: Iterable[Row]) -> dict[str, int]:
    return {row.values[0]: row.events for row in rows}


def test_a_network_more_in_a_country_thatis_named_waits_in_other() -> None:
    shown = countries(None, entry("de", 20))
    assert events(shown.view.rows) == {"de": 20}
    shown = countries(shown, entry("de", 21))
    assert events(shown.view.rows) == {"de": 20, OTHER: 1}
    shown = countries(shown, entry("de", 31))
    assert events(shown.view.rows) == {"de": 31}


def test_what_makes_a_value_a_crowd_is_never_a_single_network() -> None:
    few = entry("de", 9), *(entry(f"c{n}", 5) for n in range(3))
    shown = countries(None, *few)
    assert events(shown.view.rows) == {OTHER: 24}
    one_more = entry("de", 10), *few[1:]
    shown = countries(shown, *one_more)
    assert events(shown.view.rows) == {OTHER: 25}  # else whoever came last is from de
    assert events(finish(shown, one_more, 1, K, crowd=1_000)) == {OTHER: 25}
    shown = countries(shown, entry("de", 19), *few[1:])
    assert events(shown.view.rows) == {"de": 19, OTHER: 15}


def test_a_value_that_was_not_named_before_is_named_from_all_that_is_other_so_far() -> None:
    shown = countries(None, entry("de", 20), entry("fr", 6), entry("it", 6))
    assert events(shown.view.rows) == {"de": 20, OTHER: 12}
    shown = countries(shown, entry("de", 32), entry("fr", 12), entry("it", 11), entry("es", 6))
    assert events(shown.view.rows) == {"de": 32, "fr": 12, OTHER: 17}


def test_a_value_that_was_named_is_never_named_from_other() -> None:
    shown = countries(None, entry("de", 20), entry("fr", 6), entry("it", 6))
    shown = countries(shown, entry("de", 32), entry("fr", 6), entry("it", 6), entry("es", 3), entry("us", 30))
    # de joined the three networks of es. Were it named now, (other) would tell that of all who came since only these
    # three are neither from de nor from us.
    assert events(shown.view.rows) == {"de": 20, "us": 30, OTHER: 27}


def test_an_increment_is_half_of_what_is_shown_at_least_and_the_last_one_any_crowd() -> None:
    shown = countries(None, entry("de", 100))
    later = entry("de", 149)
    shown = countries(shown, later)
    assert events(shown.view.rows) == {"de": 100, OTHER: 49}
    assert events(finish(shown, [later], 1, K, crowd=149)) == {"de": 149}
    assert events(countries(shown, entry("de", 150)).view.rows) == {"de": 150}


def test_callers_met_again_after_a_restart_are_an_increment_of_their_own() -> None:
    shown = countries(None, entry("de", 20))
    shown = countries(shown, entry("de", 20), entry("de", 12, epoch=2))
    assert shown.view.rows == (Row(("de",), 32, 32, 0, 20),)
    assert shown.view.epochs == 2


def test_events_without_marks_are_told_by_ours_only() -> None:
    shown = countries(None, entry("de", 20))
    late = [entry("de", 20, events=1_000)]
    assert (
        events(countries(shown, *late).view.rows)
        == events(finish(shown, late, 1, K, crowd=20))
        == {"de": 20, OTHER: 980}
    )


def test_what_was_shown_stays_when_the_database_has_lost_it() -> None:
    shown = countries(None, entry("de", 20), entry("fr", 20))
    assert events(countries(shown, entry("de", 5)).view.rows) == {"de": 20, "fr": 20}
    assert events(countries(shown, entry("de", 40), crowd=5).view.rows) == {"de": 40, "fr": 20}


def test_a_day_grows_after_its_time_and_its_crowd_but_one_that_names_nothing_after_its_crowd() -> None:
    named = countries(None, entry("de", 20), crowd=20).view
    nothing = countries(None, entry("de", 9), crowd=20).view
    asked = [(3_599, 30), (3_600, 29), (3_600, 30), (0, 30)]
    assert [may_grow(named, K, crowd=crowd, now=now, live_fold_s=3_600) for now, crowd in asked] == [
        False,
        False,
        True,
        False,
    ]
    assert may_grow(nothing, K, crowd=30, now=0, live_fold_s=3_600)
    assert not may_grow(nothing, K, crowd=29, now=3_600, live_fold_s=3_600)


def test_of_a_day_of_which_it_is_not_known_what_was_shown_only_ours_is_told() -> None:
    cells: list[Entry] = [(("1.0", "de"), 1, Counters(events=50, networks=50)), (("2.0", "fr"), 1, Counters(events=1))]
    told = Row(("1.0", OTHER), 50, None, 0, 50), Row(("2.0", OTHER), 1, None, 0, 0)
    assert unnamed(cells, 1, K, crowd=50, at=0).rows == told
    assert [row.values for row in unnamed(cells[1:], 1, K, crowd=9, at=0).rows] == [(OTHER, OTHER)]


def test_a_day_asked_about_every_hour_names_most_of_what_one_names_that_nobody_asked_about() -> None:
    dice = random.Random(1)
    cells: dict[str, Counters] = {}
    shown = None
    for hour in range(24):
        for _ in range(50 + hour * 6):
            country = f"c{min(99, int(dice.paretovariate(0.6)))}"
            cells.setdefault(country, Counters()).add(Counters(events=1, networks=1, firsts=1))
        entries = [((country,), 1, replace(counters)) for country, counters in cells.items()]
        if shown is None or may_grow(shown.view, K, crowd=bound(entries), now=hour * 3_600, live_fold_s=3_600):
            shown = grow(shown, entries, 1, K, crowd=bound(entries), at=hour * 3_600)
    asked, alone = (
        events(finish(known, entries, 1, K, crowd=bound(entries))).get(OTHER, 0) / bound(entries)
        for known in (shown, None)
    )
    assert alone < 0.1
    assert asked < 0.2


def test_a_day_grows_in_a_time_that_its_cells_are_the_measure_of() -> None:
    def growing(cells: int) -> Callable[[], object]:
        dice = random.Random(1)
        before = [
            ((f"a{n % 100}", f"b{n}", "c"), 1, Counters(events=dice.randrange(1, 9), networks=dice.randrange(30)))
            for n in range(cells)
        ]
        shown = grow(None, before, 2, K, crowd=1_000, at=0)
        after = [(values, epoch, replace(counters, events=9, networks=60)) for values, epoch, counters in before]
        return lambda: grow(shown, after, 2, K, crowd=2_000, at=0)

    assert growth(growing, 2_000, 20_000) < 40
