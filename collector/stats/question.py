"""A question about one report, checked before anything is asked of the warehouse.

    property=ID [period=PERIOD | from=DATE to=DATE] [interval=hour|day|week|month] [by=DIMENSION,...] [filter=...]
    [sort=[-]COLUMN] [limit=N] [offset=N] [compare=previous|year] [format=json|csv]

The days are read in period.py, filters in filters.py; `to` defaults to today, `from` to `to`, `limit` to 1,000.
Whatever breaks a rule is refused with the parameter and the rule, made of declarations only: nothing that was sent
comes back. Pure functions, called by the analyst port and by the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.catalogue.reports import Report
from collector.stats.filters import Filter, read_filters
from collector.stats.period import COMPARISONS, Compare, Range, earlier, read_range
from collector.stats.refusing import BadQuestion, NoSuchReport, not_of, one_of, whole_number

Interval = Literal["hour", "day", "week", "month"]
Format = Literal["json", "csv"]

MANY = "filter"  # the one parameter that may be given more than once
PARAMETERS = (
    *("property", "period", "from", "to", "interval", "by", MANY, "sort", "limit", "offset", "compare", "format"),
)
INTERVALS = ("hour", "day", "week", "month")
FORMATS = ("json", "csv")
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 100_000
MAX_OFFSET = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """By which column of the answer its rows are sorted."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One checked question. `by` is a subset of the report's dimensions, in the order the asker wrote it.

    sort     None: the rows with most events, in the order of their buckets
    earlier  the days before that it is to be compared with, if `compare` says so
    """

    report: Report
    property_id: str
    first: date
    last: date
    interval: Interval | None
    by: tuple[str, ...]
    filters: tuple[Filter, ...]
    sort: Sort | None
    limit: int
    offset: int
    compare: Compare | None
    earlier: Range | None
    format: Format

    @property
    def names_every_dimension(self) -> bool:
        """Whether each row stands for one cell of the report (per day): only then callers may be counted."""
        return len(self.by) == len(self.report.by)

    @property
    def looked_at(self) -> frozenset[str]:
        """The dimensions whose values decide about the answer."""
        return frozenset(self.by).union(each.dimension for each in self.filters)

    @property
    def is_of_one_day(self) -> bool:
        return self.first == self.last

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the answer."""
        return columns_of(self.report, self.interval, self.by, one_day=self.is_of_one_day)


def read_question(
    declarations: Declarations, registry: Registry, name: str, parameters: Iterable[tuple[str, str]], today: date
) -> Question:
    """Check the parameters of a question about the report `name`; raises BadQuestion for the first broken rule."""
    report = declarations.reports.get(name)
    if report is None:
        raise NoSuchReport("report", f"must be one of: {', '.join(declarations.reports)}")
    given, filters = _sorted_out(parameters)
    if "property" not in given:
        raise BadQuestion("property", "must be given: the id of a registered site or product")
    if not registry.knows(given["property"]):
        raise BadQuestion("property", "must be the id of a registered site or product")
    sort_of_property = "site" if given["property"] in registry.sites else "product"
    fitting = [each for each in declarations.reports.values() if sort_of_property in declarations.sorts_of(each)]
    first, last = read_range(given, today)
    interval = _interval(given, report)
    by = _by(given, report, fitting)
    compare = cast("Compare", one_of("compare", given["compare"], COMPARISONS)) if "compare" in given else None
    return Question(
        report=report,
        property_id=given["property"],
        first=first,
        last=last,
        interval=interval,
        by=by,
        filters=read_filters(filters, report, fitting),
        sort=_sort(given, columns_of(report, interval, by, one_day=first == last)),
        limit=whole_number("limit", given.get("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT),
        offset=whole_number("offset", given.get("offset", "0"), 0, MAX_OFFSET),
        compare=compare,
        earlier=earlier(first, last, compare) if compare else None,
        format=cast("Format", one_of("format", given.get("format", "json"), FORMATS)),
    )


def columns_of(report: Report, interval: Interval | None, by: tuple[str, ...], *, one_day: bool) -> tuple[str, ...]:
    """The columns of an answer: the bucket if there is an interval, the dimensions, the measures."""
    visitors = visitors_column(report, interval, one_day=one_day)
    measures = tuple(visitors or name if name == "visitors" else name for name in report.measures)
    return (("bucket",) if interval else ()) + by + measures


def visitors_column(report: Report, interval: Interval | None, *, one_day: bool) -> str | None:
    """What callers are called in the rows: never the visitors of more than a day, nor of less."""
    if not report.visitors:
        return None
    if interval == "hour":
        return "new_visitors"
    return "visitors" if interval == "day" or one_day else "visitor_days"


def _sorted_out(parameters: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Each parameter, given once, and the filters."""
    given: dict[str, str] = {}
    filters = []
    for parameter, value in parameters:
        if parameter not in PARAMETERS:
            raise BadQuestion(None, f"every parameter must be one of: {', '.join(PARAMETERS)}")
        if parameter == MANY:
            filters.append(value)
            continue
        if parameter in given:
            raise BadQuestion(parameter, "must be given once")
        given[parameter] = value
    return given, filters


def _interval(given: dict[str, str], report: Report) -> Interval | None:
    if "interval" not in given:
        return None
    interval = cast("Interval", one_of("interval", given["interval"], INTERVALS))
    if interval == "hour" and report.grain != "hour":
        raise BadQuestion("interval", f"must be one of: day, week, month ({report.name} is counted by the day)")
    return interval


def _by(given: dict[str, str], report: Report, fitting: Iterable[Report]) -> tuple[str, ...]:
    if "by" not in given:
        return ()
    by = tuple(given["by"].split(","))
    if report.by:
        rule = f"must name dimensions of {report.name}, each at most once: {', '.join(report.by)}"
    else:
        rule = f"must be left out: {report.name} has no dimensions"
    for dimension in by:
        if dimension not in report.by:
            raise not_of("by", rule, dimension, report, fitting)
    if len(set(by)) != len(by):
        raise BadQuestion("by", rule)
    return by


def _sort(given: dict[str, str], columns: Sequence[str]) -> Sort | None:
    if "sort" not in given:
        return None if columns[0] == "bucket" else Sort(column="events", descending=True)
    column = given["sort"].removeprefix("-")
    if column not in columns:
        rule = f"must be a column of the answer, with - in front for the largest first: {', '.join(columns)}"
        raise BadQuestion("sort", rule)
    return Sort(column=column, descending=given["sort"].startswith("-"))
