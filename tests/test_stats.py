"""Questions and answers over a warehouse in memory; the same through HTTP and the real engine is tested elsewhere."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import combinations

import pytest

from collector.catalogue.declarations import Declarations, read_declarations
from collector.cell import OTHER
from collector.fold import Row
from collector.stats.answer import Answer, Answers
from collector.stats.live import DAY_S, Fold, FoldKey, LiveFolds
from collector.stats.question import BadQuestion, NoSuchReport
from tests.memory_reading import OTHER_SITE, PLAYER, REGISTRY, SITE, MemoryReading, SteppedClock, seconds

TODAY = "2026-11-22"
NOON = f"{TODAY}T12:00:00"


@cache
def declared() -> Declarations:
    return read_declarations()


class Desk:
    """A warehouse, a clock and somebody who answers."""

    def __init__(self, live_fold_s: float = 0) -> None:
        self.reading = MemoryReading(declared())
        self.clock = SteppedClock(seconds(NOON))
        self.answers = Answers(declared(), REGISTRY, self.reading, self.clock, live_fold_s)
        self.put = self.reading.put

    def ask(self, report: str, **parameters: str) -> Answer:
        """Ask about SITE; write from_ for from."""
        given = {"property": SITE} | {name.rstrip("_"): value for name, value in parameters.items()}
        return self.answers.ask(self.answers.read(report, given.items()))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def says(answer: Answer, *words: str) -> bool:
    return any(all(word in note for word in words) for note in answer.notes)


# --- what may be asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("property", ""),
        ("property", "property="),
        ("property", "property=nobody"),
        ("property", f"property={SITE}&property={SITE}"),
        (None, f"property={SITE}&metric=events"),
        (None, f"property={SITE}&PROPERTY={SITE}"),
        (None, f"property={SITE}&token=x"),
        ("from", f"property={SITE}&from=2026-11-23&to=2026-11-22"),
        ("from", f"property={SITE}&from=2026-11-23"),
        ("from", f"property={SITE}&from=2016-11-20"),
        ("from", f"property={SITE}&from=1026-11-22"),
        ("from", f"property={SITE}&from=1970-01-01"),
        ("from", f"property={SITE}&from=0000-00-00"),
        ("from", f"property={SITE}&from=20261122"),
        ("from", f"property={SITE}&from=2026-W47-7"),
        ("from", f"property={SITE}&from=\uff12\uff10\uff12\uff16-11-22"),
        ("from", f"property={SITE}&from="),
        ("to", f"property={SITE}&to=2026-02-30"),
        ("to", f"property={SITE}&to=9999-12-31"),
        ("to", f"property={SITE}&to=2026-11-22T00:00:00Z"),
        ("to", f"property={SITE}&to=2026-11-22&to=2026-11-22"),
        ("interval", f"property={SITE}&interval=hour"),
        ("interval", f"property={SITE}&interval=year"),
        ("interval", f"property={SITE}&interval="),
        ("by", f"property={SITE}&by=country"),
        ("by", f"property={SITE}&by=path,path"),
        ("by", f"property={SITE}&by=path,"),
        ("by", f"property={SITE}&by="),
        ("limit", f"property={SITE}&limit=0"),
        ("limit", f"property={SITE}&limit=-1"),
        ("limit", f"property={SITE}&limit=100001"),
        ("limit", f"property={SITE}&limit=1000000000"),
        ("limit", f"property={SITE}&limit=1e3"),
        ("limit", f"property={SITE}&limit=+5"),
        ("limit", f"property={SITE}&limit="),
        ("format", f"property={SITE}&format=xml"),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused_with_the_parameter_and_the_rule(
    desk: Desk, parameter: str | None, query: str
) -> None:
    given = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]
    with pytest.raises(BadQuestion) as refused:
        desk.answers.read("pages", given)
    assert refused.value.parameter == parameter
    assert refused.value.rule


def test_a_report_without_dimensions_refuses_every_dimension(desk: Desk) -> None:
    with pytest.raises(BadQuestion):
        desk.ask("traffic", by="path")


def test_a_report_that_is_not_declared_does_not_exist(desk: Desk) -> None:
    with pytest.raises(NoSuchReport):
        desk.ask("visits")


def test_without_dates_the_question_is_about_today_and_without_from_about_the_day_of_to(desk: Desk) -> None:
    assert (desk.ask("pages").question.first, desk.ask("pages").question.last) == (date(2026, 11, 22),) * 2
    question = desk.ask("pages", to="2026-11-20").question
    assert (question.first, question.last, question.limit, question.format) == (date(2026, 11, 20),) * 2 + (
        1_000,
        "json",
    )
    assert desk.ask("pages", from_="2026-11-20").question.last == date(2026, 11, 22)


def test_ten_years_are_the_longest_range_and_any_future_day_may_be_asked_about(desk: Desk) -> None:
    assert desk.ask("pages", from_="2016-11-22").rows == ()
    assert desk.ask("pages", from_="2100-01-01", to="2100-12-31").rows == ()


# --- what is answered -------------------------------------------------------------------------------------------------


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
    assert says(answer, "1 of 3 rows")


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
    assert says(desk.ask("traffic", to="2026-11-21"), "restarted")
    assert not says(desk.ask("traffic"), "restarted")


# --- the fold in answers ----------------------------------------------------------------------------------------------


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


# --- the live fold ----------------------------------------------------------------------------------------------------


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
    fold = Fold(rows=rows, at=seconds(NOON), crowd=20, epochs=frozenset({1}))
    first, second, third = (FoldKey("countries", SITE, seconds(NOON) // DAY_S, node) for node in (1, 2, 3))
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
