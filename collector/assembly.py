"""Where the objects meet: what a worker and the warehouse process are made of, and offline.py.

The only place besides the commands that reads settings. Nothing here decides anything; it builds, connects, waits for
the signal to stop, and takes apart in the reverse order.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import uvloop
from aiohttp import web

from collector.analyst.api import build_app
from collector.analyst.blocking import RunBlocking
from collector.analyst.quarantine import QuarantineRoutes
from collector.analyst.tokens import Tokens
from collector.catalogue.declarations import Declarations, read_declarations
from collector.catalogue.kinds import Kinds
from collector.clock import Clock, SystemClock
from collector.count.filter import DAY_S, SharedMemory
from collector.count.marks import Marks
from collector.disk import DISK
from collector.door.caller import Callers
from collector.door.receive import Receiver
from collector.door.server import BACKLOG, Door
from collector.door.tally import Tally
from collector.errors import Code, Misconfigured, Unavailable
from collector.inherited import Inherited
from collector.loader import FROZEN, Loader
from collector.log import log, loop_exception_handler, web_logger
from collector.metrics import Metrics
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.region import Region
from collector.reduce.sender import Senders
from collector.settings import Settings
from collector.spool.appender import Appender
from collector.spool.reader import SpoolReader
from collector.spool.room import Room
from collector.spool.seen import Seen
from collector.spool.segment import Life, recover, segment_name, worker_folder
from collector.spool.writer import SpoolWriter, keep_layout
from collector.stats.answer import Answers
from collector.warehouse.embedded import open_embedded
from collector.warehouse.engine import Engine
from collector.warehouse.reading import Reading
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing

Result = TypeVar("Result")

LOAD_EVERY_S = 0.2
CONNECT_PATIENCE_S = 5.0  # at start; a server that is slower than this is connected to while others are served
WRONG_PAUSE_S = 10.0
UPKEEP_EVERY_S = 30.0
OLD_DAYS = 365  # networks move: a country database is worth replacing once a year
SHUTDOWN_S = 5.0
MB = 1_000_000
DATABASE = "clickhouse"
SPOOL = "spool"
IDS = "ids.sqlite"
_GEO = Path(__file__).parent / "_web" / "geo" / "country.mmdb"


def run_child(role: str, inherited: Inherited) -> None:
    """Run one child process of the supervisor until it is told to stop: an ingest worker or the warehouse."""
    settings = inherited.settings()
    clock = SystemClock()
    inherited.end_with_supervisor()
    main = _worker if role == "worker" else _warehouse
    uvloop.run(main(settings, inherited, clock))


async def _worker(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """An ingest worker: the public port, reduction, marks, and its own directory of the spool."""
    stop = _stop_signal()
    declarations = read_declarations()
    memory = SharedMemory(inherited.memory_fd)
    folder = worker_folder(settings.data / SPOOL, inherited.worker)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with DISK.owned(folder, wait=True):
        if cut := recover(DISK, folder):
            log.warning("torn write cut", worker=inherited.worker, bytes=cut)
        metrics = Metrics(declarations.kinds, Code)
        metrics.epoch(memory.epoch)
        spool = _spool(settings, inherited, declarations, memory, metrics)
        marks = Marks(declarations.layouts, memory)
        door = _door(settings, declarations, marks, spool, clock, metrics)
        gc.collect()
        gc.freeze()  # what is built now lives as long as the process: no collection needs to look at it again
        await door.open(inherited.listener())
        upkeep = asyncio.create_task(_keep_up(marks, memory, metrics, clock))
        log.info("accepting events", worker=inherited.worker)
        await stop.wait()
        upkeep.cancel()
        await door.close()
        spool.close()


def _spool(
    settings: Settings, inherited: Inherited, declarations: Declarations, memory: SharedMemory, metrics: Metrics
) -> SpoolWriter:
    spool = settings.data / SPOOL
    life = Life(int(inherited.node, 16), memory.epoch)
    keep_layout(DISK, spool, declarations.layouts, declarations.digest)
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


def _door(
    settings: Settings, declarations: Declarations, marks: Marks, spool: SpoolWriter, clock: Clock, metrics: Metrics
) -> Door:
    tally = Tally(metrics)
    platforms = Platforms()
    platforms.warm()
    region = region_of(settings)
    if region.age_days is not None and region.age_days > OLD_DAYS:
        log.warning("the country database is old", days=region.age_days)
    receiver = Receiver(
        callers=Callers(settings.trusted_proxies, settings.forwarded_header),
        kinds=Kinds(declarations, settings.registry),
        reducer=Reducer(declarations, settings.registry, Senders(region, platforms)),
        marks=marks,
        spool=spool,
        clock=clock,
        tally=tally,
    )
    return Door(
        receiver, settings.registry, tally, public_hosts=settings.public_hosts, keepalive_s=settings.keepalive_s
    )


def check_settings(settings: Settings) -> None:
    """Say before anything starts what would stop a process that starts: raises Misconfigured."""
    region_of(settings)
    if settings.clickhouse is not None:
        Server(settings.clickhouse).close()


def region_of(settings: Settings) -> Region:
    """The countries of these settings' database, opened; raises Misconfigured if it cannot be used."""
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


