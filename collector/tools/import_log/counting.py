"""Counts page hits of a log as the door counts events, under a clock that the log steps: judged, capped, marked, added.

The keys are of this process alone, in memory without a name, one a day as at the door; a day's is overwritten an hour
into the next. Of a caller nothing is kept but what is new to which cell. Called by run.py.
"""

from __future__ import annotations

from typing import Any

from collector.catalogue.declarations import Declarations
from collector.cell import CellKey, Counters
from collector.count.caps import Caps
from collector.count.cells import Cells
from collector.count.filter import DAY_S, KEY_DIES_AFTER_S, SharedMemory
from collector.count.marks import Marks
from collector.door.caller import AGENT_CHARACTERS, Caller
from collector.door.judge import Judge
from collector.errors import Refused
from collector.tools.import_log.hits import Left
from collector.tools.import_log.lines import Line

LATE_DAYS = 1  # further back what is capped is not known any more (count/caps.py)

CellsOfDays = dict[int, dict[CellKey, Counters]]


class Counting:
    """Counts lines in one epoch; one thread."""

    def __init__(self, declarations: Declarations, judge: Judge, epoch: int) -> None:
        self._judge = judge
        self._layouts = declarations.layouts
        self._memory = SharedMemory.create(epoch)
        self._caps = Caps(declarations.layouts, declarations.cap, self._memory)
        self._marks = Marks(declarations.layouts, self._memory)
        self._cells = Cells(self._layouts)
        self._epoch = epoch
        self._at = 0
        self._stepped = (0, False)

    def count(self, line: Line, event: dict[str, Any]) -> Left | None:
        """Count the event of a line; why not, if it is not counted."""
        if line.at // DAY_S < self._at // DAY_S - LATE_DAYS:
            return "out_of_order"
        self._step(line.at)
        caller = Caller(line.address, line.agent[:AGENT_CHARACTERS], ("", ""), "", None)
        sender = self._judge.sender(caller)
        try:
            judged = self._judge.event(event, caller, sender, line.at)
        except Refused:
            return "refused"
        if isinstance(judged, str):
            return judged
        capped = self._caps.capped(judged)
        slot = self._marks.slot(capped.hour)
        self._cells.add(capped, self._marks.of(capped, sender.seeds(slot), slot) if slot and sender else 0, self._epoch)
        self._marks.release()
        return None

    def taken(self) -> CellsOfDays:
        """The cells of each day that were counted since this was called last."""
        cells, self._cells = self._cells, Cells(self._layouts)
        return cells.days()

    def _step(self, at: int) -> None:
        """Let it be as late as a line says, if it was earlier: days get their key, and what is over loses it."""
        if at <= self._at:
            return
        self._at = at
        day, second = divmod(at, DAY_S)
        if self._stepped != (day, second >= KEY_DIES_AFTER_S):
            self._stepped = day, second >= KEY_DIES_AFTER_S
            self._memory.tend(at)
            self._caps.forget()
            self._marks.forget()
