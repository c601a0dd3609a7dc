"""Which questions are refused, with what, and what an unasked parameter means."""

from __future__ import annotations

from datetime import date

import pytest

from collector.stats.refusing import BadQuestion, NoSuchReport
from tests.memory_reading import SITE
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
