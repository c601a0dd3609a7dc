"""One node of the model test: two workers' spools, the loader and their disk, with the database and clients played.

The parts are the real ones (Parts); a control puts a broken one in. Every method without a leading underscore but the
checks is a step: plain numbers in, so that a run is a list of steps that can be written down and run again (`run`).
Processes end where the disk says so (KilledError); then they are gone with all they had in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import orjson

from collector.errors import InDoubt, Unavailable
from collector.loader import FROZEN, Loader
from collector.quarantine import FOLDER as QUARANTINE
from collector.spool.appender import Appender
from collector.spool.frame import Frame, frames, record_of
from collector.spool.reader import SpoolReader
from collector.spool.segment import (
    LAYOUT,
    Life,
    Segment,
    recover,
    segment_name,
    segments,
    worker_folder,
)
from collector.spool.writer import keep_layout
from collector.warehouse.batch import SUFFIX
from tests.durability.expected import Answer, Append, Expected, Sent
from tests.durability.simulated_disk import Fault, KilledError, SimulatedDisk
from tests.durability.simulated_warehouse import Plan, SimulatedSeen, SimulatedWarehouse
from tests.loading import DECLARATIONS, HOUR, Counted, hit

DATA = Path("/simulated")
SPOOL = DATA / "spool"
NODE = 7
WORKERS = 2
START_S = 1_800_000_000.0
AT_REST_PASSES = 300  # of the loader: more than it pauses for, several times

# Marks have three bits for each of a kind's lines. Bits above them are nobody's: they tell which append a frame is of.
_TAG_SHIFT = 32
_UNTOLD = -1

Step = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of."""

    disk: type[SimulatedDisk] = SimulatedDisk
    appender: type[Appender] = Appender
    reader: type[SpoolReader] = SpoolReader
    loader: type[Loader] = Loader
    warehouse: type[SimulatedWarehouse] = SimulatedWarehouse


@dataclass(slots=True)
class _Worker:
    appender: Appender
    ownership: ExitStack


@dataclass(slots=True)
class _Counters:
    """The counters of one life; `exact` while nothing happened that they cannot be exact about."""

    accepted: int = 0
    loader: Counted = field(default_factory=Counted)
    exact: bool = True


