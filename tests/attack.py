"""An attacker with an analyst's token: asks everything, again and again, and compares every answer with earlier ones.

It knows whose each event is (known_traffic.py), and calls a leak whatever a value of theirs is told about with fewer
than k networks behind: in a row, in the difference of a row to earlier, of two ranges of days, or of what is named to
what is not. What tells only ours is none: that somebody came, when, and to which page or version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, combinations, cycle
from typing import Any

from collector.catalogue.reports import Report
from collector.cell import OTHER
from collector.stats.answer import Answer
from tests.known_traffic import NODES, KnownReading
from tests.memory_reading import PLAYER
from tests.stats_desk import Desk, declared

K = 10

Values = tuple[str, ...]
Rows = dict[Values, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question that is asked again and again. `days`: how many, up to `until` days ago."""

    report: Report
    property_id: str
    by: Values
    days: int = 1
    until: int = 0
    interval: str = ""
    limit: int = 100_000

    @property
    def theirs(self) -> tuple[int, ...]:
        """Which places of a row hold theirs; a bucket in front is ours."""
        first = 1 if self.interval else 0
        ours = set(self.report.by[: self.report.ours])
        return tuple(first + place for place, name in enumerate(self.by) if name not in ours)

    @property
    def names_ours(self) -> bool:
        return set(self.report.by[: self.report.ours]) <= set(self.by)


@dataclass(slots=True)
class _Known:
    """What the attacker remembers of one question: the last rows and, by ours, what was beside a name just then."""

    rows: Rows = field(default_factory=dict)
    named: Rows = field(default_factory=dict)
    beside: defaultdict[tuple[Values, Values], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))


class Attacker:
    """Asks a desk whose reading is known. `leaks` says what was told of too few; `told`: of how many rows it heard."""

    def __init__(self, desk: Desk, reading: KnownReading) -> None:
        self._desk = desk
        self._reading = reading
        self._known: defaultdict[tuple[Asked, date], _Known] = defaultdict(_Known)
        self._others = {property_id: cycle(list(_other_questions(property_id))) for property_id in NODES}
        self.leaks: list[str] = []
        self.told = 0

    def poll(self, property_id: str, more: int = 1) -> None:
        """Every report with all its dimensions, and some of the other questions, each in its turn."""
        for asked in _main_questions(property_id):
            self.ask(asked)
        for _ in range(more):
            self.ask(next(self._others[property_id]))

    def ask_everything(self) -> None:
        for property_id in NODES:
            for asked in chain(_main_questions(property_id), _other_questions(property_id)):
                self.ask(asked)

    def ask(self, asked: Asked) -> None:
        """Ask, and compare with all that is known."""
        answer, rows = self._answer(asked)
        before = self._known[asked, answer.question.last]
        if asked.limit < len(rows) + 1:
            whole = self._answer(Asked(report=asked.report, property_id=asked.property_id, by=asked.by))[1]
            assert rows.items() <= whole.items(), "a limit told more"
            return
        assert sum(rows.values()) == answer.totals["events"]
        if rows == before.rows:
            return
        for values in rows.keys() | before.rows.keys():
            if self._is_named(asked, values):
                self._compare(f"{asked} {values}", before.rows.get(values, 0), rows.get(values, 0))
        if asked.names_ours and len(NODES[asked.property_id]) == 1:
            self._look_beside(asked, before, rows)
        if asked.days > 1:
            self._subtract(asked, rows)
        before.rows = rows
        self.told += sum(self._is_named(asked, values) for values in rows)

    def _compare(self, what: str, then: int, now: int) -> None:
        """Leak if one of these sets of events holds the other, and what it has more is of too few."""
        gone, came = then & ~now, now & ~then
        if gone and came:
            return  # no set: some went while others came
        people = len(self._reading.people_behind(gone | came))
        if 0 < people < K:
            self.leaks.append(f"{people}: {what}")

    def _look_beside(self, asked: Asked, before: _Known, rows: Rows) -> None:
        """What is beside a name says "not that one" just when something is named: of one node, where none is late."""
        by_ours: defaultdict[Values, Rows] = defaultdict(dict)
        for values, events in rows.items():
            by_ours[tuple(value for place, value in enumerate(values) if place not in asked.theirs)][values] = events
        for ours, inside in by_ours.items():
            named = {values: events for values, events in inside.items() if self._is_named(asked, values)}
            if sum(named.values()) == before.named.get(ours, 0):
                continue
            before.named[ours] = sum(named.values())
            whole = sum(inside.values())
            for label, events in [*named.items(), ((), before.named[ours])]:
                for then in before.beside[ours, label]:
                    self._compare(f"{asked} {ours} without {label or 'any name'}", then, whole - events)
                before.beside[ours, label].append(whole - events)

    def _subtract(self, asked: Asked, rows: Rows) -> None:
        """Compare with the same question about the days but the last one."""
        if asked.interval:
            return
        earlier = self._answer(replace(asked, days=asked.days - 1, until=asked.until + 1))[1]
        for values, events in rows.items():
            if self._is_named(asked, values):
                self._compare(f"{asked} {values} without earlier days", earlier.get(values, 0), events)

    def _answer(self, asked: Asked) -> tuple[Answer, Rows]:
        last = datetime.fromtimestamp(self._desk.clock.now(), UTC).date() - timedelta(days=asked.until)
        more = {"by": ",".join(asked.by)} if asked.by else {}
        more |= {"interval": asked.interval} if asked.interval else {}
        answer = self._desk.ask(
            asked.report.name,
            property=asked.property_id,
            from_=str(last - timedelta(days=asked.days - 1)),
            to=str(last),
            limit=str(asked.limit),
            **more,
        )
        width = answer.columns.index("events")
        return answer, {tuple(map(str, row[:width])): int(row[width] or 0) for row in answer.rows}

    def _is_named(self, asked: Asked, values: Values) -> bool:
        return any(values[place] != OTHER for place in asked.theirs)


def _reports(property_id: str) -> Iterator[Report]:
    sort = "product" if property_id == PLAYER else "site"
    kinds = declared().kinds
    for report in declared().reports.values():
        if report.theirs and any(sort in kinds[kind]["properties"] for kind in report.kinds):
            yield report


def _main_questions(property_id: str) -> Iterator[Asked]:
    for report in _reports(property_id):
        yield Asked(report=report, property_id=property_id, by=report.by)


def _other_questions(property_id: str) -> Iterator[Asked]:
    """Every choice of dimensions, each for today, yesterday, both, by the day, the week, the month, and cut short."""
    for report in _reports(property_id):
        for size in range(len(report.by) + 1):
            for by in combinations(report.by, size):
                for more in _RANGES:
                    if more or by != report.by:
                        yield Asked(report=report, property_id=property_id, by=by, **more)


_RANGES: list[dict[str, Any]] = [
    {},
    {"days": 2},
    {"days": 1, "until": 1},
    {"days": 2, "interval": "day"},
    {"days": 2, "interval": "week"},
    {"days": 2, "interval": "month"},
    {"limit": 2},
]
