"""Random questions that may be asked, and how a page of the answer follows another.

A question is a report with parameters as pairs, as the analyst port takes them. Values are drawn from those that were
counted, from (other), and from some that never were.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from collector.catalogue.reports import Report
from collector.cell import OTHER
from collector.stats.period import Range
from collector.stats.question import Interval, columns_of

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A report of a property, and all parameters but limit and offset."""

    report: Report
    pairs: Pairs

    def page(self, limit: int, offset: int = 0) -> Pairs:
        return [*self.pairs, ("limit", str(limit)), ("offset", str(offset))]

    def filtered(self, text: str) -> Asked:
        return Asked(report=self.report, pairs=[*self.pairs, ("filter", text)])


def written(value: str) -> str:
    """A value as it is written inside of a filter."""
    return value.replace("\\", "\\\\").replace(",", "\\,")


def random_days(dice: random.Random, today: date) -> Range:
    """Some of the ten days up to today."""
    first = today - timedelta(days=dice.randrange(10))
    return first, first + timedelta(days=dice.randrange((today - first).days + 1))


def random_question(dice: random.Random, property_id: str, report: Report, values: Sequence[str], days: Range) -> Asked:
    """Any question about these days that is no bad one."""
    first, last = days
    by = tuple(dice.sample(report.by, dice.randint(0, len(report.by))))
    intervals: list[Interval | None] = [None, "day", "week", "month"]
    interval = dice.choice([*intervals, "hour"] if report.grain == "hour" else intervals)
    pairs = [("property", property_id), ("from", str(first)), ("to", str(last))]
    pairs += [("interval", interval)] if interval else []
    pairs += [("by", ",".join(by))] if by else []
    for _ in range(dice.randint(0, 2) if report.by else 0):
        pairs.append(("filter", random_filter(dice, report, values)))
    if dice.random() < 0.6:
        columns = columns_of(report, interval, by, one_day=first == last)
        pairs.append(("sort", dice.choice(["", "-"]) + dice.choice(columns)))
    if dice.random() < 0.3:
        pairs.append(("compare", dice.choice(["previous", "year"])))
    return Asked(report=report, pairs=pairs)


def random_filter(dice: random.Random, report: Report, values: Sequence[str]) -> str:
    drawn = dice.sample([*values, OTHER, "never, counted\\"], dice.randint(1, 3))
    op = dice.choice(["==", "!=", "~"])
    if op == "~":
        drawn = [drawn[0][: dice.randint(1, 3)]]
    return dice.choice(report.by) + op + ",".join(map(written, drawn))
