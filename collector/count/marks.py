"""What of an event is new to which declared cell: visitor, network, first.

A token stands for one seed in one cell of one day. It is a multiply-shift hash (Dietzfelbinger 1996: strongly
universal) of the caller's seed with coefficients that keyed BLAKE2b gives the cell, so nothing links two cells of one
caller, and a cell met before costs a multiplication instead of a hash (0.13 against 0.6 us, measured). Coefficients
know cells, never callers, and go with their day.
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
FACTS_REMEMBERED = 50_000
CELLS_REMEMBERED = 100_000

_SHIFT = 80  # of the sum's bits 80..127 the low 24 choose four bits of a word, the next 23 the word
_WORD = (1 << WORD_BITS) - 1
_TWO_BITS = tuple((1 << (n & 63)) | (1 << (n >> 6)) for n in range(4096))


class Seeds(NamedTuple):
    """What stands for a caller within one request: never stored, never sent, gone with the request."""

    visitor: int
    network: int


class _Cell(NamedTuple):
    """Coefficients of one line's cell: token = (a * seed + b or c) >> 80. `first` is the pair of the whole report."""

    shift: int
    a: int
    b: int
    c: int
    visitors: bool
    first: tuple[int, int] | None


class Marks:
    """Makes the marks of events; one per worker, one thread.

    Which cells an event's facts touch is remembered under the hash of the facts, never under the facts: Python's string
    hash is keyed per process (SipHash), so what a sender was cannot be read out of this memory.
    """

    def __init__(self, layouts: dict[str, Layout], memory: SharedMemory) -> None:
        self._layouts = layouts
        self._memory = memory
        self._cells: dict[int, dict[int, tuple[_Cell, ...]]] = {}
        self._known: dict[int, dict[tuple[str, ...], tuple[int, int, int]]] = {}

    def slot(self, hour: int) -> DaySlot | None:
        """The key and filter an event of this hour is counted under; None once they are gone."""
        return self._memory.slot(hour // HOURS_PER_DAY)

    def forget(self) -> None:
        """Drop what was derived from keys that are gone. Called twice a minute."""
        for remembered in (self._cells, self._known):
            for day in [day for day in remembered if self._memory.slot(day) is None]:
                del remembered[day]

    def of(self, event: Event, seeds: Seeds, slot: DaySlot) -> int:
        """The marks of an event, three bits per line of its kind's layout; from now on none of them is new.

        A visitor seen in a cell implies that network and first are not new either: a repeat costs one look-up a line.
        """
        seen = self._cells.setdefault(slot.day, {})
        touched = hash((event.kind, event.property, event.facts))
        cells = seen.get(touched)
        if cells is None:
            if len(seen) >= FACTS_REMEMBERED:
                seen.clear()
            cells = seen[touched] = self._cells_of(event, slot)
        words = slot.words
        visitor = seeds.visitor
        marks = 0
        for cell in cells:
            shift, a, b, _, visitors, _ = cell
            if visitors:
                token = (a * visitor + b) >> _SHIFT
                bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
                at = token >> 24 & _WORD
                word = words[at]
                if word & bits == bits:
                    continue
                words[at] = word | bits
                marks |= VISITOR << shift
            marks |= _network_marks(cell, seeds.network, words) << shift
        return marks

    def _cells_of(self, event: Event, slot: DaySlot) -> tuple[_Cell, ...]:
        cells = []
        for index, line in enumerate(self._layouts[event.kind].lines):
            if line.touches(event.facts):
                report = line.report
                values = line.values(event.facts)
                a, b, c = self._coefficients((report.name, event.property, *values), slot)
                first = self._coefficients((report.name, event.property), slot)[:2] if values else None
                cells.append(_Cell(index * BITS_PER_LINE, a, b, c, report.visitors, first))
        return tuple(cells)

    def _coefficients(self, cell: tuple[str, ...], slot: DaySlot) -> tuple[int, int, int]:
        known = self._known.setdefault(slot.day, {})
        found = known.get(cell)
        if found is None:
            if len(known) >= CELLS_REMEMBERED:
                known.clear()
            found = known[cell] = _coefficients(cell, slot)
        return found


def _network_marks(cell: _Cell, network: int, words: memoryview) -> int:
    if not is_new(cell.a * network + cell.c, words):
        return 0
    if cell.first is None:  # a report without dimensions has one cell: new to it is new to the report
        return NETWORK | FIRST
    return NETWORK | FIRST if is_new(cell.first[0] * network + cell.first[1], words) else NETWORK


def _coefficients(cell: tuple[str, ...], slot: DaySlot) -> tuple[int, int, int]:
    data = blake2b("\x00".join(cell).encode(), digest_size=48, key=slot.key, person=b"cell").digest()
    a, b, c = (int.from_bytes(data[at : at + 16], "little") for at in (0, 16, 32))
    return a | 1, b, c


def is_new(total: int, words: memoryview) -> bool:
    """Whether a token was not in the filter; it is afterwards. The loop of Marks.of has the same lines, for speed."""
    token = total >> _SHIFT
    bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
    at = token >> 24 & _WORD
    word = words[at]
    if word & bits == bits:
        return False
    words[at] = word | bits
    return True
