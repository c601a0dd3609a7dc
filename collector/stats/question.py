"""A question about one report, checked before anything is asked of the warehouse.

    property=ID [from=DATE] [to=DATE] [interval=hour|day|week|month] [by=DIMENSION,...] [limit=N] [format=json|csv]

Dates are UTC days, both inclusive; `to` defaults to today, `from` to `to`, `limit` to 1,000. Whatever breaks a rule is
refused with the parameter and the rule, made of declarations only: nothing that was sent comes back. Pure functions,
called by the analyst port and by the commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.catalogue.reports import Report

Interval = Literal["hour", "day", "week", "month"]
Format = Literal["json", "csv"]

PARAMETERS = ("property", "from", "to", "interval", "by", "limit", "format")
INTERVALS = ("hour", "day", "week", "month")
FORMATS = ("json", "csv")
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 100_000
MAX_DAYS = 3_653  # ten years
# The engine's DateTime holds 1970 to 2105.
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2100, 12, 31)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,6}")


class BadQuestion(Exception):
    """A question that breaks a rule. `parameter` is a declared name, or None where what was sent is none."""

    def __init__(self, parameter: str | None, rule: str) -> None:
        super().__init__(rule)
        self.parameter = parameter
        self.rule = rule


class NoSuchReport(BadQuestion):
    """The question is about a report that is not declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One checked question. `by` is a subset of the report's dimensions, in the order the asker wrote it."""

    report: Report
    property_id: str
    first: date
    last: date
    interval: Interval | None
    by: tuple[str, ...]
    limit: int
    format: Format

    @property
    def names_every_dimension(self) -> bool:
        """Whether each row stands for one cell of the report (per day): only then callers may be counted."""
        return len(self.by) == len(self.report.by)

    @property
    def is_of_one_day(self) -> bool:
        return self.first == self.last


def read_question(
    declarations: Declarations, registry: Registry, name: str, parameters: Iterable[tuple[str, str]], today: date
) -> Question:
    """Check the parameters of a question about the report `name`; raises BadQuestion for the first broken rule."""
    report = declarations.reports.get(name)
    if report is None:
        raise NoSuchReport("report", f"must be one of: {', '.join(declarations.reports)}")
    given = _once(parameters)
    if "property" not in given:
        raise BadQuestion("property", "must be given: the id of a registered site or product")
    if not registry.knows(given["property"]):
        raise BadQuestion("property", "must be the id of a registered site or product")
    first, last = _range(given, today)
    return Question(
        report=report,
        property_id=given["property"],
        first=first,
        last=last,
        interval=_interval(given, report),
        by=_by(given, report),
        limit=_limit(given),
        format=cast("Format", _one_of("format", given.get("format", "json"), FORMATS)),
    )


def _once(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for parameter, value in parameters:
        if parameter not in PARAMETERS:
            raise BadQuestion(None, f"every parameter must be one of: {', '.join(PARAMETERS)}")
        if parameter in given:
            raise BadQuestion(parameter, "must be given once")
        given[parameter] = value
    return given


def _range(given: dict[str, str], today: date) -> tuple[date, date]:
    last = _date("to", given["to"]) if "to" in given else today
    first = _date("from", given["from"]) if "from" in given else last
    if first > last:
        raise BadQuestion("from", "must not be after to (without to: today, in UTC)")
    if (last - first).days >= MAX_DAYS:
        raise BadQuestion("from", "must be at most ten years before to")
    return first, last


def _date(parameter: str, text: str) -> date:
    rule = f"must be a UTC date YYYY-MM-DD from {FIRST_DAY} to {LAST_DAY}"
    if not _DATE.fullmatch(text):
        raise BadQuestion(parameter, rule)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadQuestion(parameter, rule) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise BadQuestion(parameter, rule)
    return day


def _interval(given: dict[str, str], report: Report) -> Interval | None:
    if "interval" not in given:
        return None
    interval = cast("Interval", _one_of("interval", given["interval"], INTERVALS))
    if interval == "hour" and report.grain != "hour":
        raise BadQuestion("interval", f"must be one of: day, week, month ({report.name} is counted by the day)")
    return interval


def _by(given: dict[str, str], report: Report) -> tuple[str, ...]:
    if "by" not in given:
        return ()
    by = tuple(given["by"].split(","))
    if not report.by:
        raise BadQuestion("by", f"must be left out: {report.name} has no dimensions")
    if len(set(by)) != len(by) or not set(by) <= set(report.by):
        raise BadQuestion("by", f"must name dimensions of {report.name}, each at most once: {', '.join(report.by)}")
    return by


def _limit(given: dict[str, str]) -> int:
    text = given.get("limit", str(DEFAULT_LIMIT))
    limit = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise BadQuestion("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return limit


def _one_of(parameter: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise BadQuestion(parameter, f"must be one of: {', '.join(allowed)}")
    return text
