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
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedRWPair
from pathlib import Path

import orjson
from clickhouse_connect.driver.client import Client

from collector.errors import InDoubt, Unavailable
from collector.event import Event
from collector.loader import Loader
from collector.log import configure
from collector.spool.frame import Record, record_of
from collector.spool.segment import owned, recover, segment_name, worker_folder
from collector.spool.writer import _OpenSegment
from collector.warehouse.embedded import open_embedded
from collector.warehouse.tables import create_tables
from tests.loading import DECLARATIONS, HOUR, Counted, hit

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
        owned(worker_folder(data / "spool", 0), wait=True),
        open_embedded(data / "clickhouse") as engine,
    ):
        client = engine.writer()
        create_tables(client)
        recover(worker_folder(data / "spool", 0))
        chain = Chain(data, epoch, client, lines)
        chain.say(settled=chain.load(), pid=os.getpid())
        for line in lines:
            request = orjson.loads(line)
            if "group" in request:
                chain.run(request["group"])
            else:
                chain.say(counts=dict(_counts(client, request["ask"])))


class Chain:
    """One worker's spool and the loader behind it."""

    def __init__(self, data: Path, epoch: int, client: Client, lines: BufferedRWPair) -> None:
        self._data = data
        self._client = client
        self._lines = lines
        self._appender = Appender(worker_folder(data / "spool", 0), epoch)

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
        with suppress(OSError):  # the segment stays open on disk and is recovered at the next start
            self._appender.rotate()
        self.say(settled=self.load())

    def load(self) -> bool:
        """Load like a loader just started, until the disk says that nothing waits; False if it goes on waiting."""
        loader = Loader(self._data, declarations=DECLARATIONS, client=self._client, node=NODE, metrics=Counted())
        return any(loader.load_ready() == 0 and not any(waiting(self._data)) for _ in range(MAX_PASSES))

    def say(self, **said: object) -> None:
        self._lines.write(orjson.dumps(said) + b"\n")
        self._lines.flush()


class Appender:
    """The spool's synchronous core. SWAP: replace this class by collector/spool/appender.py once it is there."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self._folder = folder
        self._epoch = epoch
        self._sequence = 0
        self._file: _OpenSegment | None = None

    def append(self, records: list[Record]) -> None:
        try:
            if self._file is None:
                self._sequence += 1
                self._file = _OpenSegment(self._folder, segment_name(NODE, 0, self._epoch, self._sequence), 3600)
            self._file.append(bytes.fromhex(DECLARATIONS.digest), records)
        except OSError as error:
            self._abandon(error)

    def rotate(self) -> None:
        file, self._file = self._file, None
        if file:
            file.close()

    def _abandon(self, error: OSError) -> None:
        file, self._file = self._file, None
        if file:
            try:
                file.cut()
            except OSError:
                file.leave()
                raise InDoubt("what was written may come back") from error
            with suppress(OSError):
                file.close()
        raise Unavailable("the spool cannot be written") from error


def events_of(group: int, sender: str) -> list[Event]:
    """What one sender sends in a group: a page of its own on each of the two days that only this group has."""
    return [hit(f"/{group}/{sender}/{day}", HOUR + 24 * (2 * group + day)) for day in (0, 1)]


def pages_of(events: list[Event]) -> list[str]:
    at = DECLARATIONS.layouts["page_hit"].facts.index("path")
    return [str(event.facts[at]) for event in events]


def waiting(data: Path) -> Iterator[Path]:
    """What of DATA is on its way: segments, frozen files, and those set aside."""
    for folder, pattern in (("spool", "w*/*"), ("frozen", "*"), ("quarantine", "*")):
        yield from (data / folder).glob(pattern)


def _counts(client: Client, prefix: str) -> list[tuple[str, int]]:
    query = "SELECT d1, sum(events) FROM hot WHERE report = 'pages' AND startsWith(d1, {p:String}) GROUP BY d1"
    return [(page, events) for page, events in client.query(query, parameters={"p": prefix}).result_rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
