"""What is answered: sums of folded days. The same through HTTP and the real engine is tested elsewhere."""

from __future__ import annotations

from itertools import combinations

import pytest

from collector.cell import OTHER
from collector.warehouse.reading import SealedRow
from tests.memory_reading import DAY_S, OTHER_SITE, PLAYER, SITE, seconds
from tests.stats_desk import TODAY, Desk, says


@pytest.fixture
def desk() -> Desk:
    return Desk()


def pages(desk: Desk) -> None:
    desk.put("pages", "2026-11-20", "/", events=20)
    desk.put("pages", "2026-11-20", "/a", events=7)
    desk.put("pages", "2026-11-21", "/", events=30)
    desk.put("pages", "2026-11-21", OTHER, events=4)


def test_rows_are_sorted_by_bucket_then_most_events_then_value(desk: Desk) -> None:
    pages(desk)
    desk.put("pages", "2026-11-20", "/B", events=7)
    answer = desk.ask("pages", from_="2026-11-20", interval="day", by="path")
    assert answer.columns == ("bucket", "path", "events", "visitors")
    assert answer.rows == (
        ("2026-11-20", "/", 20, 20),
        ("2026-11-20", "/B", 7, 7),
        ("2026-11-20", "/a", 7, 7),
        ("2026-11-21", "/", 30, 30),
        ("2026-11-21", OTHER, 4, None),
    )
    assert answer.totals == {"events": 68, "visitors": None}


def test_the_limit_cuts_rows_and_says_so_but_never_totals(desk: Desk) -> None:
    pages(desk)
    answer = desk.ask("pages", from_="2026-11-20", by="path", limit="1")
    assert answer.rows == (("/", 50, 50),)
    assert answer.totals["events"] == 61
    assert says(answer, "rows 1 to 1 of 3")


def test_with_an_interval_too_the_limit_keeps_the_rows_with_most_events(desk: Desk) -> None:
    pages(desk)
    answer = desk.ask("pages", from_="2026-11-20", interval="day", by="path", limit="2")
    assert [row[:3] for row in answer.rows] == [("2026-11-20", "/", 20), ("2026-11-21", "/", 30)]


def test_without_by_there_is_no_dimension_and_visitors_are_not_told(desk: Desk) -> None:
    pages(desk)
    answer = desk.ask("pages", from_="2026-11-20")
    assert answer.columns == ("events", "visitor_days")
    assert answer.rows == ((61, None),)
    assert says(answer, "by=path", "traffic")


def test_dimensions_come_in_the_order_they_were_asked_for(desk: Desk) -> None:
    desk.put("platforms", TODAY, "windows", "desktop", events=20)
    answer = desk.ask("platforms", by="device,os")
    assert answer.columns == ("device", "os", "events", "visitors")
    assert answer.rows == (("desktop", "windows", 20, 20),)


@pytest.mark.parametrize(
    ("interval", "bucket"),
    [
        ("hour", "2026-11-22T13:00:00Z"),
        ("day", "2026-11-22"),
        ("week", "2026-11-16"),
        ("month", "2026-11-01"),
    ],
)
def test_buckets_are_hours_days_mondays_and_firsts_of_months(desk: Desk, interval: str, bucket: str) -> None:
    desk.put("traffic", "2026-11-22T13:00:00", events=3, amount=2)
    assert desk.ask("traffic", interval=interval).rows[0] == (bucket, 3, 3, 2)


