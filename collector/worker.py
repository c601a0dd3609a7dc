"""Where the objects of an ingest worker meet: the public port, reduction, marks, and its own directory of the spool.

Everything that takes time is made before a worker says that it is ready and begins to wait for its directory: whoever
served in its place until then goes on until that moment. Nothing here decides anything; commands/child.py runs it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from collector.adapters.aptabase import Aptabase
from collector.adapters.plausible import Plausible
from collector.catalogue.declarations import Declarations, read_declarations
from collector.catalogue.kinds import Kinds
from collector.clock import Clock
from collector.count.caps import Caps
from collector.count.filter import DAY_S, SharedMemory
from collector.count.marks import Marks
from collector.count.minutes import MinuteCounts
from collector.disk import DISK
from collector.door.allowance import Allowance
from collector.door.answers import Routes
from collector.door.beacon import Beacon
from collector.door.caller import Callers
from collector.door.connections import Limits
from collector.door.judge import Judge
from collector.door.open_book import OpenBook
from collector.door.privacy_page import Operator
from collector.door.readiness import Readiness
from collector.door.receive import Counting, Receiver
from collector.door.redirects import Redirects
from collector.door.seeing import Seeing
from collector.door.server import Door
from collector.door.tally import Tally
from collector.errors import Code
from collector.forgetting import Forgetting
from collector.ledger import ledger_of
from collector.log import log, loop_exception_handler
from collector.metrics import Metrics
from collector.named_files import region_of, spammers_of
from collector.processes.inherited import Inherited
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.sender import Senders
from collector.settings import Settings
from collector.spool.appender import Appender
from collector.spool.room import Room
from collector.spool.segment import Life, recover, segment_name, worker_folder
from collector.spool.writer import SpoolWriter, keep_layout
from collector.updates.checks import Updates
from collector.updates.flags import FlagReader
from collector.warehouse.batch import FROZEN

SPOOL = "spool"
MB = 1_000_000
UPKEEP_EVERY_S = 30.0
OWNED_POLL_S = 0.005  # a place is empty so long at most while its directory changes hands
OLD_DAYS = 365  # networks move: a country database is worth replacing once a year


def _counting(declarations: Declarations, memory: SharedMemory, inherited: Inherited) -> Counting:
    return Counting(
        Caps(declarations.layouts, declarations.cap, memory),
        Marks(declarations.layouts, memory),
        MinuteCounts(inherited.minutes_fd, inherited.worker),
    )


async def work(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """An ingest worker: the public port, reduction, marks, and its own directory of the spool.

    Everything that takes time is made before it says that it is ready: then the one before it in its place is told to
    end, and gives the directory away once all it accepted is answered.
    """
    stop = stop_signal()
    declarations = read_declarations()
    memory = SharedMemory(inherited.memory_fd)
    folder = worker_folder(settings.data / SPOOL, inherited.worker)
    DISK.make_folder(folder)
    keep_layout(DISK, settings.data / SPOOL, declarations.layouts, declarations.digest)  # else the one before stays
    metrics = Metrics(declarations.kinds, Code)
    metrics.started("worker")
    if not metrics.told:
        log.warning("the disk is full: what this worker counts is in no sum of /metrics", worker=inherited.worker)
    counting = _counting(declarations, memory, inherited)
    judge = judge_of(settings, declarations)
    open_book = OpenBook(ledger_of(declarations, metrics.series()), Operator(**settings.text.get("privacy", {})), clock)
    to_read = open_book.routes() | Seeing(judge, declarations, settings.registry, clock).routes()
    forgetting = Forgetting(strict=settings.strict_memory)
    gc.collect()
    gc.freeze()  # what is built now lives as long as the process: no collection needs to look at it again
    inherited.say_ready()
    async with _owned_unless(stop, folder) as is_owned:
        if not is_owned:
            return
        if cut := recover(DISK, folder):
            log.warning("torn write cut", worker=inherited.worker, bytes=cut)
        metrics.epoch(memory.epoch)
        spool = _spool(settings, inherited, declarations, memory, metrics)
        tally, limited = Tally(metrics), Allowance(settings.network_requests_per_s)
        receiver = Receiver(judge=judge, counting=counting, spool=spool, clock=clock, tally=tally, allowance=limited)
        door = Door(
            receiver,
            settings.registry,
            tally,
            public_hosts=settings.public_hosts,
            limits=Limits(settings.keepalive_s),
            to_read=to_read,
            more=more_routes(receiver, settings, declarations, clock),
        )
        await door.open(inherited.listener())
        upkeep = [asyncio.create_task(task) for task in (_keep_up(counting, memory, metrics, clock), forgetting.run())]
        log.info("accepting events", worker=inherited.worker)
        await stop.wait()
        for task in upkeep:
            task.cancel()
        await door.close()
        spool.close()


@asynccontextmanager
async def _owned_unless(stop: asyncio.Event, folder: Path) -> AsyncIterator[bool]:
    """Own a worker's directory for the block, as soon as it is free; False if told to stop before."""
    while not stop.is_set():
        with DISK.owned(folder, wait=False) as is_owned:
            if is_owned:
                yield True
                return
        await asyncio.sleep(OWNED_POLL_S)
    yield False


