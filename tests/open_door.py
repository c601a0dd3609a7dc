"""The public port in this process, every part of it real: sockets, reduction, marks, spool; the clock is the test's."""

from __future__ import annotations

import hashlib
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

from collector.catalogue.kinds import Kinds
from collector.catalogue.registry import Registry
from collector.count.caps import Caps
from collector.count.filter import SharedMemory
from collector.count.marks import Marks
from collector.count.minutes import MinuteCounts, make_minutes
from collector.disk import DISK, Disk
from collector.door.allowance import Allowance
from collector.door.answers import Routes
from collector.door.caller import Callers
from collector.door.connections import Limits
from collector.door.judge import Judge
from collector.door.open_book import OpenBook
from collector.door.privacy_page import Operator
from collector.door.receive import Counting, Receiver
from collector.door.seeing import Seeing
from collector.door.server import Door
from collector.door.tally import Tally
from collector.errors import Code
from collector.ledger import ledger_of
from collector.metrics import Metrics
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.region import Region
from collector.reduce.sender import Senders
from collector.settings import read_settings
from collector.worker import more_routes
from tests.counting import events_in
from tests.exposition import series_in
from tests.memory_reading import SteppedClock
from tests.spooling import DECLARATIONS, LIFE, QUOTA_BYTES, new_writer
from tests.tiny_mmdb import database

COUNTRIES = {
    ip_network("203.0.113.0/24"): {"country_code": "DE"},
    ip_network("198.51.100.0/24"): {"country_code": "FR"},
    ip_network("2001:db8::/32"): {"country_code": "JP"},
}
EPOCH = LIFE.epoch


@dataclass
class OpenDoor:
    """A door that serves at `url`; its spool lies in data/spool and is complete once the block ended."""

    url: str
    data: Path
    clock: SteppedClock
    metrics: Metrics
    memory: SharedMemory
    tally: Tally
    routes: Routes

    def seen(self) -> Counter[str]:
        """Events received, accepted, refused and not counted so far; also by kind, code and reason."""
        self.tally.flush()
        return events_in(series_in(self.metrics.exposition()))

    def traces(self) -> tuple[str, dict[str, bytes], bytes]:
        """Everything that is kept: the shared memory (as a digest), the spool's files, the metrics."""
        self.tally.flush()
        memory = hashlib.blake2b(os.pread(self.memory.fd, os.fstat(self.memory.fd).st_size, 0)).hexdigest()
        files = {str(path): path.read_bytes() for path in self.data.rglob("*") if path.is_file()}
        return memory, files, self.metrics.exposition()


@asynccontextmanager
async def open_door(  # noqa: PLR0913 - one for each way in which a door may differ
    data: Path,
    at_s: float,
    operator: Operator | None = None,
    *,
    registry: Registry | None = None,
    config: Path | None = None,
    quota_bytes: int = QUOTA_BYTES,
    disk: Disk = DISK,
    allowance: Allowance | None = None,
    limits: Limits = Limits(keepalive_s=15),  # noqa: B008 - it cannot change
) -> AsyncIterator[OpenDoor]:
    """A door with made-up countries, that trusts this machine as a proxy; of the built-in example unless told."""
    settings = read_settings({"config": config}, {})
    settings = replace(settings, registry=registry or settings.registry)
    registry = settings.registry
    (data / "spool").mkdir(parents=True)
    clock = SteppedClock(at_s)
    memory = SharedMemory.create(EPOCH)
    memory.tend(at_s)
    metrics = Metrics(DECLARATIONS.kinds, Code)
    tally = Tally(metrics)
    judge = _judge(registry, data.parent)
    spool = new_writer(data / "spool", quota_bytes=quota_bytes, disk=disk)
    receiver = Receiver(
        judge=judge,
        counting=Counting(
            Caps(DECLARATIONS.layouts, DECLARATIONS.cap, memory),
            Marks(DECLARATIONS.layouts, memory),
            MinuteCounts(make_minutes(registry.properties), 0),
        ),
        spool=spool,
        clock=clock,
        tally=tally,
        allowance=allowance or Allowance(0),
    )
    book = OpenBook(ledger_of(DECLARATIONS, metrics.series()), operator or Operator(), clock)
    to_read = book.routes() | Seeing(judge, DECLARATIONS, registry, clock).routes()
    more = more_routes(receiver, settings, DECLARATIONS, clock)
    door = Door(receiver, registry, tally, public_hosts=(), limits=limits, to_read=to_read, more=more)
    listener = socket.create_server(("127.0.0.1", 0))
    await door.open(listener)
    try:
        yield OpenDoor(
            f"http://127.0.0.1:{listener.getsockname()[1]}", data, clock, metrics, memory, tally, door.routes
        )
    finally:
        await door.close()
        spool.close()


def _judge(registry: Registry, folder: Path) -> Judge:
    countries = folder / "country.mmdb"
    countries.write_bytes(database(COUNTRIES))
    reducer = Reducer(DECLARATIONS, registry, Senders(Region(countries), Platforms()))
    return Judge(Callers((ip_network("127.0.0.0/8"),), "X-Forwarded-For"), Kinds(DECLARATIONS, registry), reducer)
