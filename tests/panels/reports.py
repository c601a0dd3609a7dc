"""The reports a site's panels ask, each as it is asked of raw events: which rows count, by what, and the amount."""

from __future__ import annotations

from dataclasses import dataclass

from collector.catalogue.declarations import Declarations
from collector.stats.question import Question
from collector.warehouse.tables import DAY_S, DIMENSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReport:
    """How raw events tell it. `first` picks one row of each caller the report meets; columns may be expressions."""

    rows: str = "1"
    by: tuple[str, ...] = ()
    amount: str = "0"
    first: str = "hit = 0"


SITE_REPORTS = {
    "traffic": RawReport(amount="sum(entry)"),
    "pages": RawReport(by=("path",)),
    "entry_pages": RawReport(rows="entry", by=("path",)),
    "bounces": RawReport(rows="entry", by=("path",), amount="sum(exit)"),
    "exit_pages": RawReport(rows="exit", by=("path",), first="hit = 2"),
    "page_time": RawReport(by=("path",), amount="sum(seconds)"),
    "page_scroll": RawReport(by=("path",), amount="sum(scroll)"),
    "sources": RawReport(rows="entry", by=("source",)),
    "campaigns": RawReport(rows="campaign != ''", by=("source", "'mail'", "campaign")),
    "countries": RawReport(by=("country",)),
    "platforms": RawReport(by=("os", "device")),
    "browsers": RawReport(by=("browser",)),
    "languages": RawReport(by=("language",)),
}


def cells_of_day(declarations: Declarations, node: int, day_s: int, epoch: int) -> str:
    """The SELECT of every cell of a day, in the order of the columns of `hot`, made of raw events.

    Here a caller is a network of its own, and what is new to a cell is counted without a filter.
    """
    bucket = {"hour": "toStartOfHour(time)", "day": f"toDateTime({day_s})"}
    counted = "count(), uniqExact(visitor), uniqExact(visitor)"
    return "\nUNION ALL\n".join(
        f"SELECT toUInt64({node}), '{name}', property, {bucket[declarations.reports[name].grain]} AS bucket,"
        f" {_dimensions(raw)}, toUInt64({epoch}), {counted}, countIf({raw.first}), {raw.amount}"
        f" FROM raw WHERE time >= toDateTime({day_s}) AND time < toDateTime({day_s + DAY_S}) AND {raw.rows}"
        " GROUP BY ALL"
        for name, raw in SITE_REPORTS.items()
    )


def _dimensions(raw: RawReport) -> str:
    padding = ("''",) * (len(DIMENSIONS) - len(raw.by))
    return ", ".join(f"{value} AS {column}" for value, column in zip((*raw.by, *padding), DIMENSIONS, strict=True))


_INTERVALS = {
    "hour": "toStartOfHour(time)",
    "day": "toDate(time)",
    "week": "toMonday(time)",
    "month": "toStartOfMonth(time)",
}


def raw_statement(question: Question) -> str:
    """The fastest statement that answers a question from raw events; parameters property, first and last.

    Callers are counted by an estimate (uniq), totals not at all: both in favour of raw events.
    """
    raw, report = SITE_REPORTS[question.report.name], question.report
    key = [_INTERVALS[question.interval]] if question.interval else []
    key += [raw.by[report.by.index(name)] for name in question.by]
    told = [*key, "count() AS events"]
    told += ["uniq(visitor)"] if report.visitors and question.names_every_dimension else []
    told += [raw.amount] if report.amount else []
    return (
        f"SELECT {', '.join(told)} FROM raw WHERE property = {{property:String}} AND {raw.rows}"
        " AND time >= toDateTime({first:Date}, 'UTC') AND time < toDateTime({last:Date} + 1, 'UTC')"
        f" GROUP BY ALL ORDER BY events DESC LIMIT {question.limit}"
    )
