"""One cell of a report and what is counted in it.

A cell is report x property x time bucket x dimension values. Pure data: loader, warehouse, fold and stats share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

OTHER = "(other)"
UNKNOWN = "(unknown)"
DIRECT = "(direct)"

MAX_DIMENSIONS = 3


class CellKey(NamedTuple):
    """Which cell. `bucket` is the epoch second its hour or day begins at, `values` those of the report's dimensions."""

    report: str
    property: str
    bucket: int
    values: tuple[str, ...]
    epoch: int


@dataclass(slots=True)
class Counters:
    """What is counted in a cell; all are additive over batches of one epoch.

    visitors  callers new to this cell today; networks  networks new to this cell today;
    firsts    networks that met this report today for the first time in this cell
    """

    events: int = 0
    visitors: int = 0
    networks: int = 0
    firsts: int = 0
    amount: int = 0

    def add(self, other: Counters) -> None:
        """Add another cell's counters to these."""
        self.events += other.events
        self.visitors += other.visitors
        self.networks += other.networks
        self.firsts += other.firsts
        self.amount += other.amount
