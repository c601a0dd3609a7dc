"""Fills an empty data directory with days that are over: everything after the HTTP socket is the real thing.

Each request is judged, capped and marked as the door does, appended to the spool, loaded and, when its day is due,
sealed by the real sealer; all of it goes by a clock that is stepped from day to day. The caller holds the directory.
Called by commands/simulate.py.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Protocol

from collector.catalogue.declarations import Declarations, read_declarations
from collector.count.caps import Caps
from collector.count.filter import SharedMemory
from collector.count.marks import Marks
from collector.data_folder import DataFolder
from collector.disk import DISK
from collector.door.caller import Caller
from collector.door.judge import Judge
from collector.errors import Misconfigured
from collector.event import Event
from collector.offline import driven
from collector.settings import Settings
from collector.spool.appender import Appender
from collector.spool.frame import Record, record_of
from collector.spool.segment import Life, segment_name, worker_folder
from collector.spool.writer import MAX_FRAME_EVENTS, keep_layout
from collector.tools.simulate.requests import Request
from collector.tools.simulate.truth import Truth
from collector.tools.simulate.visitors import DAY_S
from collector.worker import SPOOL, judge_of

NOT_EMPTY = ("node", "spool", "frozen", "clickhouse", "shown.sqlite")
SEALS_AT_S = 11 * 60  # past midnight: then the day that ended 48 hours ago is due


class Days(Protocol):
    """Whoever makes up requests, a day after the other: days.py, or a test with clients of its own."""

    def day(self, day: int) -> Iterator[Request]:
        """Every request of a day, in no order."""
        ...


class SteppedClock:
    """The time it is told to be."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        """The present moment, as far as anything filled goes."""
        return self.at


def refuse_used(folder: DataFolder) -> None:
    """Raise Misconfigured where anything was ever counted: made-up events must not mix with real ones."""
    if any((folder.path / name).exists() for name in NOT_EMPTY):
        raise Misconfigured(
            f"{folder.path} already holds counts, and made-up ones would mix with them:"
            " choose another --data, or remove it if it was only a simulation"
        )


def fill(
    settings: Settings, folder: DataFolder, days: Days, span: range, until_s: float, tell: Callable[[int], None]
) -> Truth:
    """Have these days happen, up to a moment of the last one; what the reports must say then. Tells of each day."""
    refuse_used(folder)
    declarations = read_declarations()
    judge = judge_of(settings, declarations)
    node, epoch = folder.begin_epoch()
    life = Life(int(node, 16), epoch)
    clock = SteppedClock(span[0] * DAY_S)
    truth = Truth()
    gc.disable()  # nothing made here is a cycle, and there is much of it: a tenth of the time (measured)
    with driven(settings, folder, life, clock) as collector:
        door = _Door(settings, declarations, judge, life)
        for day in span:
            clock.at = day * DAY_S + SEALS_AT_S
            collector.sealer.run()  # seals one day, and drops the one it saw sealed the day before
            door.take(day, _sent(days.day(day), until_s, truth))
            clock.at = min((day + 1) * DAY_S - 1, until_s)
            while collector.loader.load_ready():
                pass
            tell(1)
    return truth


def _sent(requests: Iterator[Request], until_s: float, truth: Truth) -> Iterator[Request]:
    for request in requests:
        if request.at < until_s:
            truth.count(request)
            yield request


class _Door:
    """The way of a request from its being read to the closed segment."""

    def __init__(self, settings: Settings, declarations: Declarations, judge: Judge, life: Life) -> None:
        self._judge = judge
        self._memory = SharedMemory.create(life.epoch)
        self._caps = Caps(declarations.layouts, declarations.cap, self._memory)
        self._marks = Marks(declarations.layouts, self._memory)
        folder = worker_folder(settings.data / SPOOL, 0)
        DISK.make_folder(folder)
        keep_layout(DISK, settings.data / SPOOL, declarations.layouts, declarations.digest)
        self._spool = Appender(
            DISK,
            folder,
            digest=declarations.digest,
            next_name=lambda: segment_name(life, 0, self._memory.next_sequence(0)),
            segment_s=DAY_S,
        )

    def take(self, day: int, requests: Iterator[Request]) -> None:
        """Take a day's requests; all are in closed segments then."""
        self._memory.tend(day * DAY_S)
        self._caps.forget()
        self._marks.forget()
        records: list[Record] = []
        for request in requests:
            records += self._records(request)
            if len(records) >= MAX_FRAME_EVENTS:
                self._spool.append(records)
                records = []
        if records:
            self._spool.append(records)
        self._spool.rotate()

    def _records(self, request: Request) -> Iterator[Record]:
        """What the door makes of a request's events; raises Misconfigured if it would not count one of them."""
        person = request.person
        caller = Caller(person.address, person.agent, ("", ""), person.accept_language, None)
        sender = self._judge.sender(caller)
        for one in request.happenings:
            judged = self._judge.event(one.event, caller, sender, request.at)
            if sender is None or not isinstance(judged, Event):
                raise Misconfigured(f"a made-up {one.event['kind']} is not counted: {judged}")
            event = self._caps.capped(judged)
            slot = self._marks.slot(event.hour)
            yield record_of(event, self._marks.of(event, sender.seeds(slot), slot) if slot else 0)
