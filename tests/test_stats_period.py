"""Which days a period is, and which it is compared with: against a table of dates."""

from __future__ import annotations

import pytest

from tests.memory_reading import seconds
from tests.stats_desk import Desk, says


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def range_of(desk: Desk, today: str, **parameters: str) -> str:
    desk.clock.at = seconds(f"{today}T12:00:00")
    question = desk.ask("pages", **parameters).question
    return f"{question.first} {question.last}"


@pytest.mark.parametrize(
    ("today", "period", "days"),
    [
        ("2026-11-22", "today", "2026-11-22 2026-11-22"),
        ("2026-11-22", "yesterday", "2026-11-21 2026-11-21"),
        ("2026-01-01", "yesterday", "2025-12-31 2025-12-31"),
        ("2028-03-01", "yesterday", "2028-02-29 2028-02-29"),
        ("2026-03-01", "yesterday", "2026-02-28 2026-02-28"),
        ("2026-11-22", "1d", "2026-11-22 2026-11-22"),
        ("2026-11-22", "7d", "2026-11-16 2026-11-22"),
        ("2028-03-02", "3d", "2028-02-29 2028-03-02"),
        ("2026-11-22", "3653d", "2016-11-22 2026-11-22"),
        ("2026-11-22", "1w", "2026-11-16 2026-11-22"),
        ("2026-11-22", "4w", "2026-10-26 2026-11-22"),
        ("2026-11-22", "1m", "2026-10-23 2026-11-22"),
        ("2026-11-22", "12m", "2025-11-23 2026-11-22"),
        ("2026-11-22", "120m", "2016-11-23 2026-11-22"),
        ("2026-03-31", "1m", "2026-03-01 2026-03-31"),  # 28 February is the same day a month ago
        ("2026-03-29", "1m", "2026-03-01 2026-03-29"),
        ("2026-03-28", "1m", "2026-03-01 2026-03-28"),
        ("2026-03-27", "1m", "2026-02-28 2026-03-27"),
        ("2028-03-31", "1m", "2028-03-01 2028-03-31"),
        ("2028-03-28", "1m", "2028-02-29 2028-03-28"),
        ("2026-12-31", "1m", "2026-12-01 2026-12-31"),
        ("2026-01-31", "2m", "2025-12-01 2026-01-31"),
        ("2028-02-29", "12m", "2027-03-01 2028-02-29"),
        ("2026-11-22", "month", "2026-11-01 2026-11-22"),
        ("2026-11-01", "month", "2026-11-01 2026-11-01"),
        ("2026-11-22", "last-month", "2026-10-01 2026-10-31"),
        ("2026-01-15", "last-month", "2025-12-01 2025-12-31"),
        ("2028-03-31", "last-month", "2028-02-01 2028-02-29"),
        ("2100-03-31", "last-month", "2100-02-01 2100-02-28"),  # no leap year
        ("2026-11-22", "year", "2026-01-01 2026-11-22"),
        ("2026-11-22", "last-year", "2025-01-01 2025-12-31"),
        ("2026-11-22", "all", "2024-10-23 2026-11-22"),
        ("2026-03-31", "all", "2024-03-01 2026-03-31"),
        ("2026-11-30", "all", "2024-11-01 2026-11-30"),
        ("2027-02-28", "all", "2025-02-01 2027-02-28"),
        ("2028-02-28", "all", "2026-01-29 2028-02-28"),
    ],
)
def test_a_period_is_these_days(desk: Desk, today: str, period: str, days: str) -> None:
    assert range_of(desk, today, period=period) == days


@pytest.mark.parametrize(
    ("days", "compare", "earlier"),
    [
        ("2026-11-22 2026-11-22", "previous", "2026-11-21 2026-11-21"),
        ("2026-11-16 2026-11-22", "previous", "2026-11-09 2026-11-15"),
        ("2026-03-01 2026-03-31", "previous", "2026-01-29 2026-02-28"),
        ("2028-03-01 2028-03-31", "previous", "2028-01-30 2028-02-29"),
        ("1970-01-02 1970-01-02", "previous", "1970-01-01 1970-01-01"),
        ("2026-11-22 2026-11-22", "year", "2025-11-22 2025-11-22"),
        ("2028-02-29 2028-02-29", "year", "2027-02-28 2027-02-28"),
        ("2028-02-28 2028-03-01", "year", "2027-02-28 2027-03-01"),
        ("2029-02-01 2029-02-28", "year", "2028-02-01 2028-02-28"),
        ("2025-12-30 2026-01-02", "year", "2024-12-30 2025-01-02"),
        ("2016-11-22 2026-11-22", "year", "2015-11-22 2025-11-22"),
    ],
)
def test_earlier_days_are_these(desk: Desk, days: str, compare: str, earlier: str) -> None:
    first, last = days.split()
    told = desk.ask("pages", from_=first, to=last, compare=compare).earlier
    assert told
    assert f"{told.first} {told.last}" == earlier


def test_days_of_which_nothing_is_kept_are_told(desk: Desk) -> None:
    desk.clock.at = seconds("2026-11-22T12:00:00")
    assert says(desk.ask("pages", from_="2024-10-22"), "before 2024-10-23", "not kept")
    assert not says(desk.ask("pages", period="all"), "not kept")
    compared = desk.ask("pages", period="24m", compare="year")
    assert compared.earlier
    assert compared.earlier.notes == ("Days before 2024-10-23 are not kept any more.",)
