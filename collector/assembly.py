"""Where the objects meet: what a worker, the warehouse process and an offline question are made of.

The only place besides cli.py that reads settings. Nothing here decides anything; it builds, connects, waits for the
signal to stop, and takes apart in the reverse order.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import uvloop
from aiohttp import web

from collector.analyst.api import body_of, build_app
from collector.analyst.tokens import Tokens
from collector.catalogue.declarations import Declarations, read_declarations
from collector.catalogue.kinds import Kinds
from collector.clock import Clock, SystemClock
from collector.count.filter import DAY_S, SharedMemory
from collector.count.marks import Marks
from collector.data_folder import DataFolder
from collector.door.caller import Callers
from collector.door.receive import Receiver
from collector.door.server import BACKLOG, Door
from collector.door.tally import Tally
from collector.errors import Code, Misconfigured, Unavailable
from collector.inherited import Inherited
from collector.loader import Loader
from collector.log import log, loop_exception_handler, web_logger
from collector.metrics import Metrics
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.region import Region
from collector.reduce.sender import Senders
from collector.settings import Settings
from collector.spool.segment import owned, recover, segment_name, worker_folder
from collector.spool.writer import SpoolWriter
from collector.stats.answer import Answers
from collector.stats.question import BadQuestion
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.reading import Reading
from collector.warehouse.tables import create_tables

Result = TypeVar("Result")

LOAD_EVERY_S = 0.2
UPKEEP_EVERY_S = 30.0
OLD_DAYS = 365  # networks move: a country database is worth replacing once a year
SHUTDOWN_S = 5.0
ANALYSTS_GRACE_S = 0.25
OWNED_POLL_S = 0.005  # a place is empty so long at most while its directory changes hands
DATABASE = "clickhouse"
SPOOL = "spool"
_GEO = Path(__file__).parent / "_web" / "geo" / "country.mmdb"


def run_child(role: str, inherited: Inherited) -> None:
    """Run one child process of the supervisor until it is told to stop: an ingest worker or the warehouse."""
    settings = inherited.settings()
    clock = SystemClock()
    inherited.end_with_supervisor()
    main = _worker if role == "worker" else _warehouse
    uvloop.run(main(settings, inherited, clock))


def answer_offline(settings: Settings, folder: DataFolder, report: str, parameters: dict[str, str]) -> bytes:
    """The body that answers a question while no server runs; what is spooled is loaded first. Raises Misconfigured."""
    declarations = read_declarations()
    os.environ["TMPDIR"] = str(folder.tmp)
    folder.tmp.mkdir(mode=0o700, exist_ok=True)
    try:
        with open_embedded(folder.path / DATABASE) as engine:
            loader = _loader(folder.path, folder.node(), declarations, engine, Metrics(declarations.kinds, Code))
            while loader.load_ready():
                pass
            answers = _answers(settings, declarations, engine, SystemClock())
            return body_of(answers.ask(answers.read(report, parameters.items())))
    except BadQuestion as bad:
        raise Misconfigured(f"{bad.parameter}: {bad.rule}") from None
    except (Unavailable, OSError) as error:
        raise Misconfigured(f"the data in {folder.path} cannot be read: {type(error).__name__}") from None


async def _worker(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """An ingest worker: the public port, reduction, marks, and its own directory of the spool.

    Everything that takes time is made before it says that it is ready: then the one before it in its place is told to
    end, and gives the directory away once all it accepted is answered.
    """
    stop = _stop_signal()
    declarations = read_declarations()
    memory = SharedMemory(inherited.memory_fd)
    folder = worker_folder(settings.data / SPOOL, inherited.worker)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    metrics = Metrics(declarations.kinds, Code)
    marks = Marks(declarations.layouts, memory)
    kinds, reducer = _reduction(settings, declarations)
    gc.collect()
    gc.freeze()  # what is built now lives as long as the process: no collection needs to look at it again
    inherited.say_ready()
    async with _owned_unless(stop, folder) as is_owned:
        if not is_owned:
            return
        if cut := recover(folder):
            log.warning("torn write cut", worker=inherited.worker, bytes=cut)
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
        tally = Tally(metrics)
        receiver = Receiver(
            callers=Callers(settings.trusted_proxies, settings.forwarded_header),
            kinds=kinds,
            reducer=reducer,
            marks=marks,
            spool=spool,
            clock=clock,
            tally=tally,
        )
        door = Door(
            receiver, settings.registry, tally, public_hosts=settings.public_hosts, keepalive_s=settings.keepalive_s
        )
        await door.open(inherited.listener())
        upkeep = asyncio.create_task(_keep_up(marks, memory, metrics, clock))
        log.info("accepting events", worker=inherited.worker)
        await stop.wait()
        upkeep.cancel()
        await door.close()
        spool.close()


@asynccontextmanager
async def _owned_unless(stop: asyncio.Event, folder: Path) -> AsyncIterator[bool]:
    """Own a worker's directory for the block, as soon as it is free; False if told to stop before."""
    while not stop.is_set():
        with owned(folder, wait=False) as is_owned:
            if is_owned:
                yield True
                return
        await asyncio.sleep(OWNED_POLL_S)
    yield False


