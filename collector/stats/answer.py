"""Answers questions: folded rows of every day, merged to the buckets and dimensions that were asked for.

Whatever the question, the answer is a sum of folded rows, and its totals are the sums of its rows before the limit. So
in a report with a dimension of theirs the totals are as old as the rows are: a live total beside older rows would
contradict them, and the undimensioned reports have the live one. Called in the thread that owns the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.catalogue.reports import Report
from collector.cell import OTHER
from collector.clock import Clock
from collector.stats.days import FoldedDays, Reading
from collector.stats.merging import EPOCH, Line, Merged, earlier_of, lines_of, page_of, time_of, totals_of
from collector.stats.notes import Findings, notes_on
from collector.stats.open_days import OpenDays
from collector.stats.period import Range
from collector.stats.question import MAX_LIMIT, Question, read_question


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the same question says about earlier days: the rows of the values that are shown, and what is to be noted.

    Its columns are those of the answer. `notes` are those that the answer itself does not have.
    """

    first: date
    last: date
    rows: tuple[Line, ...]
    totals: dict[str, int | None]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A table: `columns` are the bucket if an interval was asked for, the dimensions, the measures.

    totals   every declared measure, of all rows, cut or not
    as_of    since when the oldest part of it is shown, None if all is as of now
    epochs   the days whose keys and filter were lost meanwhile, each with how many epochs counted its callers
    earlier  of the days it is compared with, if it is
    """

    question: Question
    rows: tuple[Line, ...]
    totals: dict[str, int | None]
    threshold: int
    notes: tuple[str, ...]
    as_of: str | None
    epochs: dict[str, int]
    earlier: Earlier | None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.question.columns


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
        merged = self._merged(question, (question.first, question.last))
        shown = page_of(question, merged)
        found = self._found(question, merged)
        notes = tuple(notes_on(question, found))
        earlier = None
        if question.earlier:
            first, last = question.earlier
            before = self._merged(question, question.earlier)
            about = replace(question, first=first, last=last, compare=None, earlier=None, offset=0, limit=MAX_LIMIT)
            earlier = Earlier(
                first=first,
                last=last,
                rows=lines_of(question, earlier_of(question, shown, before)),
                totals=totals_of(question, before.total),
                notes=tuple(note for note in notes_on(about, self._found(about, before)) if note not in notes),
            )
        return Answer(
            question=question,
            rows=lines_of(question, shown),
            totals=totals_of(question, merged.total),
            threshold=self.declarations.threshold,
            notes=notes,
            as_of=found.as_of,
            epochs=found.epochs,
            earlier=earlier,
        )

    def _merged(self, question: Question, days: Range) -> Merged:
        if not self._fits(question):
            return Merged(question, ())
        first, last = ((day - EPOCH).days for day in days)
        asked = question.report, question.property_id, first, last, question.interval, question.looked_at
        return Merged(question, self._days.of(*asked))

    def _found(self, question: Question, merged: Merged) -> Findings:
        return Findings(
            threshold=self.declarations.threshold,
            today=self._today(),
            fits=self._fits(question),
            whole=self._whole(question.report),
            other=any(OTHER in values for _, values in merged.sums),
            left_out_other=merged.left_out_other,
            epochs=_counted_again(merged.epochs) if question.report.visitors else {},
            nodes=len(merged.nodes),
            as_of=None if merged.oldest is None else time_of(merged.oldest),
            rows=len(merged.sums),
        )

    def _fits(self, question: Question) -> bool:
        """Whether events of such a property can be in the report at all: no product has pages."""
        sort = "site" if question.property_id in self._registry.sites else "product"
        return sort in self.declarations.sorts_of(question.report)

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
    return {(EPOCH + timedelta(days=day)).isoformat(): epochs[day] for day in sorted(epochs) if epochs[day] > 1}
