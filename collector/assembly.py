"""Where the objects meet: what a worker, the warehouse process and an offline question are made of.

The only place besides cli.py that reads settings. Nothing here decides anything; it builds, connects, waits for the
signal to stop, and takes apart in the reverse order.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop
from aiohttp import web

from collector.analyst.api import build_app
from collector.analyst.tokens import Tokens
from collector.catalogue.declarations import Declarations, read_declarations
from collector.catalogue.kinds import Kinds
from collector.clock import Clock, SystemClock
from collector.count.filter import DAY_S, SharedMemory
from collector.count.marks import Marks
from collector.door.caller import Callers
from collector.door.receive import Receiver
from collector.door.server import BACKLOG, Door
from collector.door.tally import Tally
from collector.errors import Code, Unavailable
from collector.inherited import Inherited
from collector.loader import Loader
from collector.log import log, loop_exception_handler, web_logger
from collector.metrics import Metrics
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.region import Region
from collector.reduce.sender import Senders
from collector.settings import Settings
from collector.spool.reader import SpoolReader
from collector.spool.segment import owned, recover, segment_name, worker_folder
from collector.spool.writer import SpoolWriter
from collector.stats.answer import Answers
from collector.warehouse.embedded import close_embedded, open_embedded
from collector.warehouse.reading import Reading
from collector.warehouse.tables import create_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickhouse_connect.driver.client import Client

Result = TypeVar("Result")

LOAD_EVERY_S = 0.2
RETRY_LOAD_S = 2.0
UPKEEP_EVERY_S = 30.0
SHUTDOWN_S = 5.0
_GEO = Path(__file__).parent / "_web" / "geo" / "country.mmdb"


def run_child(role: str, inherited: Inherited) -> None:
    """Run one child process of the supervisor until it is told to stop: an ingest worker or the warehouse."""
    settings = inherited.settings()
    clock = SystemClock()
    inherited.end_with_supervisor()
    main = _worker if role == "worker" else _warehouse
    uvloop.run(main(settings, inherited, clock))


def answer_offline(settings: Settings, report: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Answer one question while no server runs; the caller holds the data directory. Spooled events are loaded first."""


async def _worker(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """An ingest worker: the public port, reduction, marks, and its own directory of the spool."""
    stop = _stop_signal()
    declarations = read_declarations()
    memory = SharedMemory(inherited.memory_fd)
    folder = worker_folder(settings.data / "spool", inherited.worker)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with owned(folder, wait=True):
        if cut := recover(folder):
            log.warning("torn write cut", worker=inherited.worker, bytes=cut)
        metrics = Metrics(declarations.kinds, Code)
        metrics.epoch(memory.epoch)
        spool = SpoolWriter(
            folder,
            layouts=declarations.layouts,
            digest=declarations.digest,
            next_name=lambda: segment_name(
                int(inherited.node, 16), inherited.worker, memory.epoch, memory.next_sequence(inherited.worker)
            ),
            segment_s=settings.segment_s,
            observe=metrics.spooled,
        )
        marks = Marks(declarations.layouts, memory)
        door = _door(settings, declarations, marks, spool, clock, metrics)
        await door.open(inherited.listener())
        upkeep = asyncio.create_task(_keep_up(marks, memory, metrics, clock))
        log.info("accepting events", worker=inherited.worker)
        await stop.wait()
        upkeep.cancel()
        await door.close()
        spool.close()


def _door(
    settings: Settings, declarations: Declarations, marks: Marks, spool: SpoolWriter, clock: Clock, metrics: Metrics
) -> Door:
    tally = Tally(metrics)
    platforms = Platforms()
    platforms.warm()
    receiver = Receiver(
        callers=Callers(settings.trusted_proxies, settings.forwarded_header),
        kinds=Kinds(declarations, settings.registry),
        senders=Senders(_region(settings), platforms),
        reducer=Reducer(declarations, settings.registry),
        marks=marks,
        spool=spool,
        clock=clock,
        tally=tally,
    )
    return Door(
        receiver, settings.registry, tally, public_hosts=settings.public_hosts, keepalive_s=settings.keepalive_s
    )


def _region(settings: Settings) -> Region:
    return Region(settings.geoip_db or (_GEO if _GEO.is_file() else None))


async def _keep_up(marks: Marks, memory: SharedMemory, metrics: Metrics, clock: Clock) -> None:
    """Let go of what belongs to a dead key, and show how full the filters are."""
    while True:
        now_s = clock.now()
        marks.forget()
        today = int(now_s) // DAY_S
        for name, day in (("today", today), ("yesterday", today - 1)):
            slot = memory.slot(day)
            metrics.filter_fill(name, slot.fill_ratio() if slot else 0.0)
        await asyncio.sleep(UPKEEP_EVERY_S)
