"""Which questions are refused, with what, and what an unasked parameter means."""

from __future__ import annotations

from datetime import date

import pytest

from collector.stats.refusing import BadQuestion, NoSuchReport
from tests.memory_reading import PLAYER, SITE
from tests.stats_desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


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
        ("period", f"property={SITE}&period="),
        ("period", f"property={SITE}&period=tomorrow"),
        ("period", f"property={SITE}&period=0d"),
        ("period", f"property={SITE}&period=-1d"),
        ("period", f"property={SITE}&period=7"),
        ("period", f"property={SITE}&period=7D"),
        ("period", f"property={SITE}&period=\uff17d"),
        ("period", f"property={SITE}&period=3654d"),
        ("period", f"property={SITE}&period=522w"),
        ("period", f"property={SITE}&period=121m"),
        ("period", f"property={SITE}&period=9999m"),
        ("period", f"property={SITE}&period=99999d"),
        ("period", f"property={SITE}&period=7d&period=7d"),
        ("period", f"property={SITE}&period=7d&from=2026-11-20"),
        ("period", f"property={SITE}&period=7d&to=2026-11-20"),
        ("filter", f"property={SITE}&filter="),
        ("filter", f"property={SITE}&filter=path"),
        ("filter", f"property={SITE}&filter=path=/"),
        ("filter", f"property={SITE}&filter=path>/"),
        ("filter", f"property={SITE}&filter= path==/"),
        ("filter", f"property={SITE}&filter=PATH==/"),
        ("filter", f"property={SITE}&filter=bucket==2026-11-22"),
        ("filter", f"property={SITE}&filter=events==1"),
        ("filter", f"property={SITE}&filter=country==de"),
        ("filter", f"property={SITE}&filter=path=="),
        ("filter", f"property={SITE}&filter=path!="),
        ("filter", f"property={SITE}&filter=path~"),
        ("filter", f"property={SITE}&filter=path==,"),
        ("filter", f"property={SITE}&filter=path==/,"),
        ("filter", f"property={SITE}&filter=path==,/"),
        ("filter", f"property={SITE}&filter=path==/,,/a"),
        ("filter", f"property={SITE}&filter=path~/a,/b"),
        ("filter", f"property={SITE}&filter=path==\\"),
        ("filter", f"property={SITE}&filter=path==\\n"),
        ("filter", f"property={SITE}" + "&filter=path~/" * 11),
        ("sort", f"property={SITE}&sort="),
        ("sort", f"property={SITE}&sort=-"),
        ("sort", f"property={SITE}&sort=--events"),
        ("sort", f"property={SITE}&sort=+events"),
        ("sort", f"property={SITE}&sort=path"),  # not a column without by
        ("sort", f"property={SITE}&sort=bucket"),  # nor that one without interval
        ("sort", f"property={SITE}&sort=amount"),  # not a measure of pages
        ("sort", f"property={SITE}&by=path&sort=path,events"),
        ("sort", f"property={SITE}&by=path&from=2026-11-20&sort=visitors"),  # visitor_days
        ("offset", f"property={SITE}&offset="),
        ("offset", f"property={SITE}&offset=-1"),
        ("offset", f"property={SITE}&offset=1000001"),
        ("offset", f"property={SITE}&offset=1.0"),
        ("offset", f"property={SITE}&offset=\uff11"),
        ("compare", f"property={SITE}&compare="),
        ("compare", f"property={SITE}&compare=month"),
        ("compare", f"property={SITE}&from=1970-01-01&to=1970-01-01&compare=previous"),
        ("compare", f"property={SITE}&from=1970-12-31&to=1970-12-31&compare=year"),
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
    for asked in ({"by": "path"}, {"filter": "path==/"}):
        with pytest.raises(BadQuestion, match="traffic has no dimensions"):
            desk.ask("traffic", **asked)


@pytest.mark.parametrize(
    ("report", "property_id", "parameters", "told"),
    [
        ("pages", SITE, {"by": "path,country"}, "pages is not counted by country: ask one of: countries"),
        ("pages", SITE, {"filter": "os==linux"}, "pages is not counted by os: ask one of: platforms"),
        ("traffic", SITE, {"by": "source"}, "traffic is not counted by source: ask one of: sources"),
        (
            "installs",
            PLAYER,
            {"filter": "country==de"},
            "installs is not counted by country: ask one of: downloads_by_country, installs_by_country",
        ),
    ],
)
def test_a_dimension_that_cannot_be_combined_is_refused_with_the_reports_to_ask_instead(
    desk: Desk, report: str, property_id: str, parameters: dict[str, str], told: str
) -> None:
    with pytest.raises(BadQuestion) as refused:
        desk.ask(report, property=property_id, **parameters)
    assert told in refused.value.rule
    other_sort = {SITE: "installs_by_country", PLAYER: "platforms"}[property_id]
    assert other_sort not in refused.value.rule  # it counts no such property


def test_a_dimension_that_nobody_declared_is_refused_without_being_repeated(desk: Desk) -> None:
    for asked in ({"by": "mood"}, {"filter": "mood==good"}):
        with pytest.raises(BadQuestion) as refused:
            desk.ask("pages", **asked)
        assert "mood" not in refused.value.rule


@pytest.mark.parametrize(
    ("text", "op", "values"),
    [
        ("path==/", "==", ("/",)),
        ("path==/a,/b", "==", ("/a", "/b")),
        ("path!=(other)", "!=", ("(other)",)),
        ("path~/blog/", "~", ("/blog/",)),
        (r"path==/a\,b,/c", "==", ("/a,b", "/c")),
        (r"path~/a\,b", "~", ("/a,b",)),
        (r"path==\\,\\\\\,", "==", ("\\", "\\\\,")),
        ("path===~!=", "==", ("=~!=",)),
        ("path==a\nb", "==", ("a\nb",)),
    ],
)
def test_a_filter_is_a_dimension_what_to_do_and_values(desk: Desk, text: str, op: str, values: tuple[str, ...]) -> None:
    (read,) = desk.ask("pages", filter=text).question.filters
    assert (read.dimension, read.op, read.values) == ("path", op, values)


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
