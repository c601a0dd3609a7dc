"""What of an event is new to which declared cell: visitor, network, first.

A token stands for one seed in one cell of one day. It is a multiply-shift hash (Dietzfelbinger 1996: strongly
universal) of the caller's seed with coefficients that keyed BLAKE2b gives the cell, so nothing in the shared filter
links two cells of one caller, and a cell met before costs a multiplication instead of a hash (0.13 against 0.6 us,
measured). Coefficients know cells, never callers; both they and `told` go with their day.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from collector.catalogue.layout import Facts, Layout, Line, always
from collector.count.filter import WORD_BITS, DaySlot, SharedMemory
from collector.event import Event
from collector.secret import wipe_stack

VISITOR, NETWORK, FIRST = 1, 2, 4
BITS_PER_LINE = 3
HOURS_PER_DAY = 24
TOLD_REMEMBERED = 50_000  # per kind and property: 4 MB, where 100,000 are 8
CELLS_REMEMBERED = 20_000  # per line and property; the coefficients of a forgotten cell are made again

_SHIFT = 80  # of a sum's bits 80..126 the low 24 choose four bits of a word, the next 23 the word
_TOKEN = (1 << WORD_BITS + 24) - 1
_TWO_BITS = tuple((1 << (n & 63)) | (1 << (n >> 6)) for n in range(4096))

_Coefficients = tuple[int, int, int]


class Seeds(NamedTuple):
    """What stands for a caller within one request: never stored, never sent, gone with the request."""

    visitor: int
    network: int


class _Cells(dict[tuple[str, ...], _Coefficients]):
    """The coefficients of one report's cells of one property on one day, made when a cell is first asked for."""

    def __init__(self, report: str, property_id: str, slot: DaySlot) -> None:
        super().__init__()
        self._words = (report, property_id)
        self._slot = slot

    def __missing__(self, values: tuple[str, ...]) -> _Coefficients:
        if len(self) >= CELLS_REMEMBERED:
            self.clear()
        data = blake2b("\x00".join((*self._words, *values)).encode(), digest_size=48, key=self._slot.key).digest()
        a, b, c = (int.from_bytes(data[at : at + 16], "little") for at in (0, 16, 32))
        made = self[values] = (a | 1, b, c)
        return made


# One line: touches (None: always), values, cells, visitors, shift, the whole report's coefficients
_DayLine = tuple[
    Callable[[Facts], bool] | None, Callable[[Facts], tuple[str, ...]], _Cells, bool, int, _Coefficients | None
]


class _DayLines(NamedTuple):
    """The lines of one kind and property on one day; `others` are those that not only the sender decides about.

    told  hashes of (visitor's seed, facts of the sender) this process met today: new to none of the sender's lines
    """

    lines: tuple[_DayLine, ...]
    others: tuple[_DayLine, ...]
    sender_facts: Callable[[Facts], Facts] | None
    told: set[int]


class Marks:
    """Makes the marks of events; one per worker, one thread."""

    def __init__(self, layouts: dict[str, Layout], memory: SharedMemory) -> None:
        self._layouts = layouts
        self._memory = memory
        self._days: dict[int, dict[tuple[str, str], _DayLines]] = {}
        self._claimed: int | None = None

    def slot(self, hour: int) -> DaySlot | None:
        """The key and filter an event of this hour is counted under; None once they are gone."""
        return self._memory.slot(hour // HOURS_PER_DAY)

    def forget(self) -> None:
        """Drop what was derived from keys that are gone, from the stack, too. Called twice a minute."""
        for day in [day for day in self._days if self._memory.slot(day) is None]:
            del self._days[day]
        wipe_stack()

    def of(self, event: Event, seeds: Seeds, slot: DaySlot) -> int:
        """The marks of an event, three bits per line of its kind's layout; from now on none of them is new.

        A visitor seen in a cell implies that network and first are not new either: a repeat costs one look-up a line,
        and no claim. Where something is new the caller's network stays claimed until `release`.
        """
        facts, words = event.facts, slot.words
        visitor, network = seeds
        marks = 0
        for touches, values, cells, visitors, shift, first in self._lines_to_ask(event, visitor, slot):
            if touches is not None and not touches(facts):
                continue
            a, b, c = cells[values(facts)]
            new = 0
            if visitors:
                # is_new(), written out: this is where most requests end
                token = (a * visitor + b) >> _SHIFT & _TOKEN
                bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
                at = token >> 24
                if words[at] & bits == bits:
                    continue
                if self._claimed != network:
                    self._claim(network)
                word = words[at]
                if word & bits == bits:  # another process was quicker
                    continue
                words[at] = word | bits
                new = VISITOR
            elif self._claimed != network:
                self._claim(network)
            if is_new(a * network + c, words):
                # a report without dimensions has one cell: new to it is new to the report
                is_first = first is None or is_new(first[0] * network + first[1], words)
                new |= NETWORK | FIRST if is_first else NETWORK
            marks |= new << shift
        return marks

    def release(self) -> None:
        """Let other processes mark this caller's network: its events are marked. Before anything is waited for."""
        if self._claimed is not None:
            self._memory.release(self._claimed)
            self._claimed = None

    def _claim(self, network: int) -> None:
        self.release()  # late events are marked under another day's seeds
        self._memory.claim(network)
        self._claimed = network

    def _lines_to_ask(self, event: Event, visitor: int, slot: DaySlot) -> tuple[_DayLine, ...]:
        """All lines, or not the sender's: a visitor met with all the same facts of a sender is new to none of these.

        One look-up instead of five. It is known to this process only and for this day: the filter, which all share,
        holds tokens of single cells and nothing that would tie them together.
        """
        lines, others, sender_facts, told = self._lines(event, slot)
        if sender_facts is None:
            return lines
        met = visitor ^ hash(sender_facts(event.facts))
        if met in told:
            return others
        if len(told) >= TOLD_REMEMBERED:
            told.clear()
        told.add(met)
        return lines

    def _lines(self, event: Event, slot: DaySlot) -> _DayLines:
        days = self._days.get(slot.day)
        if days is None:
            days = self._days[slot.day] = {}
        found = days.get((event.kind, event.property))
        if found is None:
            layout = self._layouts[event.kind]
            lines = [_day_line(index, line, event.property, slot) for index, line in enumerate(layout.lines)]
            others = [made for made, line in zip(lines, layout.lines, strict=True) if line not in layout.of_sender]
            found = _DayLines(tuple(lines), tuple(others), layout.sender_facts, set())
            days[event.kind, event.property] = found
        return found


def _day_line(index: int, line: Line, property_id: str, slot: DaySlot) -> _DayLine:
    report = line.report
    cells = _Cells(report.name, property_id, slot)
    touches = None if line.touches is always else line.touches
    whole = _Cells(report.name, property_id, slot)[()] if report.by else None
    return touches, line.values, cells, report.visitors, index * BITS_PER_LINE, whole


def is_known(total: int, words: memoryview) -> bool:
    """Whether a token is in the filter."""
    token = total >> _SHIFT & _TOKEN
    bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
    return bool(words[token >> 24] & bits == bits)


def is_new(total: int, words: memoryview) -> bool:
    """Whether a token was not in the filter; it is afterwards."""
    token = total >> _SHIFT & _TOKEN
    bits = _TWO_BITS[token & 4095] | _TWO_BITS[token >> 12 & 4095]
    word = words[token >> 24]
    if word & bits == bits:
        return False
    words[token >> 24] = word | bits
    return True
