"""Reads segments back: the loader's half of the spool.

Frames made under other declarations are put into today's order by name, without their marks: events and amounts stay
exact, whoever was new is not known any more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from collector.catalogue.layout import Layout
from collector.event import Event
from collector.spool.frame import Frame, frames
from collector.spool.segment import CLOSED, Segment, owned, recover, segments

LAYOUT = ".layout"


class Record(NamedTuple):
    """One spooled event and its marks, three bits per line of its kind's layout; 0 where they cannot be known."""

    event: Event
    marks: int


class Contents(NamedTuple):
    """What a segment holds. `damaged` = bytes of no whole frame, `dropped` = events of kinds no longer declared."""

    records: list[Record]
    damaged: int
    dropped: int


class SpoolReader:
    """Finds and reads the segments that may be loaded."""

    def __init__(self, spool: Path, layouts: dict[str, Layout], digest: str) -> None:
        self._spool = spool
        self._layouts = layouts
        self._digest = digest

    def settle(self) -> None:
        """Close what dead workers left open. A directory whose worker lives is passed over: it settles its own."""
        for folder in sorted(self._spool.glob("w*")):
            with owned(folder, wait=False) as free:
                if free:
                    recover(folder)

    def ready(self) -> list[Segment]:
        """The closed segments, oldest first."""
        return [segment for segment in segments(self._spool) if segment.path.suffix == CLOSED]

    def read(self, segment: Segment) -> Contents:
        """Everything in a segment that is whole."""
        records: list[Record] = []
        damaged = dropped = 0
        for found in frames(segment.name, segment.path.read_bytes()):
            if isinstance(found, int):
                damaged += found
                continue
            events = self._records(found)
            records += [record for record in events if record]
            dropped += sum(record is None for record in events)
        return Contents(records, damaged, dropped)

    def _records(self, frame: Frame) -> list[Record | None]:
        rows: list[list[Any]] = orjson.loads(frame.payload)
        if frame.digest == self._digest:
            return [
                Record(Event(kind, property_id, hour, tuple(facts), *id_), marks)
                for kind, property_id, hour, facts, marks, *id_ in rows
            ]
        names: dict[str, list[str]] = orjson.loads((self._spool / (frame.digest + LAYOUT)).read_bytes())
        return [self._remapped(row, names) for row in rows]

    def _remapped(self, row: list[Any], names: dict[str, list[str]]) -> Record | None:
        kind, property_id, hour, facts, _, *id_ = row
        layout = self._layouts.get(kind)
        if layout is None:
            return None
        return Record(Event(kind, property_id, hour, layout.remap(names[kind], facts), *id_), 0)
