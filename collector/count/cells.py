"""Events added up to cells: the fan-out of one event into every report it enters.

The loader's half of counting; the door's half are the marks. Both run the same compiled lines (catalogue/layout.py).
"""

from __future__ import annotations

from collector.catalogue.layout import Layout
from collector.cell import CellKey, Counters
from collector.count.marks import BITS_PER_LINE, FIRST, HOURS_PER_DAY, NETWORK, VISITOR
from collector.event import Event

HOUR_S = 3600


class Cells:
    """Adds events up: `days` holds the cells of each UTC day (days since 1970-01-01), `events` how many it has."""

    def __init__(self, layouts: dict[str, Layout]) -> None:
        self._layouts = layouts
        self.days: dict[int, dict[CellKey, Counters]] = {}
        self.events: dict[int, int] = {}

    def add(self, event: Event, marks: int, epoch: int, times: int = 1) -> None:
        """Count one event in every cell it touches.

        With marks 0 (late, or made under other declarations) it adds events and amount only.
        """
        facts, hour = event.facts, event.hour
        day = hour // HOURS_PER_DAY
        cells = self.days.get(day)
        if cells is None:
            cells = self.days[day] = {}
        self.events[day] = self.events.get(day, 0) + times
        for line in self._layouts[event.kind].lines:
            if line.touches(facts):
                report = line.report
                bucket = hour * HOUR_S if report.grain == "hour" else day * HOURS_PER_DAY * HOUR_S
                key = CellKey(report.name, event.property, bucket, line.values(facts), epoch)
                counters = cells.get(key)
                if counters is None:
                    counters = cells[key] = Counters()
                events, amount = line.increments(facts)
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
