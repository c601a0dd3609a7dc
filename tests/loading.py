"""A loader and what it needs: a node's DATA with a spool to write, events to write there, and what was counted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from collector.catalogue.declarations import read_declarations
from collector.clock import Clock, SystemClock
from collector.disk import DISK, Disk
from collector.event import Event, Fact
from collector.loader import Loader
from collector.sealer import Sealer
from collector.spool.frame import encode, record_of
from collector.spool.reader import SpoolReader
from collector.spool.seen import Seen
from collector.spool.segment import OPEN, Life, closed_path, segment_name, worker_folder
from collector.warehouse.engine import Engine
from collector.warehouse.folding import Folding
from collector.warehouse.seals import Seals
from collector.warehouse.writing import Writing

DECLARATIONS = read_declarations()
DIGEST = bytes.fromhex(DECLARATIONS.digest)
IDS = "ids.sqlite"
DAY = 20_700
HOUR = DAY * 24
ALL_NEW = (1 << 27) - 1  # three bits for each of the nine reports a page_hit enters


@dataclass
class Counted:
    """What the loader says it did."""

    events: int = 0
    batches: int = 0
    failures: int = 0
    segments: int = 0
    frozen: int = 0
    set_aside: int = 0
    repeats: int = 0
    of_earlier: int = 0
    pending: int = 0
    stopped: int = 0
    remembered: int = 0
    aside_files: int = 0
    oldest_s: float = field(default=0.0, compare=False)
    lags: list[float] = field(default_factory=list, compare=False)

    def recovered(self, events: int) -> None:
        self.of_earlier += events

    def verified(self, events: int) -> None:
        self.events += events
        self.batches += 1

    def duplicate(self, events: int) -> None:
        self.repeats += events

    def lag(self, seconds: float) -> None:
        self.lags.append(seconds)

    def oldest_waiting(self, seconds: float) -> None:
        self.oldest_s = seconds

    def load_failed(self) -> None:
        self.failures += 1

    def ids(self, *, remembered: int, forgotten_early: int) -> None:
        self.remembered = remembered

    def quarantined(self, events: int) -> None:
        self.set_aside += events

    def in_quarantine(self, files: int) -> None:
        self.aside_files = files

    def waiting(self, *, events: int, segments: int, frozen_batches: int, stopped: int) -> None:
        self.pending, self.segments, self.frozen, self.stopped = events, segments, frozen_batches, stopped


@dataclass
class Place:
    """One node's DATA, and a hand to write its spool with."""

    data: Path
    node: int = field(default_factory=lambda: secrets.randbits(64))
    sequence: int = 0
    seen: Seen | None = None
    writing: Writing | None = None
    late_days: list[int] = field(default_factory=list)

    def write(self, *frames: list[tuple[Event, int]], worker: int = 0, epoch: int = 1, closed: bool = True) -> Path:
        """A segment of these frames, as a worker leaves it."""
        self.sequence += 1
        name = segment_name(Life(self.node, epoch), worker, self.sequence)
        folder = worker_folder(self.data / "spool", worker)
        folder.mkdir(parents=True, exist_ok=True)
        before = list(accumulate(map(len, frames), initial=0))
        path = closed_path(folder, name, before[-1]) if closed else folder / (name + OPEN)
        path.write_bytes(
            b"".join(
                encode(name, first, DIGEST, [record_of(event, marks) for event, marks in frame])
                for first, frame in zip(before, frames, strict=False)
            )
        )
        return path

    def loader(
        self, engine: Engine, metrics: Counted | None = None, clock: Clock | None = None, disk: Disk = DISK
    ) -> Loader:
        """A loader as the next process makes it: the one before is dead."""
        if self.seen:
            self.seen.close()
        self.seen = Seen(self.data / IDS)
        self.writing = Writing(engine, folding=Folding(DECLARATIONS.reports, DECLARATIONS.threshold))
        return Loader(
            self.data,
            life=Life(self.node, 1),
            reader=self._reader(disk),
            seen=self.seen,
            writing=self.writing,
            clock=clock or SystemClock(),
            metrics=metrics or Counted(),
        )

    def sealer(self, clock: Clock, disk: Disk = DISK) -> Sealer:
        """The sealer of the process whose loader was made last."""
        assert self.writing is not None
        seals = Seals(self.writing)
        return Sealer(self.data, node=self.node, reader=self._reader(disk), seals=seals, clock=clock, metrics=self)

    def days_unsealed_late(self, days: int) -> None:
        """What the sealer tells as a metric."""
        self.late_days.append(days)

    def _reader(self, disk: Disk) -> SpoolReader:
        return SpoolReader(disk, self.data / "spool", DECLARATIONS.layouts, DECLARATIONS.digest)

    def files(self) -> list[str]:
        """What lies in spool, frozen, quarantine and sealing."""
        folders = [self.data / name for name in ("spool", "frozen", "quarantine", "sealing")]
        return sorted(path.name for folder in folders for path in folder.rglob("*") if path.is_file())


def event(kind: str, hour: int = HOUR, **given: Fact) -> Event:
    layout = DECLARATIONS.layouts[kind]
    absent: dict[str, Fact] = {"bucket": "(unknown)", "flag": False, "number": None}
    facts = tuple(given.get(name, absent[role]) for name, role in zip(layout.facts, layout.roles, strict=True))
    return Event(kind, "www.example.org", hour, facts)


def hit(path: str = "/", hour: int = HOUR, *, entry: bool = False) -> Event:
    return event("page_hit", hour, path=path, entry=entry)


def rows(client: Client, node: int, report: str, columns: str = "d1, sum(events)") -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in client.query(
            f"SELECT {columns} FROM hot WHERE node = {{n:UInt64}} AND report = {{r:String}} GROUP BY ALL ORDER BY ALL",
            parameters={"n": node, "r": report},
        ).result_rows
    ]
