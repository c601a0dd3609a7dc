"""The processes of one node of the model test: two workers' ends of the spool and the loader, over one simulated disk.

The parts are the real ones (REAL); a control puts a broken one in. A process ends where the disk says so: then it is
gone with all it had in memory. simulated_node.py, the only user, decides what happens when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from collector.errors import InDoubt, Unavailable
from collector.loader import Loader
from collector.spool.appender import Appender
from collector.spool.reader import SpoolReader
from collector.spool.segment import Life, recover, segment_name, worker_folder
from collector.spool.writer import keep_layout
from tests.durability.expected import Answer
from tests.durability.simulated_disk import KilledError, SimulatedDisk
from tests.durability.simulated_warehouse import SimulatedSeen, SimulatedWarehouse
from tests.loading import DECLARATIONS, Counted

DATA = Path("/simulated")
SPOOL = DATA / "spool"
NODE = 7
WORKERS = 2
START_S = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of."""

    disk: type[SimulatedDisk] = SimulatedDisk
    appender: type[Appender] = Appender
    reader: type[SpoolReader] = SpoolReader
    loader: type[Loader] = Loader
    warehouse: type[SimulatedWarehouse] = SimulatedWarehouse


REAL = Parts()


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


class Processes:
    """See above. `undisturbed` while no process ended but in order, and the disk did as it was told."""

    def __init__(self, parts: Parts) -> None:
        self.warehouse = parts.warehouse()
        self.parts = parts
        self.disk = parts.disk(DATA, START_S)
        self.seen = SimulatedSeen()
        self.epoch = 1
        self._sequence = Counter[int]()
        self.workers: dict[int, _Worker] = {}
        self._loader: Loader | None = None
        self.counters = _Counters()
        self.undisturbed = True

    def kill(self, process: int) -> None:
        """A worker, or the loader (any other number), is killed."""
        self.undisturbed = False
        if process in self.workers:
            self.workers.pop(process).ownership.close()
        elif process not in range(WORKERS):
            self._loader = None
            self.counters.exact = False

    def lose_power(self, seed: int) -> None:
        """The power fails; `seed` says what survives of what was not synced."""
        self.undisturbed = False
        self.disk.crash(seed)
        self.next_life()

    def answer(self, worker: int, records: list[Any]) -> Answer:
        try:
            if worker not in self.workers:
                self._start(worker)
            self.workers[worker].appender.append(records)
        except (Unavailable, OSError):  # the second: a worker that cannot start
            return "unavailable"
        except InDoubt:
            return "in doubt"
        return "acknowledged"

    def _start(self, worker: int) -> None:
        """Begin a worker's process, as assembly.py does."""
        folder = worker_folder(SPOOL, worker)
        self.disk.make_folder(SPOOL)
        self.disk.make_folder(folder)
        with ExitStack() as ownership:
            ownership.enter_context(self.disk.owned(folder, wait=True))
            recover(self.disk, folder)
            keep_layout(self.disk, SPOOL, DECLARATIONS.layouts, DECLARATIONS.digest)
            appender = self.parts.appender(
                self.disk,
                folder,
                digest=DECLARATIONS.digest,
                next_name=partial(self._next_name, worker),
                segment_s=1e9,
                segment_bytes=2_000,
            )
            self.workers[worker] = _Worker(appender, ownership.pop_all())

    def _next_name(self, worker: int) -> str:
        self._sequence[worker] += 1
        return segment_name(Life(NODE, self.epoch), worker, self._sequence[worker])

    def loader_now(self) -> Loader:
        if self._loader is None:
            self._loader = self.parts.loader(
                DATA,
                life=Life(NODE, self.epoch),
                reader=self.parts.reader(self.disk, SPOOL, DECLARATIONS.layouts, DECLARATIONS.digest),
                seen=self.seen,
                writing=self.warehouse,
                clock=_DiskClock(self.disk),
                metrics=self.counters.loader,
            )
        return self._loader

    def runs(self, work: Callable[[], Any], process: int = WORKERS) -> Any:
        """Let a process work; None if it ended by that."""
        try:
            return work()
        except KilledError as killed:
            if killed.power is None:
                self.kill(process)
            else:
                self.lose_power(killed.power)
            return None

    def next_life(self) -> None:
        for worker in list(self.workers):
            self.workers.pop(worker).ownership.close()
        self._loader = None
        self.counters = _Counters()
        self.epoch += 1


class _DiskClock:
    """The time files are stamped with."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk

    def now(self) -> float:
        return self._disk.now_s
