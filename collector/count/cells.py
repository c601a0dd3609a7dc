"""Events added up to cells: the fan-out of one event into every report it enters.

The loader's half of counting; the door's half are the marks. Both run the same compiled lines (catalogue/layout.py).
Adding is what a loaded event costs, so per line and bucket the cells lie in a dictionary by their values alone; the
whole key of a cell is made once, at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from collector.catalogue.layout import Facts, Layout, always, one_event
from collector.cell import CellKey, Counters
from collector.count.marks import BITS_PER_LINE, FIRST, HOURS_PER_DAY, NETWORK, VISITOR
from collector.event import Event

HOUR_S = 3600

# One line of a bucket: touches (None: always), values, increments (None: one event), its cells by their values
_Line = tuple[
    Callable[[Facts], bool] | None,
    Callable[[Facts], tuple[str, ...]],
    Callable[[Facts], tuple[int, int]] | None,
    dict[tuple[str, ...], Counters],
]


class Cells:
    """Adds up events of one epoch after another; `events` is how many each UTC day (days since 1970-01-01) has."""

    def __init__(self, layouts: dict[str, Layout]) -> None:
        self._layouts = layouts
        self._lines: dict[tuple[str, str, int, int], list[_Line]] = {}
        self._buckets: dict[tuple[str, str, int, int], dict[tuple[str, ...], Counters]] = defaultdict(dict)
        self.events: Counter[int] = Counter()

    def add(self, event: Event, marks: int, epoch: int, times: int = 1) -> None:
        """Count an event, or several that are alike, in every cell it touches.

        With marks 0 (late, or made under other declarations) it adds events and amount only.
        """
        kind, property_id, hour, facts, _ = event
        self.events[hour // HOURS_PER_DAY] += times
        for touches, values_of, increments, cells in self._lines.get((kind, property_id, hour, epoch)) or self._begin(
            event, epoch
        ):
            if touches is None or touches(facts):
                values = values_of(facts)
                counters = cells.get(values)
                if counters is None:
                    counters = cells[values] = Counters()
                if increments is None:
                    counters.events += times
                else:
                    events, amount = increments(facts)
                    counters.events += events * times
                    counters.amount += amount * times
                if marks:
                    if marks & VISITOR:
                        counters.visitors += times
                    if marks & NETWORK:
                        counters.networks += times
                    if marks & FIRST:
                        counters.firsts += times
            marks >>= BITS_PER_LINE

    def days(self) -> dict[int, dict[CellKey, Counters]]:
        """The cells of each UTC day."""
        days: dict[int, dict[CellKey, Counters]] = defaultdict(dict)
        for (report, property_id, bucket, epoch), cells in self._buckets.items():
            day = days[bucket // (HOURS_PER_DAY * HOUR_S)]
            for values, counters in cells.items():
                day[CellKey(report, property_id, bucket, values, epoch)] = counters
        return days

    def _begin(self, event: Event, epoch: int) -> list[_Line]:
        """The lines of a kind, property, hour and epoch that had no event yet, each with its bucket's cells."""
        kind, property_id, hour, _, _ = event
        day = hour // HOURS_PER_DAY * HOURS_PER_DAY
        lines = self._lines[kind, property_id, hour, epoch] = [
            (
                None if line.touches is always else line.touches,
                line.values,
                None if line.increments is one_event else line.increments,
                self._buckets[report.name, property_id, (hour if report.grain == "hour" else day) * HOUR_S, epoch],
            )
            for line in self._layouts[kind].lines
            for report in (line.report,)
        ]
        return lines