def _spool(
    settings: Settings, inherited: Inherited, declarations: Declarations, memory: SharedMemory, metrics: Metrics
) -> SpoolWriter:
    spool = settings.data / SPOOL
    life = Life(int(inherited.node, 16), memory.epoch)
    appender = Appender(
        DISK,
        worker_folder(spool, inherited.worker),
        digest=declarations.digest,
        next_name=lambda: segment_name(life, inherited.worker, memory.next_sequence(inherited.worker)),
        segment_s=settings.segment_s,
        segment_bytes=int(settings.segment_mb * MB),
    )
    room = Room(DISK, spool, settings.data / FROZEN, int(settings.spool_mb * MB))
    return SpoolWriter(appender, room, metrics.spooled)


def more_routes(receiver: Receiver, settings: Settings, declarations: Declarations, clock: Clock) -> Routes:
    """Where the public port takes events besides the door's own addresses, and the script that sends them."""
    registry = settings.registry
    flags = FlagReader(declarations.kinds["update_check"])
    return {
        **Readiness(receiver).routes(),
        **Beacon().routes(),
        **Redirects(receiver, registry).routes(),
        **Plausible(receiver, registry).routes(),
        **Aptabase(receiver, registry).routes(),
        **Updates(receiver, registry, settings.releases, flags, clock).routes(),
    }


def judge_of(settings: Settings, declarations: Declarations) -> Judge:
    """What judges events under these settings."""
    platforms = Platforms()
    platforms.warm()
    region = region_of(settings)
    if region.age_days is not None and region.age_days > OLD_DAYS:
        log.warning("the country database is old", days=region.age_days)
    reducer = Reducer(declarations, settings.registry, Senders(region, platforms), spammers_of(settings))
    callers = Callers(settings.trusted_proxies, settings.forwarded_header)
    return Judge(callers, Kinds(declarations, settings.registry), reducer)


async def _keep_up(counting: Counting, memory: SharedMemory, metrics: Metrics, clock: Clock) -> None:
    """Let go of what belongs to a dead key, and show how full the filters are."""
    while True:
        now_s = clock.now()
        counting.caps.forget()
        counting.marks.forget()
        today = int(now_s) // DAY_S
        metrics.key_day(today if memory.slot(today) else 0)
        for name, day in (("today", today), ("yesterday", today - 1)):
            slot = memory.slot(day)
            metrics.filter(name, fill=slot.fill_ratio() if slot else 0.0, error=slot.error_ratio() if slot else 0.0)
        await asyncio.sleep(UPKEEP_EVERY_S)


def stop_signal() -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_exception_handler)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
