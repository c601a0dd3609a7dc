"""What of an event is new to which declared cell: visitor, network, first.

A token stands for one seed in one cell of one day. It is a multiply-shift hash (Dietzfelbinger 1996: strongly universal)
of the caller's seed with coefficients that keyed BLAKE2b gives the cell, so nothing links two cells of one caller, and a
cell met before costs a multiplication instead of a hash (0.15 against 0.6 us). Coefficients know cells, never callers,
and go with their day.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from collector.catalogue.layout import Layout
from collector.count.filter import WORD_BITS, DaySlot, SharedMemory
from collector.event import Event

VISITOR, NETWORK, FIRST = 1, 2, 4
BITS_PER_LINE = 3
HOURS_PER_DAY = 24
CELLS_REMEMBERED = 100_000

_SHIFT = 64 - WORD_BITS
_LOW = (1 << 64) - 1
_TWO_BITS = tuple((1 << (n & 63)) | (1 << (n >> 6)) for n in range(4096))


class Seeds(NamedTuple):
    """What stands for a caller within one request: never stored, never sent, gone with the request."""

    visitor: int
    network: int


class _Cell(NamedTuple):
    """Coefficients of one cell: token = (a * seed + b or c) >> 64, mod 2^64. `first` is the whole report's pair."""

    a: int
    b: int
    c: int
    first: tuple[int, int] | None


class Marks:
    """Makes the marks of events; one per worker, one thread."""

    def __init__(self, layouts: dict[str, Layout], memory: SharedMemory) -> None:
        self._layouts = layouts
        self._memory = memory
        self._day = 0
        self._cells: dict[tuple[str, str, tuple[str, ...]], _Cell] = {}

    def slot(self, hour: int) -> DaySlot | None:
        """The key and filter an event of this hour is counted under; None once they are gone."""
        return self._memory.slot(hour // HOURS_PER_DAY)

    def forget(self, now_s: float) -> None:
        """Drop what was derived from a key that is gone. Called every minute."""
        if self._day and self._memory.slot(self._day) is None:
            self._cells.clear()

    def of(self, event: Event, seeds: Seeds, slot: DaySlot) -> int:
        """The marks of an event, three bits per line of its kind's layout, and from now on none of them is new.

        A visitor seen in a cell implies that network and first are not new either, so a repeat costs one look-up a line.
        """
        if slot.day != self._day or len(self._cells) > CELLS_REMEMBERED:
            self._cells.clear()
            self._day = slot.day
        facts, words, marks, shift = event.facts, slot.words, 0, 0
        for line in self._layouts[event.kind].lines:
            if line.touches(facts):
                report = line.report
                key = (report.name, event.property, line.values(facts))
                cell = self._cells.get(key) or self._remember(key, slot)
                if not report.visitors:
                    marks |= self._network_marks(cell, seeds.network, words) << shift
                elif _is_new(cell.a * seeds.visitor + cell.b, words):
                    marks |= (VISITOR | self._network_marks(cell, seeds.network, words)) << shift
            shift += BITS_PER_LINE
        return marks

    def _network_marks(self, cell: _Cell, network: int, words: memoryview) -> int:
        if not _is_new(cell.a * network + cell.c, words):
            return 0
        if cell.first is None:  # a report without dimensions has one cell: new to it is new to the report
            return NETWORK | FIRST
        return NETWORK | FIRST if _is_new(cell.first[0] * network + cell.first[1], words) else NETWORK

    def _remember(self, key: tuple[str, str, tuple[str, ...]], slot: DaySlot) -> _Cell:
        report, name, values = key
        a, b, c = _coefficients((report, name, *values), slot)
        first = _coefficients((report, name), slot)[:2] if values else None
        cell = self._cells[key] = _Cell(a, b, c, first)
        return cell


def _coefficients(words: tuple[str, ...], slot: DaySlot) -> tuple[int, int, int]:
    data = blake2b("\x00".join(words).encode(), digest_size=48, key=slot.key, person=b"cell").digest()
    a, b, c = (int.from_bytes(data[at : at + 16], "little") for at in (0, 16, 32))
    return a | 1, b, c


def _is_new(product: int, words: memoryview) -> bool:
    """Whether a token was not in the filter; it is afterwards."""
    token = product >> 64 & _LOW
    at = token >> _SHIFT
    bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
    word = words[at]
    if word & bits == bits:
        return False
    words[at] = word | bits
    return True
