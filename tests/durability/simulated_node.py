"""One node of the model test: what clients, processes, disk and database do, step by step, and what must be counted.

Every step of a run is the name of a method and plain numbers, so that a run is a list that can be written down and run
again (`run`). The processes and the disk below them are simulated_processes.py's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import orjson

from collector.quarantine import FOLDER as QUARANTINE
from collector.quarantine import NotKept
from collector.spool.frame import Frame, frames, record_of
from collector.spool.segment import LAYOUT, Segment, segments
from collector.warehouse.batch import FROZEN, SUFFIX
from tests.durability.expected import Append, Expected, Sent
from tests.durability.simulated_disk import Fault
from tests.durability.simulated_processes import DATA, REAL, SPOOL, WORKERS, Parts, Processes
from tests.durability.simulated_warehouse import Plan
from tests.loading import HOUR, hit

AT_REST_PASSES = 300  # of the loader: more than it pauses for, several times

# Marks have three bits for each of a kind's lines. Bits above them are nobody's: they tell which append a frame is of.
_TAG_SHIFT = 32
_UNTOLD = -1

Step = tuple[Any, ...]


class SimulatedNode(Processes):
    """See above; `expected` is what must be counted."""

    def __init__(self, parts: Parts = REAL) -> None:
        super().__init__(parts)
        self.steps: list[Step] = []
        self.failed = False
        self.expected = Expected()
        self._number = 0

    def run(self, steps: Iterable[Step]) -> None:
        """Do these steps."""
        for name, *arguments in steps:
            self.do(name, *arguments)

    def do(self, name: str, *arguments: Any) -> None:
        """Do one step, and remember it."""
        self.steps.append((name, *arguments))
        try:
            getattr(self, name)(*arguments)
        except BaseException:
            self.failed = True
            raise

    # --- clients ---------------------------------------------------------------------------------------------------

    def append(self, worker: int, events: int, ids: int) -> None:
        """A commit group of new events, so many of them with an id."""
        group: list[Sent] = []
        for number in range(events):
            self._number += 1
            path, day = f"/{self._number}", self._number % 3 // 2
            group.append(Sent(path, f"id-{path}" if number < ids else None, HOUR + 24 * day))
        self._append(worker, group)

    def resend(self, worker: int, which: int, events: int) -> None:
        """Some events with ids again, with one new event."""
        known = self.expected.with_ids()
        if known:
            first = which % len(known)
            self._append(worker, known[first : first + events])

    # --- processes --------------------------------------------------------------------------------------------------

    def rotate(self, worker: int) -> None:
        """A worker closes its segment: its time is over."""
        if worker in self.workers:
            self.runs(self.workers[worker].appender.rotate, worker)

    def load(self, passes: int) -> None:
        """The loader works; every pass tells numbers that must add up."""
        for _ in range(passes):
            said = self.counters.loader
            said.stopped, failures = _UNTOLD, said.failures
            told = self.runs(self.loader_now().load_ready) is not None and said.stopped != _UNTOLD
            if told and said.failures == failures and not self._is_any_unrecovered():
                self._check_numbers()

    def retry(self) -> None:
        """Somebody has the first batches in quarantine tried again."""
        names = self._set_aside()
        if names:
            try:
                with suppress(OSError):  # whoever asked is told
                    self.runs(partial(self.loader_now().retry, names[0]))
            except NotKept as error:
                if names[0] not in self._names(FROZEN):  # set aside, but its segments are not gone yet: tried by itself
                    raise AssertionError(f"set aside, and lost there: {error}") from error

    def stop(self) -> None:
        """Everything is stopped in order; with the next step the next life begins."""
        for worker in list(self.workers):
            self.rotate(worker)
        self.next_life()

    # --- the world --------------------------------------------------------------------------------------------------

    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.disk.now_s += 60 * minutes

    def database(self, away: bool, plans: list[Plan]) -> None:  # noqa: FBT001 - steps are plain rows
        """The database goes or comes back; what it will do with the next inserts."""
        self.warehouse.away = away
        self.warehouse.plans.clear()
        self.warehouse.plans.extend(plans)

    def fail(self, call: str, passing: int, kind: Any) -> None:
        """A call of the disk will fail."""
        self.undisturbed = False
        self.disk.faults.append(Fault(call, passing, kind))

    def die(self, call: str, passing: int, kind: Any, power: int | None) -> None:
        """The process ends at a call of the disk; `power`: by loss of power, with that seed."""
        self.undisturbed = False
        self.disk.faults.append(Fault(call, passing, kind, power))

    def forget(self, fault: Literal["EIO", "before", "after"]) -> None:
        """The memory of ids fails next time, or the loader ends there."""
        self.seen.fault = fault

    def fill(self, calls: int) -> None:
        """The disk is full for so many calls that need room."""
        self.undisturbed = False
        self.disk.full = calls

    def flip(self, which: int, where: float, bit: int) -> None:
        """A bit flips in a segment, open or closed."""
        with self.disk.without_faults():
            found = [each for each in segments(self.disk, SPOOL) if self.disk.safe_bytes(each.path)]
            if not found:
                return
            segment = found[which % len(found)]
            at = int(where * self.disk.safe_bytes(segment.path))
            self._note_hit(segment, at)
        self.disk.flip(segment.path, at * 8 + bit)
        if not segment.closed:
            self.counters.exact = False  # what an open segment holds is told by headers, unchecked

    # --- the end ----------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Everything is well again: what waits is loaded, what was set aside tried again. Then check."""
        self.disk.faults.clear()
        self.disk.full = 0
        self.seen.fault = ""
        self.database(away=False, plans=[])
        for worker in range(WORKERS):
            self.append(worker, 1, 0)
            self.rotate(worker)
        self._load_all()
        while self.has_set_aside():
            self.retry()
            self._load_all()
        self._check()

    def has_set_aside(self) -> bool:
        """Whether batches are in quarantine."""
        return bool(self._set_aside())

    def _set_aside(self) -> list[str]:
        return [name for name in self._names(QUARANTINE) if name.endswith(SUFFIX)]

    def _load_all(self) -> None:
        for _ in range(AT_REST_PASSES):
            self.load(1)
            if not self._left():
                return
            self.wait(1)

    def _left(self) -> list[str]:
        """What lies in spool and frozen but for layouts."""
        folders = ["spool", *(f"spool/w{worker}" for worker in range(WORKERS)), FROZEN]
        found = [f"{folder}/{name}" for folder in folders for name in self._names(folder)]
        return [path for path in found if not path.endswith(LAYOUT) and path.removeprefix("spool/") not in ("w0", "w1")]

    def _check(self) -> None:
        self.expected.check(self.warehouse.counts)
        assert self._left() == [], f"left behind: {self._left()}"
        copies = self._names(QUARANTINE)
        if unreported := self.expected.unreported(self.warehouse.counts, copies, undisturbed=self.undisturbed):
            raise AssertionError(f"lost by a flipped bit, and not reported: {unreported}")

    def _check_numbers(self) -> None:
        counters, loader = self.counters, self.counters.loader
        if counters.exact:
            found = counters.accepted + loader.of_earlier
            said = loader.events + loader.pending + loader.repeats + loader.set_aside
            assert found == said, f"accepted + recovered {found} != {said}: {counters}"

    # --- parts ------------------------------------------------------------------------------------------------------

    def _append(self, worker: int, group: list[Sent]) -> None:
        append = Append(group, "in doubt")
        self.expected.appends.append(append)
        tag = len(self.expected.appends) << _TAG_SHIFT
        records = [record_of(hit(each.path, each.hour)._replace(id=each.id), tag) for each in group]
        append.answer = self.runs(partial(self.answer, worker, records), worker) or "in doubt"
        if append.answer == "acknowledged":
            self.counters.accepted += len(group)
        elif append.answer == "in doubt":
            self.counters.exact = False

    def _note_hit(self, segment: Segment, at: int) -> None:
        """Remember which append a flip costs."""
        begins = 0
        for found in frames(segment.name, self.disk.read(segment.path)):
            ends = found.end if isinstance(found, Frame) else begins + found
            if begins <= at < ends and isinstance(found, Frame):
                append = self.expected.appends[(orjson.loads(found.payload)[0][4] >> _TAG_SHIFT) - 1]
                append.hit = segment.name
                append.hit_open = not (segment.closed and self.disk.is_named_safely(segment.path))
                claimed = {e.path for e in append.events if self.seen.owners.get(e.id or "") == segment.name}
                self.expected.excused |= claimed
            begins = ends

    def _is_any_unrecovered(self) -> bool:
        """Whether a segment of an earlier life is still open: recovered are events only once it is closed."""
        with self.disk.without_faults():
            return any(not each.closed and each.epoch != self.epoch for each in segments(self.disk, SPOOL))

    def _names(self, folder: str) -> list[str]:
        with self.disk.without_faults():
            return self.disk.names(DATA / folder)