async def _warehouse(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """The warehouse process: the engine, the loader in one thread of it, questions in another, the analyst port."""
    stop = _stop_signal()
    declarations = read_declarations()
    metrics = Metrics(declarations.kinds, Code)
    with (
        engine_of(settings) as engine,
        ThreadPoolExecutor(1, "load") as loading,
        ThreadPoolExecutor(1, "ask") as asking,
    ):
        writing = Writing(engine, detached=metrics.detached)
        await _connect(writing, loading)
        life = Life(int(inherited.node, 16), inherited.epoch)
        loader = loader_of(settings.data, life, declarations, writing, clock, metrics)
        answers = answers_of(settings, declarations, engine, clock)
        tokens = Tokens(settings.data, settings.analyst_token)

        quarantine = QuarantineRoutes(loader, _in_thread(loading)).routes()
        app = build_app(answers, tokens, metrics.exposition, _in_thread(asking), quarantine)
        async with _analyst_port(app, inherited):
            load = asyncio.create_task(_load(loader, loading))
            load.add_done_callback(lambda _: stop.set())  # a loader that fails ends the process, and another is started
            log.info("answering analysts")
            await stop.wait()
            load.cancel()
            engine.cancel()


def engine_of(settings: Settings) -> AbstractContextManager[Engine]:
    """The engine of these settings, open for the block; of a server nothing is wanted yet."""
    if settings.clickhouse is None:
        return open_embedded(settings.data / DATABASE)
    return closing(Server(settings.clickhouse))


def _in_thread(thread: ThreadPoolExecutor) -> RunBlocking:
    def run(ask: Callable[[], Result]) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(thread, ask)

    return run


async def _connect(writing: Writing, loading: ThreadPoolExecutor) -> None:
    """Let the database be looked at before anything is answered; raises Misconfigured if it is the wrong one.

    One that is away, or does not answer for long, is waited for while events are received.
    """
    try:
        async with asyncio.timeout(CONNECT_PATIENCE_S):
            await asyncio.get_running_loop().run_in_executor(loading, writing.connect)
    except (Unavailable, TimeoutError) as away:
        log.warning("the database is away: events wait in the spool", reason=str(away) or "it does not answer")


def reader_of(data: Path, declarations: Declarations) -> SpoolReader:
    """What reads the spool of a data directory."""
    return SpoolReader(DISK, data / SPOOL, declarations.layouts, declarations.digest)


def loader_of(
    data: Path, life: Life, declarations: Declarations, writing: Writing, clock: Clock, metrics: Metrics
) -> Loader:
    """What loads the spool of a data directory; used by one thread."""
    return Loader(
        data,
        life=life,
        reader=reader_of(data, declarations),
        seen=Seen(data / IDS),
        writing=writing,
        clock=clock,
        metrics=metrics,
    )


def answers_of(settings: Settings, declarations: Declarations, engine: Engine, clock: Clock) -> Answers:
    """What answers questions from an engine; used by one thread."""
    reading = Reading(engine)
    return Answers(declarations, settings.registry, reading, clock, settings.live_fold_s)


@asynccontextmanager
async def _analyst_port(app: web.Application, inherited: Inherited) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app, access_log=None, logger=web_logger, keepalive_timeout=15, max_line_size=8190, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    await web.SockSite(runner, inherited.listener(), backlog=BACKLOG).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _load(loader: Loader, loading: ThreadPoolExecutor) -> None:
    """Load what is ready, again at once while there is more."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            if not await loop.run_in_executor(loading, loader.load_ready):
                await asyncio.sleep(LOAD_EVERY_S)
        except Misconfigured as wrong:  # after it was away: no reason to stop receiving
            log.critical("the database is not as it must be: events wait in the spool", rule=str(wrong))
            await asyncio.sleep(WRONG_PAUSE_S)


def _stop_signal() -> asyncio.Event:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_exception_handler)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