class SimulatedNode:
    """See above; `expected` is what must be counted."""

    def __init__(self, parts: Parts = Parts()) -> None:
        self.steps: list[Step] = []
        self.failed = False
        self.expected = Expected()
        self.warehouse = parts.warehouse()
        self._parts = parts
        self._disk = parts.disk(DATA, START_S)
        self._seen = SimulatedSeen()
        self._epoch = 1
        self._sequence = Counter[int]()
        self._workers: dict[int, _Worker] = {}
        self._loader: Loader | None = None
        self._counters = _Counters()
        self._undisturbed = True
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
        if worker in self._workers:
            self._runs(self._workers[worker].appender.rotate, worker)

    def load(self, passes: int) -> None:
        """The loader works; every pass tells numbers that must add up."""
        for _ in range(passes):
            said = self._counters.loader
            said.stopped, failures = _UNTOLD, said.failures
            told = self._runs(self._loader_now().load_ready) is not None and said.stopped != _UNTOLD
            if told and said.failures == failures and not self._is_any_unrecovered():
                self._check_numbers()

    def retry(self) -> None:
        """Somebody has the first batches in quarantine tried again."""
        names = self._set_aside()
        if names:
            with suppress(OSError):  # whoever asked is told
                self._runs(partial(self._loader_now().retry, names[0]))

    def kill(self, process: int) -> None:
        """A worker, or the loader (any other number), is killed."""
        self._undisturbed = False
        if process in self._workers:
            self._workers.pop(process).ownership.close()
        elif process not in range(WORKERS):
            self._loader = None
            self._counters.exact = False

    def stop(self) -> None:
        """Everything is stopped in order; with the next step the next life begins."""
        for worker in list(self._workers):
            self.rotate(worker)
        self._next_life()

    def lose_power(self, seed: int) -> None:
        """The power fails; `seed` says what survives of what was not synced."""
        self._undisturbed = False
        self._disk.crash(seed)
        self._next_life()

    # --- the world --------------------------------------------------------------------------------------------------

    def wait(self, minutes: int) -> None:
        """Time passes."""
        self._disk.now_s += 60 * minutes

    def database(self, away: bool, plans: list[Plan]) -> None:  # noqa: FBT001 - steps are plain rows
        """The database goes or comes back; what it will do with the next inserts."""
        self.warehouse.away = away
        self.warehouse.plans.clear()
        self.warehouse.plans.extend(plans)

    def fail(self, call: str, passing: int, kind: Any) -> None:
        """A call of the disk will fail."""
        self._undisturbed = False
        self._disk.faults.append(Fault(call, passing, kind))

    def die(self, call: str, passing: int, kind: Any, power: int | None) -> None:
        """The process ends at a call of the disk; `power`: by loss of power, with that seed."""
        self._undisturbed = False
        self._disk.faults.append(Fault(call, passing, kind, power))

    def forget(self, fault: Literal["EIO", "before", "after"]) -> None:
        """The memory of ids fails next time, or the loader ends there."""
        self._seen.fault = fault

    def fill(self, calls: int) -> None:
        """The disk is full for so many calls that need room."""
        self._undisturbed = False
        self._disk.full = calls

    def flip(self, which: int, where: float, bit: int) -> None:
        """A bit flips in a segment, open or closed."""
        with self._disk.without_faults():
            found = [each for each in segments(self._disk, SPOOL) if self._disk.safe_bytes(each.path)]
            if not found:
                return
            segment = found[which % len(found)]
            at = int(where * self._disk.safe_bytes(segment.path))
            self._note_hit(segment, at)
        self._disk.flip(segment.path, at * 8 + bit)
        if not segment.closed:
            self._counters.exact = False  # what an open segment holds is told by headers, unchecked

    # --- the end ----------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Everything is well again: what waits is loaded, what was set aside tried again. Then check."""
        self._disk.faults.clear()
        self._disk.full = 0
        self._seen.fault = ""
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
        if unreported := self.expected.unreported(self.warehouse.counts, copies, undisturbed=self._undisturbed):
            raise AssertionError(f"lost by a flipped bit, and not reported: {unreported}")

    def _check_numbers(self) -> None:
        counters, loader = self._counters, self._counters.loader
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
        append.answer = self._runs(partial(self._answer, worker, records), worker) or "in doubt"
        if append.answer == "acknowledged":
            self._counters.accepted += len(group)
        elif append.answer == "in doubt":
            self._counters.exact = False

    def _answer(self, worker: int, records: list[Any]) -> Answer:
        try:
            if worker not in self._workers:
                self._start(worker)
            self._workers[worker].appender.append(records)
        except (Unavailable, OSError):  # the second: a worker that cannot start
            return "unavailable"
        except InDoubt:
            return "in doubt"
        return "acknowledged"

    def _start(self, worker: int) -> None:
        """Begin a worker's process, as assembly.py does."""
        folder = worker_folder(SPOOL, worker)
        self._disk.make_folder(SPOOL)
        self._disk.make_folder(folder)
        with ExitStack() as ownership:
            ownership.enter_context(self._disk.owned(folder, wait=True))
            recover(self._disk, folder)
            keep_layout(self._disk, SPOOL, DECLARATIONS.layouts, DECLARATIONS.digest)
            appender = self._parts.appender(
                self._disk,
                folder,
                digest=DECLARATIONS.digest,
                next_name=partial(self._next_name, worker),
                segment_s=1e9,
                segment_bytes=2_000,
            )
            self._workers[worker] = _Worker(appender, ownership.pop_all())

    def _next_name(self, worker: int) -> str:
        self._sequence[worker] += 1
        return segment_name(Life(NODE, self._epoch), worker, self._sequence[worker])

    def _loader_now(self) -> Loader:
        if self._loader is None:
            self._loader = self._parts.loader(
                DATA,
                life=Life(NODE, self._epoch),
                reader=self._parts.reader(self._disk, SPOOL, DECLARATIONS.layouts, DECLARATIONS.digest),
                seen=self._seen,
                writing=self.warehouse,
                clock=_DiskClock(self._disk),
                metrics=self._counters.loader,
            )
        return self._loader

    def _runs(self, work: Callable[[], Any], process: int = WORKERS) -> Any:
        """Let a process work; None if it ended by that."""
        try:
            return work()
        except KilledError as killed:
            if killed.power is None:
                self.kill(process)
            else:
                self.lose_power(killed.power)
            return None

    def _next_life(self) -> None:
        for worker in list(self._workers):
            self._workers.pop(worker).ownership.close()
        self._loader = None
        self._counters = _Counters()
        self._epoch += 1

    def _note_hit(self, segment: Segment, at: int) -> None:
        """Remember which append a flip costs."""
        begins = 0
        for found in frames(segment.name, self._disk.read(segment.path)):
            ends = found.end if isinstance(found, Frame) else begins + found
            if begins <= at < ends and isinstance(found, Frame):
                append = self.expected.appends[(orjson.loads(found.payload)[0][4] >> _TAG_SHIFT) - 1]
                append.hit = segment.name
                append.hit_open = not segment.closed
                claimed = {e.path for e in append.events if self._seen.owners.get(e.id or "") == segment.name}
                self.expected.excused |= claimed
            begins = ends

    def _is_any_unrecovered(self) -> bool:
        """Whether a segment of an earlier life is still open: recovered are events only once it is closed."""
        with self._disk.without_faults():
            return any(not each.closed and each.epoch != self._epoch for each in segments(self._disk, SPOOL))

    def _names(self, folder: str) -> list[str]:
        with self._disk.without_faults():
            return self._disk.names(DATA / folder)


class _DiskClock:
    """The time files are stamped with."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk

    def now(self) -> float:
        return self._disk.now_s
