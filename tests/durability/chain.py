"""The way of an event through the disk as one program in step: append, rotate, recover, freeze, insert, verify, delete.

`python -m tests.durability.chain DATA EPOCH FD` opens the engine once and then takes one JSON line after the other from
the socket FD: {"group": n} sends events of their own through the whole chain, {"ask": prefix} counts pages. What it
acknowledges it says at once, so a killed chain has said exactly what a killed worker would have answered. It talks by
a socket, so that its own words are no `write` among those that are hit (tests/durability/injection.py).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedRWPair
from itertools import count
from pathlib import Path

import orjson

from collector.clock import SystemClock
from collector.disk import DISK
from collector.errors import InDoubt, Unavailable
from collector.event import Event
from collector.loader import Loader
from collector.log import configure
from collector.spool.appender import Appender
from collector.spool.frame import record_of
from collector.spool.reader import SpoolReader
from collector.spool.seen import Seen
from collector.spool.segment import Life, recover, segment_name, worker_folder
from collector.warehouse.embedded import open_embedded
from collector.warehouse.engine import Engine
from collector.warehouse.writing import Writing
from tests.loading import DECLARATIONS, HOUR, IDS, Counted, hit

NODE = 7
APPENDS = 2
MAX_PASSES = 300  # of the loader: after failures it leaves out some


def main(data: Path, epoch: int, talk: socket.socket) -> None:
    """Serve the requests of one test until it closes the socket."""
    configure("warning")
    os.environ["TMPDIR"] = str(data / "tmp")
    for folder in (data / "tmp", worker_folder(data / "spool", 0)):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        talk.makefile("rwb") as lines,
        DISK.owned(worker_folder(data / "spool", 0), wait=True),
        open_embedded(data / "clickhouse") as engine,
    ):
        chain = Chain(data, epoch, engine, lines)
        recover(DISK, worker_folder(data / "spool", 0))
        chain.say(settled=chain.load(), pid=os.getpid())
        for line in lines:
            request = orjson.loads(line)
            if "group" in request:
                chain.run(request["group"])
            else:
                chain.say(counts=dict(_counts(engine, request["ask"])))


class Chain:
    """One worker's spool and the loader behind it."""

    def __init__(self, data: Path, epoch: int, engine: Engine, lines: BufferedRWPair) -> None:
        self._data = data
        self._lines = lines
        life = Life(NODE, epoch)
        numbers = count(1)
        self._appender = Appender(
            DISK,
            worker_folder(data / "spool", 0),
            digest=DECLARATIONS.digest,
            next_name=lambda: segment_name(life, 0, next(numbers)),
            segment_s=3600,
        )
        seen = Seen(data / IDS)
        writing = Writing(engine)
        self._new_loader: Callable[[], Loader] = lambda: Loader(
            data,
            life=life,
            reader=SpoolReader(DISK, data / "spool", DECLARATIONS.layouts, DECLARATIONS.digest),
            seen=seen,
            writing=writing,
            clock=SystemClock(),
            metrics=Counted(),
        )

    def run(self, group: int) -> None:
        """Send a group of events through; what became of each is said as soon as a sender would know it."""
        for number in range(APPENDS):
            events = events_of(group, f"worker{number}")
            with suppress(InDoubt):
                try:
                    self._appender.append([record_of(event, 0) for event in events])
                except Unavailable:
                    self.say(refused=pages_of(events))
                else:
                    self.say(acknowledged=pages_of(events))
        self._appender.rotate()
        self.say(settled=self.load())

    def load(self) -> bool:
        """Load like a loader just started, until the disk says that nothing waits; False if it goes on waiting."""
        loader = self._new_loader()
        return any(loader.load_ready() == 0 and not any(waiting(self._data)) for _ in range(MAX_PASSES))

    def say(self, **said: object) -> None:
        self._lines.write(orjson.dumps(said) + b"\n")
        self._lines.flush()


def events_of(group: int, sender: str) -> list[Event]:
    """What one sender sends in a group: a page of its own on each of the two days that only this group has."""
    pages = {day: f"/{group}/{sender}/{day}" for day in (0, 1)}
    return [hit(page, HOUR + 24 * (2 * group + day))._replace(id=page) for day, page in pages.items()]


def pages_of(events: list[Event]) -> list[str]:
    return [str(event.id) for event in events]


def waiting(data: Path) -> Iterator[Path]:
    """What of DATA is on its way: segments, frozen files, and those set aside."""
    for folder, pattern in (("spool", "w*/*"), ("frozen", "*"), ("quarantine", "*")):
        yield from (data / folder).glob(pattern)


def _counts(engine: Engine, prefix: str) -> list[tuple[str, int]]:
    query = "SELECT d1, sum(events) FROM hot WHERE report = 'pages' AND startsWith(d1, {p:String}) GROUP BY d1"
    client = engine.writer()
    return [(page, events) for page, events in client.query(query, parameters={"p": prefix}).result_rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