def test_visitors_of_a_day_are_visitors_of_days_visitor_days_and_of_hours_new_visitors(desk: Desk) -> None:
    desk.put("traffic", "2026-11-21T10:00:00", events=5, amount=1)
    desk.put("traffic", "2026-11-22T10:00:00", events=3)
    desk.put("traffic", "2026-11-22T11:00:00", events=2)
    one_day = desk.ask("traffic")
    assert (one_day.columns, one_day.rows) == (("events", "visitors", "amount"), ((5, 5, 0),))
    assert one_day.totals == {"events": 5, "visitors": 5, "amount": 0}
    hours = desk.ask("traffic", interval="hour")
    assert hours.columns == ("bucket", "events", "new_visitors", "amount")
    assert [row[2] for row in hours.rows] == [3, 2]
    assert hours.totals["visitors"] == 5
    assert says(hours, "new_visitors")
    days = desk.ask("traffic", from_="2026-11-21", interval="day")
    assert days.columns[2] == "visitors"
    week = desk.ask("traffic", from_="2026-11-21", interval="week")
    assert week.columns[2] == "visitor_days"
    both = desk.ask("traffic", from_="2026-11-21")
    assert (both.columns, both.rows) == (("events", "visitor_days", "amount"), ((10, 10, 1),))
    assert both.totals == {"events": 10, "visitors": None, "visitor_days": 10, "amount": 1}
    assert says(both, "visitor_days")


def test_only_declared_measures_are_answered(desk: Desk) -> None:
    desk.put("bounces", TODAY, "/", events=20, amount=5)
    answer = desk.ask("bounces", by="path")
    assert answer.columns == ("path", "events", "amount")
    assert answer.totals == {"events": 20, "amount": 5}


def test_another_property_is_another_world_and_nothing_counted_is_no_row(desk: Desk) -> None:
    pages(desk)
    answer = desk.ask("pages", property=OTHER_SITE, from_="2026-11-20", by="path")
    assert (answer.rows, answer.totals) == ((), {"events": 0, "visitors": None})


def test_a_property_of_the_wrong_sort_has_no_rows_and_a_note(desk: Desk) -> None:
    answer = desk.ask("pages", property=PLAYER)
    assert (answer.rows, answer.totals) == ((), {"events": 0, "visitors": None})
    assert says(answer, "not of the sort")
    assert not says(desk.ask("links", property=PLAYER), "not of the sort")
    assert not says(desk.ask("links"), "not of the sort")


def test_the_running_day_is_called_incomplete_and_a_past_one_is_not(desk: Desk) -> None:
    assert says(desk.ask("pages"), TODAY, "not over")
    assert not says(desk.ask("pages", to="2026-11-21"), "not over")


def test_a_restart_during_a_day_is_told_where_visitors_are(desk: Desk) -> None:
    desk.put("traffic", "2026-11-21T09:00:00", events=5, epoch=1)
    desk.put("traffic", "2026-11-21T10:00:00", events=5, epoch=2)
    desk.put("traffic", "2026-11-22T10:00:00", events=5, epoch=2)
    restarted = desk.ask("traffic", to="2026-11-21", interval="hour")
    assert says(restarted, "restarted")
    assert restarted.epochs == {"2026-11-21": 2}
    assert not says(desk.ask("traffic"), "restarted")
    assert desk.ask("traffic").epochs == {}


def platforms(desk: Desk, day: str = TODAY) -> None:
    for os, device, events in [
        ("windows", "desktop", 40),
        ("windows", "tablet", 12),
        ("windows", "mobile", 1),
        ("android", "mobile", 30),
        ("linux", "desktop", 4),
        ("macos", "desktop", 7),
    ]:
        desk.put("platforms", day, os, device, events=events)


def test_a_small_group_of_callers_is_other_and_totals_still_add_up(desk: Desk) -> None:
    platforms(desk)
    answer = desk.ask("platforms", by="os,device")
    assert answer.rows == (
        ("windows", "desktop", 40, 40),
        ("android", "mobile", 30, 30),
        ("windows", OTHER, 13, None),
        (OTHER, OTHER, 11, None),
    )
    assert answer.totals == {"events": 94, "visitors": None}
    assert says(answer, "(other)", "10 networks")


