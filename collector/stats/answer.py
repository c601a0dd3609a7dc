"""Answers questions: folded rows of every day, merged to the buckets and dimensions that were asked for.

Whatever the question, the answer is a sum of folded rows, and its totals are the sums of its rows before the limit. So
in a report with a dimension of theirs the totals are as old as the rows are: a live total beside older rows would
contradict them, and the undimensioned reports have the live one. Called in the thread that owns the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.catalogue.reports import Report
from collector.cell import OTHER
from collector.clock import Clock
from collector.stats.days import FoldedDays, FoldedPart, Reading
from collector.stats.notes import Findings, notes_on
from collector.stats.open_days import OpenDays
from collector.stats.question import Interval, Question, read_question
from collector.stats.shown_file import DAY_S

_EPOCH = date(1970, 1, 1)

Value = str | int | None
Line = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A table: `columns` are the bucket if an interval was asked for, the dimensions, the measures.

    totals  every declared measure, of all rows, cut or not
    as_of   since when the oldest part of it is shown, None if all is as of now
    epochs  the days whose keys and filter were lost meanwhile, each with how many epochs counted its callers
    """

    question: Question
    columns: tuple[str, ...]
    rows: tuple[Line, ...]
    totals: dict[str, int | None]
    threshold: int
    notes: tuple[str, ...]
    as_of: str | None
    epochs: dict[str, int]


@dataclass(slots=True)
class _Sum:
    events: int = 0
    visitors: int = 0
    amount: int = 0

    def add(self, events: int, visitors: int, amount: int) -> None:
        self.events += events
        self.visitors += visitors
        self.amount += amount


class _Merged:
    """The parts of an answer added up, and what was noticed on the way."""

    def __init__(self, question: Question, parts: Iterable[FoldedPart]) -> None:
        self.sums: dict[tuple[str, tuple[str, ...]], _Sum] = {}
        self.total = _Sum()
        self.nodes: set[int] = set()
        self.epochs: Counter[int] = Counter()
        self.oldest: float | None = None
        places = [question.report.by.index(dimension) for dimension in question.by]
        for part in parts:
            self.nodes.add(part.node)
            for day, epochs in part.epochs.items():
                self.epochs[day] = max(self.epochs[day], epochs)
            if part.as_of is not None:
                self.oldest = part.as_of if self.oldest is None else min(self.oldest, part.as_of)
            bucket = _bucket(part.bucket, question.interval)
            for row in part.rows:
                key = bucket, tuple(row.values[place] for place in places)
                counted = row.events, row.visitors or 0, row.amount
                self.sums.setdefault(key, _Sum()).add(*counted)
                self.total.add(*counted)


class Answers:
    """Reads and answers questions about everything that was counted."""

    def __init__(
        self, declarations: Declarations, registry: Registry, reading: Reading, clock: Clock, open_days: OpenDays
    ) -> None:
        self.declarations = declarations
        self._registry = registry
        self._clock = clock
        self._days = FoldedDays(reading, clock, declarations.threshold, open_days)

    def read(self, report: str, parameters: Iterable[tuple[str, str]]) -> Question:
        """The question these query parameters put; raises BadQuestion. Touches no engine."""
        return read_question(self.declarations, self._registry, report, parameters, self._today())

    def ask(self, question: Question) -> Answer:
        """The answer as of now, or as it is shown since; raises Unavailable if the warehouse is away."""
        fits = self._fits(question)
        first, last = (question.first - _EPOCH).days, (question.last - _EPOCH).days
        asked = question.report, question.property_id, first, last, question.interval, question.by
        parts = self._days.of(*asked) if fits else ()
        merged = _Merged(question, parts)
        as_of = None if merged.oldest is None else _time(merged.oldest)
        epochs = _counted_again(merged.epochs) if question.report.visitors else {}
        visitors = _visitors_column(question)
        most = sorted(merged.sums.items(), key=lambda item: (-item[1].events, item[0]))[: question.limit]
        rows = sorted(most, key=lambda item: (item[0][0], -item[1].events, item[0][1]))
        found = Findings(
            threshold=self.declarations.threshold,
            today=self._today(),
            fits=fits,
            visitors=visitors,
            whole=self._whole(question.report),
            other=any(OTHER in values for _, values in merged.sums),
            counted_again=bool(epochs),
            nodes=len(merged.nodes),
            as_of=as_of,
            rows=len(merged.sums),
        )
        measures = tuple(visitors or name if name == "visitors" else name for name in question.report.measures)
        return Answer(
            question=question,
            columns=(("bucket",) if question.interval else ()) + question.by + measures,
            rows=tuple(_line(question, *key, counted) for key, counted in rows),
            totals=_totals(question, merged.total),
            threshold=self.declarations.threshold,
            notes=tuple(notes_on(question, found)),
            as_of=as_of,
            epochs=epochs,
        )

    def _fits(self, question: Question) -> bool:
        """Whether events of such a property can be in the report at all: no product has pages."""
        sort = "site" if question.property_id in self._registry.sites else "product"
        kinds = (self.declarations.kinds[kind] for kind in question.report.kinds)
        return any(sort in kind["properties"] for kind in kinds)

    def _whole(self, report: Report) -> str | None:
        """The report that counts the visitors of the same kinds without any dimension."""
        others = self.declarations.reports.values()
        return next(
            (other.name for other in others if not other.by and other.visitors and other.kinds == report.kinds), None
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now(), UTC).date()


def _counted_again(epochs: Counter[int]) -> dict[str, int]:
    """The days on which one node met callers in more than one epoch."""
    return {_date(day): epochs[day] for day in sorted(epochs) if epochs[day] > 1}


def _visitors_column(question: Question) -> str | None:
    """What callers are called in the rows: never the visitors of more than a day, nor of less."""
    if not question.report.visitors:
        return None
    if question.interval == "hour":
        return "new_visitors"
    return "visitors" if question.interval == "day" or question.is_of_one_day else "visitor_days"


def _line(question: Question, bucket: str, values: tuple[str, ...], counted: _Sum) -> Line:
    told = question.names_every_dimension and OTHER not in values
    measures: dict[str, Value] = {
        "events": counted.events,
        "visitors": counted.visitors if told else None,
        "amount": counted.amount,
    }
    begins: Line = (bucket,) if question.interval else ()
    return begins + values + tuple(measures[name] for name in question.report.measures)


def _totals(question: Question, total: _Sum) -> dict[str, int | None]:
    """Every declared measure; callers only where nothing overlaps, and of several days under their own name."""
    totals: dict[str, int | None] = {"events": total.events}
    if question.report.visitors:
        alone = not question.report.by
        totals["visitors"] = total.visitors if alone and question.is_of_one_day else None
        if alone and not question.is_of_one_day:
            totals["visitor_days"] = total.visitors
    if question.report.amount:
        totals["amount"] = total.amount
    return totals


def _bucket(begins_s: int, interval: Interval | None) -> str:
    if interval is None:
        return ""
    if interval == "hour":
        return _time(begins_s)
    day = _EPOCH + timedelta(days=begins_s // DAY_S)
    if interval == "week":
        day -= timedelta(days=day.weekday())
    elif interval == "month":
        day = day.replace(day=1)
    return day.isoformat()


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
