"""Which rows filters pick, in which order rows come and on which page, and what earlier days say beside them."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import orjson
import pytest

from collector.analyst.api import body_of
from collector.cell import OTHER
from collector.stats.answer import Answer, Earlier
from collector.stats.filters import Filter, Op
from tests.memory_reading import PLAYER, SITE
from tests.stats_desk import TODAY, Desk, says

YESTERDAY = "2026-11-21"
CAMPAIGNS = ("utm_source", "utm_medium", "utm_campaign")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ask(desk: Desk, report: str, filters: list[str], **parameters: str) -> Answer:
    pairs = [("property", SITE), *((name.rstrip("_"), value) for name, value in parameters.items())]
    return desk.answers.ask(desk.answers.read(report, [*pairs, *(("filter", text) for text in filters)]))


def earlier_of(answer: Answer) -> Earlier:
    assert answer.earlier
    return answer.earlier


# --- filters ----------------------------------------------------------------------------------------------------------


class Compared(str):
    """A value that counts what it is compared with."""

    times = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)


def test_a_row_is_not_compared_with_every_value_of_a_filter() -> None:
    values = tuple(f"/{number}" for number in range(2000))
    ops: tuple[Op, ...] = ("==", "!=")
    for op in ops:
        one = Filter(dimension="path", op=op, values=values)
        assert one.holds(Compared("/elsewhere")) is (op == "!=")
        assert one.holds(Compared("/1999")) is (op == "==")
    assert Compared.times < 20


def keeps(value: str, op: str, drawn: list[str]) -> bool:
    """What a filter says, in other words than those of filters.py."""
    if op == "~":
        return value[: len(drawn[0])] == drawn[0]
    return (drawn.count(value) > 0) == (op == "==")


def test_filters_pick_what_an_independent_sum_over_the_events_picks(desk: Desk) -> None:
    dice = random.Random(1)
    events: list[tuple[str, ...]] = []
    for _ in range(100):
        values = tuple(f"{dice.choice('ab')}{dice.randrange(4)}" for _ in CAMPAIGNS)
        many = dice.randint(10, 20)
        desk.put("campaigns", TODAY, *values, events=many)
        events += [values] * many
    for _ in range(300):
        filters = []
        for place in dice.sample(range(3), dice.randint(1, 3)):
            op = dice.choice(["==", "!=", "~"])
            drawn = [f"{dice.choice('ab')}{dice.randrange(5)}" for _ in range(dice.randint(1, 4))]
            filters.append((place, op, [dice.choice("abc")] if op == "~" else drawn))
        places = dice.sample(range(3), dice.randint(0, 3))
        picked = [values for values in events if all(keeps(values[place], op, drawn) for place, op, drawn in filters)]
        expected = Counter(tuple(values[place] for place in places) for values in picked)
        by = {"by": ",".join(CAMPAIGNS[place] for place in places)} if places else {}
        texts = [f"{CAMPAIGNS[place]}{op}{','.join(drawn)}" for place, op, drawn in filters]
        answer = ask(desk, "campaigns", texts, **by)
        assert {row[: len(places)]: row[len(places)] for row in answer.rows} == expected, texts
        assert answer.totals["events"] == len(picked)


def test_filters_pick_among_folded_rows_and_tell_no_small_group(desk: Desk) -> None:
    desk.put("countries", TODAY, "de", events=40)
    desk.put("countries", TODAY, "fr", events=30)
    desk.put("countries", TODAY, "is", events=3)
    desk.put("countries", TODAY, "mt", events=8)
    assert ask(desk, "countries", ["country==is"], by="country").rows == ()
    assert ask(desk, "countries", ["country==is"]).totals["events"] == 0
    assert ask(desk, "countries", ["country!=de,fr"], by="country").rows == ((OTHER, 11, None),)
    assert ask(desk, "countries", [f"country=={OTHER},de"], by="country").totals["events"] == 51
    assert ask(desk, "countries", ["country~("], by="country").rows == ((OTHER, 11, None),)


def test_filters_of_a_dimension_that_is_not_in_by_hold_too_and_visitors_stay_untold(desk: Desk) -> None:
    desk.put("platforms", TODAY, "windows", "desktop", events=40)
    desk.put("platforms", TODAY, "windows", "tablet", events=12)
    desk.put("platforms", TODAY, "macos", "desktop", events=20)
    answer = ask(desk, "platforms", ["device==desktop"], by="os")
    assert answer.rows == (("windows", 40, None), ("macos", 20, None))
    assert answer.totals == {"events": 60, "visitors": None}
    both = ask(desk, "platforms", ["device==desktop", "os~win"], by="os,device")
    assert both.rows == (("windows", "desktop", 40, 40),)


def test_a_filter_that_leaves_out_what_became_other_says_so(desk: Desk) -> None:
    desk.put("countries", TODAY, "de", events=40)
    assert not says(ask(desk, "countries", ["country==de"], by="country"), "left out")
    desk.put("countries", TODAY, "is", events=12)
    desk.put("countries", TODAY, "mt", events=3)
    desk.put("countries", TODAY, "li", events=8)
    assert says(ask(desk, "countries", ["country==de"], by="country"), "(other)", "left out")
    assert not says(ask(desk, "countries", ["country!=de"], by="country"), "left out")


# --- order and pages --------------------------------------------------------------------------------------------------


def paths(desk: Desk) -> None:
    for path, events in [("/a", 20), ("/b", 30), ("/c", 30), (OTHER, 25), ("/d", 10)]:
        desk.put("pages", TODAY, path, events=events)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["/b", "/c", OTHER, "/a", "/d"]),
        ("-events", ["/b", "/c", OTHER, "/a", "/d"]),
        ("events", ["/d", "/a", OTHER, "/b", "/c"]),
        ("path", [OTHER, "/a", "/b", "/c", "/d"]),
        ("-path", ["/d", "/c", "/b", "/a", OTHER]),
        ("visitors", ["/d", "/a", "/b", "/c", OTHER]),  # what is not told comes last, however it is sorted
        ("-visitors", ["/b", "/c", "/a", "/d", OTHER]),
    ],
)
def test_rows_come_in_the_order_of_a_column_and_ties_in_that_of_events_and_values(
    desk: Desk, sort: str, order: list[str]
) -> None:
    paths(desk)
    rows = desk.ask("pages", by="path", **({"sort": sort} if sort else {})).rows
    assert [row[0] for row in rows] == order


def test_with_an_interval_rows_may_be_sorted_by_bucket_or_over_all_buckets(desk: Desk) -> None:
    for day, path, events in [(YESTERDAY, "/a", 20), (YESTERDAY, "/b", 30), (TODAY, "/a", 50), (TODAY, "/b", 10)]:
        desk.put("pages", day, path, events=events)
    asked = {"from_": YESTERDAY, "interval": "day", "by": "path", "limit": "3"}
    assert [row[:2] for row in desk.ask("pages", sort="-bucket", **asked).rows] == [
        (TODAY, "/a"),
        (TODAY, "/b"),
        (YESTERDAY, "/b"),
    ]
    assert [row[2] for row in desk.ask("pages", sort="-events", **asked).rows] == [50, 30, 20]
    assert [row[2] for row in desk.ask("pages", **asked).rows] == [30, 20, 50]


def test_pages_say_which_rows_they_are_and_their_totals_are_of_all(desk: Desk) -> None:
    paths(desk)
    second = desk.ask("pages", by="path", limit="2", offset="2")
    assert [row[0] for row in second.rows] == [OTHER, "/a"]
    assert second.totals["events"] == 115
    assert says(second, "rows 3 to 4 of 5")
    assert says(desk.ask("pages", by="path", limit="2", offset="4"), "rows 5 to 5 of 5")
    beyond = desk.ask("pages", by="path", offset="5")
    assert (beyond.rows, beyond.totals["events"]) == ((), 115)
    assert says(beyond, "5 rows", "skips all")
    assert not says(desk.ask("pages", by="path"), "totals are of all")
    nothing = desk.ask("pages", by="path", from_="2026-01-01", to="2026-01-01", offset="5")
    assert not says(nothing, "totals are of all")


# --- earlier days -----------------------------------------------------------------------------------------------------


def test_earlier_days_tell_the_values_that_are_shown_in_the_same_columns(desk: Desk) -> None:
    paths(desk)
    for path, events in [("/b", 12), ("/c", 40), ("/gone", 99)]:
        desk.put("pages", YESTERDAY, path, events=events)
    answer = desk.ask("pages", by="path", limit="2", compare="previous")
    assert answer.rows == (("/b", 30, 30), ("/c", 30, 30))
    assert earlier_of(answer).rows == (("/c", 40, 40), ("/b", 12, 12))
    assert earlier_of(answer).totals == {"events": 151, "visitors": None}
    sorted_by_path = desk.ask("pages", by="path", limit="3", sort="path", compare="previous")
    assert earlier_of(sorted_by_path).rows == (("/b", 12, 12),)  # of (other), /a and /b only that was there


def test_with_an_interval_earlier_rows_are_in_buckets_of_their_own(desk: Desk) -> None:
    for day, path in [("2026-11-19", "/a"), ("2026-11-20", "/b"), (YESTERDAY, "/a"), (TODAY, "/a")]:
        desk.put("pages", day, path, events=10)
    by_day = desk.ask("pages", from_=YESTERDAY, interval="day", by="path", compare="previous")
    assert earlier_of(by_day).rows == (("2026-11-19", "/a", 10, 10), ("2026-11-20", "/b", 10, 10))  # /b is gone since
    whole = desk.ask("pages", from_=YESTERDAY, interval="day", limit="1", compare="previous")
    assert [row[:2] for row in earlier_of(whole).rows] == [("2026-11-19", 10), ("2026-11-20", 10)]


def test_filters_hold_for_earlier_days_too_and_visitors_are_called_the_same(desk: Desk) -> None:
    desk.put("traffic", "2026-11-20T10:00:00", events=7, amount=2)
    desk.put("traffic", f"{TODAY}T10:00:00", events=5)
    answer = desk.ask("traffic", period="2d", compare="previous")
    assert earlier_of(answer).rows == ((7, 7, 2),)
    assert earlier_of(answer).totals == {"events": 7, "visitors": None, "visitor_days": 7, "amount": 2}
    paths(desk)
    for path in ("/a", "/b"):
        desk.put("pages", YESTERDAY, path, events=11)
    filtered = desk.ask("pages", filter="path==/a", compare="previous")
    assert (filtered.totals["events"], earlier_of(filtered).totals["events"]) == (20, 11)


def test_earlier_days_note_what_the_answer_does_not_say_of_itself(desk: Desk) -> None:
    desk.put("pages", TODAY, "/a", events=20)
    desk.put("pages", YESTERDAY, "/a", events=12)
    answer = desk.ask("pages", by="path", compare="previous")
    assert says(answer, "not over")
    assert says(answer, "not of equal times")
    assert earlier_of(answer).notes == ()
    desk.put("pages", YESTERDAY, "/a", events=12, epoch=2)
    desk.put("pages", YESTERDAY, OTHER, events=3)
    notes = earlier_of(desk.ask("pages", by="path", compare="previous")).notes
    assert [note.split()[0] for note in notes] == ["(other)", "The"]
    assert not says(desk.ask("pages", by="path", compare="previous", to=YESTERDAY), "equal times")


def test_a_property_of_the_wrong_sort_has_nothing_earlier_either(desk: Desk) -> None:
    answer = desk.ask("pages", property=PLAYER, compare="year")
    assert (earlier_of(answer).rows, earlier_of(answer).notes) == ((), ())


def test_the_question_an_answer_echoes_asks_the_same_again(desk: Desk) -> None:
    paths(desk)
    answer = desk.ask(
        "pages", period="7d", by="path", filter=r"path!=/a,x\,\\y", sort="-path", offset="1", compare="year"
    )
    asked: dict[str, Any] = orjson.loads(body_of(answer))["question"]
    assert asked == {
        "report": "pages",
        "property": SITE,
        "from": "2026-11-16",
        "to": TODAY,
        "interval": None,
        "by": ["path"],
        "filters": [{"dimension": "path", "op": "!=", "values": ["/a", "x,\\y"]}],
        "sort": "-path",
        "limit": 1_000,
        "offset": 1,
        "compare": "year",
    }
    told = orjson.loads(body_of(answer))["earlier"]
    assert told == {"from": "2025-11-16", "to": "2025-11-22", "rows": [], "totals": {"events": 0, "visitors": None}}
    (each,) = asked["filters"]
    escaped = ",".join(value.replace("\\", "\\\\").replace(",", "\\,") for value in each["values"])
    again = [(name, str(asked[name])) for name in ("property", "from", "to", "sort", "limit", "offset", "compare")]
    again += [("by", ",".join(asked["by"])), ("filter", f"{each['dimension']}{each['op']}{escaped}")]
    assert body_of(desk.answers.ask(desk.answers.read(asked["report"], again))) == body_of(answer)