def test_every_answer_is_a_sum_of_folded_days_whatever_it_merges(desk: Desk) -> None:
    for day in ("2026-11-20", "2026-11-21", TODAY):
        platforms(desk, day)
    answer = desk.ask("platforms", from_="2026-11-20", by="os")
    # linux has 12 networks over three days, but never more than 4 on one.
    assert answer.rows == (("windows", 159, None), ("android", 90, None), (OTHER, 33, None))
    for size in range(3):
        for by in combinations(("os", "device"), size):
            parameters = {"by": ",".join(by)} if by else {}
            asked = desk.ask("platforms", from_="2026-11-20", **parameters)
            place = asked.columns.index("events")
            assert sum(int(row[place] or 0) for row in asked.rows) == asked.totals["events"] == 282


def test_the_threshold_holds_on_each_node_and_the_answer_says_so(desk: Desk) -> None:
    for node in (1, 2):
        desk.put("countries", TODAY, "de", events=20, node=node)
        desk.put("countries", TODAY, "fr", events=12, node=node)
        desk.put("countries", TODAY, "is", events=6, node=node)
    answer = desk.ask("countries", by="country")
    assert answer.rows == (("de", 40, 40), (OTHER, 36, None))
    assert says(answer, "2 collectors")


def test_a_property_day_of_a_few_networks_has_totals_only_of_ours_too(desk: Desk) -> None:
    desk.put("pages", "2026-11-21", "/", events=50, networks=9)
    desk.put("pages", TODAY, "/", events=50, networks=9)
    desk.put("traffic", f"{TODAY}T08:00:00", events=52, networks=10)
    assert desk.ask("pages", to="2026-11-21", by="path").rows == ((OTHER, 50, None),)
    assert desk.ask("pages", by="path").rows == (("/", 50, 50),)  # another report proves the crowd
    desk.put("traffic", "2026-11-21T08:00:00", events=3)
    assert desk.ask("traffic", to="2026-11-21").rows == ((3, 3, 0),)  # an undimensioned total is always shown


def test_an_answer_spans_more_days_than_are_read_at_once(desk: Desk) -> None:
    for month in range(1, 11):
        for day in range(1, 21):
            desk.put("pages", f"2026-{month:02}-{day:02}", "/", events=10)
    answer = desk.ask("pages", from_="2026-01-01", interval="month", by="path")
    assert answer.rows == tuple((f"2026-{month:02}-01", "/", 200, 200) for month in range(1, 11))
    assert desk.reading.looks == 4


def test_sealed_days_are_told_as_they_were_folded_and_read_nowhere_else(desk: Desk) -> None:
    day = seconds("2026-11-19T00:00:00")
    desk.put("countries", "2026-11-19", "de", events=500)  # in `hot` still, of the node that is sealed
    desk.put("countries", "2026-11-20", "de", events=20)
    desk.put("countries", "2026-11-19", "de", events=30, node=2)
    desk.reading.through = {1: day // DAY_S}
    for values, events, visitors in ((("de",), 21, 20), ((OTHER,), 7, 0)):
        desk.reading.rows.append(("countries", SITE, SealedRow(day, 1, values, events, visitors, 0)))
    desk.reading.epochs = {(day // DAY_S, 1): 3, (day // DAY_S + 1, 1): 2}
    sealed_and_open = desk.ask("countries", from_="2026-11-19", to="2026-11-20", interval="day", by="country")
    assert sealed_and_open.rows == (
        ("2026-11-19", "de", 51, 50),
        ("2026-11-19", OTHER, 7, None),
        ("2026-11-20", "de", 20, 20),
    )
    assert sealed_and_open.totals["events"] == 78
    assert sealed_and_open.epochs == {"2026-11-19": 3}
    desk.reading.through[2] = day // DAY_S
    alone = desk.ask("countries", from_="2026-11-19", to="2026-11-19", by="country")
    assert (alone.rows, alone.as_of) == ((("de", 21, 20), (OTHER, 7, None)), None)