def rehearse_worker(settings: Settings) -> None:
    """Make what a worker makes before it is ready; raises Misconfigured if it cannot."""
    _reduction(settings, read_declarations())


def _reduction(settings: Settings, declarations: Declarations) -> tuple[Kinds, Reducer]:
    platforms = Platforms()
    platforms.warm()
    region = region_of(settings)
    if region.age_days is not None and region.age_days > OLD_DAYS:
        log.warning("the country database is old", days=region.age_days)
    reducer = Reducer(declarations, settings.registry, Senders(region, platforms))
    return Kinds(declarations, settings.registry), reducer


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
        open_embedded(settings.data / DATABASE) as engine,
        ThreadPoolExecutor(1, "load") as loading,
        ThreadPoolExecutor(1, "ask") as asking,
    ):
        loader = _loader(settings.data, inherited.node, declarations, engine, metrics)
        answers = _answers(settings, declarations, engine, clock)
        tokens = Tokens(settings.data, settings.analyst_token)

        def run_blocking(ask: Callable[[], Result]) -> Awaitable[Result]:
            return asyncio.get_running_loop().run_in_executor(asking, ask)

        async with _analyst_port(build_app(answers, tokens, metrics.exposition, run_blocking), inherited):
            load = asyncio.create_task(_load(loader, loading))
            load.add_done_callback(lambda _: stop.set())  # a loader that fails ends the process, and another is started
            log.info("answering analysts")
            inherited.say_ready()
            await stop.wait()
            load.cancel()
        engine.cancel()  # what is asked by now had its time to be answered


def _loader(data: Path, node: str, declarations: Declarations, engine: Embedded, metrics: Metrics) -> Loader:
    client = engine.writer()
    create_tables(client)
    return Loader(data, declarations=declarations, client=client, node=int(node, 16), metrics=metrics)


def _answers(settings: Settings, declarations: Declarations, engine: Embedded, clock: Clock) -> Answers:
    reading = Reading(engine.reader())
    return Answers(declarations, settings.registry, reading, clock, settings.live_fold_s)


@asynccontextmanager
async def _analyst_port(app: web.Application, inherited: Inherited) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app, access_log=None, logger=web_logger, keepalive_timeout=15, max_line_size=8190, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    site = web.SockSite(runner, inherited.listener(), backlog=BACKLOG)
    await site.start()
    try:
        yield
    finally:
        await site.stop()
        await asyncio.sleep(0)
        if runner.server and runner.server.connections:  # who was let in just now is about to ask
            await asyncio.sleep(ANALYSTS_GRACE_S)
        await runner.cleanup()


async def _load(loader: Loader, loading: ThreadPoolExecutor) -> None:
    """Load what is ready, again at once while there is more."""
    loop = asyncio.get_running_loop()
    while True:
        if not await loop.run_in_executor(loading, loader.load_ready):
            await asyncio.sleep(LOAD_EVERY_S)


def _stop_signal() -> asyncio.Event:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_exception_handler)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
