"""Of a day that is not sealed, polling must not tell single callers apart: the live fold."""

from __future__ import annotations

import pytest

from collector.day_part import PartKey
from collector.fold import Row
from collector.stats.answer import Answer
from collector.stats.live import DAY_S, Fold, LiveFolds
from tests.memory_reading import PLAYER, SITE, seconds
from tests.stats_desk import NOON, TODAY, Desk, says


@pytest.fixture
def live() -> Desk:
    desk = Desk(live_fold_s=3_600)
    desk.put("countries", TODAY, "de", events=20)
    return desk


def countries(desk: Desk) -> Answer:
    return desk.ask("countries", by="country")


def test_polling_tells_no_single_event_of_callers(live: Desk) -> None:
    before = countries(live)
    assert before.as_of == "2026-11-22T12:00:00Z"
    assert says(before, "as of 2026-11-22T12:00:00Z")
    live.clock.at += 10
    live.put("countries", TODAY, "de", events=1)
    assert (countries(live).rows, countries(live).totals) == (before.rows, before.totals)
    assert live.ask("countries").rows == ((20, None),)


def test_a_live_fold_needs_both_the_time_and_the_networks(live: Desk) -> None:
    countries(live)
    live.put("countries", TODAY, "de", events=9)
    live.clock.at += 3_600
    assert countries(live).totals["events"] == 20  # an hour, nine networks
    live.put("countries", TODAY, "de", events=1)
    renewed = countries(live)
    assert (renewed.totals["events"], renewed.as_of) == (30, "2026-11-22T13:00:00Z")
    live.put("countries", TODAY, "de", events=100)
    live.clock.at += 3_599
    assert countries(live).totals["events"] == 30  # a hundred networks, no hour
    live.clock.at += 1
    assert countries(live).totals["events"] == 130


def test_a_fold_that_names_nothing_waits_for_the_networks_but_not_for_the_hour() -> None:
    desk = Desk(live_fold_s=3_600)
    desk.put("countries", TODAY, "de", events=4)
    assert countries(desk).rows == (("(other)", 4, None),)
    desk.clock.at += 10
    desk.put("countries", TODAY, "de", events=9)
    assert countries(desk).rows == (("(other)", 4, None),)  # thirteen networks, but not ten more: it tells of nobody
    desk.put("countries", TODAY, "de", events=1)
    assert countries(desk).rows == (("de", 14, 14),)
    desk.clock.at += 10
    desk.put("countries", TODAY, "de", events=100)
    assert countries(desk).totals["events"] == 14  # named: from now on the hour counts, too


def test_networks_met_again_after_a_restart_are_not_taken_for_new_ones(live: Desk) -> None:
    countries(live)
    live.clock.at += 3_600
    live.put("countries", TODAY, "de", events=20, epoch=2)
    assert countries(live).totals["events"] == 20


def test_the_networks_may_be_gained_in_any_report_of_the_property(live: Desk) -> None:
    countries(live)
    live.clock.at += 3_600
    live.put("countries", TODAY, "de", events=1)
    live.put("traffic", f"{TODAY}T12:00:00", events=30)
    assert countries(live).totals["events"] == 21


def test_reports_of_ours_and_totals_without_dimension_are_always_as_of_now(live: Desk) -> None:
    for seen in (10, 11, 12):
        live.put("pages", TODAY, "/", events=10 if seen == 10 else 1)
        live.put("traffic", f"{TODAY}T10:00:00", events=10 if seen == 10 else 1)
        assert live.ask("pages", by="path").rows == (("/", seen, seen),)
        assert live.ask("traffic").rows == ((seen, seen, 0),)
        assert live.ask("traffic").as_of is None


def test_by_ours_in_a_report_with_theirs_is_of_the_same_fold(live: Desk) -> None:
    live.put("installs", TODAY, "1.0", "stable", "windows", events=20, property_id=PLAYER)
    asked = {"property": PLAYER, "by": "version"}
    assert live.ask("installs", **asked).rows == (("1.0", 20),)
    live.put("installs", TODAY, "1.0", "stable", "windows", events=1, property_id=PLAYER)
    answer = live.ask("installs", **asked)
    assert (answer.rows, answer.totals) == ((("1.0", 20),), {"events": 20})


def test_a_standing_fold_costs_no_look_at_the_cells(live: Desk) -> None:
    countries(live)
    looks = live.reading.looks
    countries(live)
    live.ask("countries", interval="day")
    assert live.reading.looks == looks


def test_each_node_renews_its_own_part_and_the_oldest_is_told(live: Desk) -> None:
    countries(live)
    live.clock.at += 60
    live.put("countries", TODAY, "de", events=5, node=2)
    answer = countries(live)
    assert (answer.totals["events"], answer.as_of) == (25, "2026-11-22T12:00:00Z")


def test_once_late_events_cannot_come_any_more_the_final_fold_is_made(live: Desk) -> None:
    countries(live)
    live.put("countries", TODAY, "de", events=1)
    live.clock.at = seconds("2026-11-24T23:59:59")
    assert live.ask("countries", to=TODAY).totals["events"] == 20
    live.clock.at += 1
    assert live.ask("countries", to=TODAY).totals["events"] == 21


def test_folds_take_bounded_memory_and_the_one_nobody_asked_for_goes_first() -> None:
    folds = LiveFolds(10, 3_600, max_rows=4)
    rows = (Row(("de",), 20, 20, 0, 20),)
    fold = Fold(rows=rows, at=seconds(NOON), crowd=20, epochs=1, names=True)
    first, second, third = (PartKey("countries", SITE, seconds(NOON) // DAY_S, node) for node in (1, 2, 3))
    folds.keep(first, fold)
    folds.keep(second, fold)
    assert folds.standing(first, fold.at, 20) is fold
    folds.keep(third, fold)
    assert [folds.standing(key, fold.at, 20) is fold for key in (first, second, third)] == [True, False, True]


def test_at_zero_seconds_every_answer_is_folded_anew() -> None:
    desk = Desk(live_fold_s=0)
    for seen in (20, 21):
        desk.put("countries", TODAY, "de", events=20 if seen == 20 else 1)
        assert countries(desk).totals["events"] == seen
    assert countries(desk).as_of == "2026-11-22T12:00:00Z"
