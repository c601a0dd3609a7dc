"""Where the objects meet: what the warehouse process is made of, and what offline.py needs.

The only place besides the commands and worker.py that reads settings. Nothing here decides anything; it builds,
connects, waits for the signal to stop, and takes apart in the reverse order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from collector.analyst.api import build_app
from collector.analyst.askers import Askers
from collector.analyst.backup import BackupRoutes
from collector.analyst.doctor import DoctorRoutes
from collector.analyst.live import Live
from collector.analyst.port import open_port
from collector.analyst.readiness import Readiness
from collector.analyst.sign_in import SignIn
from collector.analyst_port import answer_last, in_thread, routes_for_admins, routes_for_readers
from collector.catalogue.declarations import Declarations, read_declarations
from collector.clock import Clock
from collector.count.minutes import LastMinutes
from collector.disk import DISK
from collector.doctor.examine import Patient, Running, examine
from collector.doctor.line import as_json
from collector.errors import Code, Misconfigured, Unavailable
from collector.ledger import ledger_of
from collector.loader import Loader
from collector.log import log
from collector.metrics import Metrics
from collector.named_files import region_of
from collector.processes.inherited import Inherited
from collector.sealer import Sealer
from collector.settings import Settings
from collector.spool.reader import SpoolReader
from collector.spool.seen import Seen
from collector.spool.segment import Life
from collector.stats.answer import Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from collector.warehouse.backing_up import backup_of, imported
from collector.warehouse.embedded import open_embedded
from collector.warehouse.engine import Engine
from collector.warehouse.folding import Folding
from collector.warehouse.reading import Reading
from collector.warehouse.restoring import RESTORING
from collector.warehouse.seals import Seals
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from collector.worker import MB, SPOOL, stop_signal

Result = TypeVar("Result")

LOAD_EVERY_S = 0.2
CONNECT_PATIENCE_S = 5.0  # at start; a server that is slower than this is connected to while others are served
WRONG_PAUSE_S = 10.0
DATABASE = "clickhouse"
IDS = "ids.sqlite"
SHOWN = "shown.sqlite"


async def work(settings: Settings, inherited: Inherited, clock: Clock) -> None:
    """The warehouse process: the engine, loader and sealer in one thread, questions in another, the analyst port."""
    stop = stop_signal()
    declarations = read_declarations()
    metrics = Metrics(declarations.kinds, Code)
    metrics.started("warehouse")
    if (settings.data / RESTORING).exists():
        log.error("a restore did not end: answers about sealed days lack counts")
    with (
        engine_of(settings) as engine,
        open_days_of(settings, declarations, clock) as open_days,
        ThreadPoolExecutor(1, "load") as loading,
        ThreadPoolExecutor(1, "ask") as asking,
        ThreadPoolExecutor(1, "sign in") as signing_in,
        ThreadPoolExecutor(1, "back up") as backing_up,
    ):
        writing = writing_of(engine, declarations, metrics)
        await _connect(writing, loading)
        life = Life(int(inherited.node, 16), inherited.epoch)
        loader = loader_of(settings.data, life, declarations, writing, clock, metrics)
        sealer = sealer_of(settings.data, life, declarations, writing, clock, metrics, open_days)
        answers = answers_of(settings, declarations, engine, clock, open_days)
        askers = Askers(settings.data, settings.analyst_token, clock, settings.trusted_proxies)

        running = Running(epoch=life.epoch, key_day=metrics.told_key_day)
        patient = patient_of(settings, declarations, engine, life.node, clock, running)
        asked: set[asyncio.Future[Any]] = set()
        live = Live(LastMinutes(inherited.minutes_fd), settings.registry.knows, clock, stop)
        routes = [
            *routes_for_readers(settings, declarations, ledger_of(declarations, metrics.series()), live),
            *SignIn(askers, clock, in_thread(signing_in, asked)).routes(),
            *routes_for_admins(loader, sealer, in_thread(loading, asked)),
            *DoctorRoutes(lambda: as_json(examine(patient)), in_thread(loading, asked)).routes(),
            *BackupRoutes(lambda: backup(settings, declarations, engine, clock), in_thread(backing_up, asked)).routes(),
            Readiness(Reading(engine).look, in_thread(asking, asked)).route(),
        ]
        app = build_app(answers, askers, metrics.exposition, in_thread(asking, asked), routes)
        async with open_port(app, inherited.listener()) as runner:
            load = asyncio.create_task(_load(loader, sealer, loading))
            load.add_done_callback(lambda _: stop.set())  # a loader that fails ends the process, and another is started
            log.info("answering analysts")
            inherited.say_ready()
            await stop.wait()
            load.cancel()
            await answer_last(runner, asked)
            engine.cancel()


def backup(settings: Settings, declarations: Declarations, engine: Engine, clock: Clock) -> Iterator[bytes]:
    """The bytes of a backup of all that is sealed, and of what was imported; raises Misconfigured amid a restore."""
    if (settings.data / RESTORING).exists():
        raise Misconfigured("a restore did not end here, and a backup would lack counts: restore the same file again")
    return backup_of(engine, declarations, clock, lambda: imported(DISK, settings.data))


def patient_of(
    settings: Settings,
    declarations: Declarations,
    engine: Engine | None,
    node: int,
    clock: Clock,
    running: Running | None,
) -> Patient:
    """What the doctor examines (doctor/examine.py); through a connection of its own, that makes nothing."""
    return Patient(
        data=settings.data,
        quota_bytes=int(settings.spool_mb * MB),
        clock=clock,
        began_s=clock.now() - time.monotonic(),
        declarations=declarations,
        country=lambda: region_of(settings).age_days,
        reader=reader_of(settings.data, declarations),
        seals=Seals(Writing(engine, makes=False)) if engine else None,
        node=node,
        running=running,
    )


def engine_of(settings: Settings) -> AbstractContextManager[Engine]:
    """The engine of these settings, open for the block; of a server nothing is wanted yet."""
    if settings.clickhouse is None:
        return open_embedded(settings.data / DATABASE)
    return closing(Server(settings.clickhouse))


@contextmanager
def engine_to_look_at(settings: Settings) -> Iterator[Engine | None]:
    """The engine of these settings for who makes nothing there; None where none was opened yet in this directory."""
    if settings.clickhouse is not None:
        with closing(Server(settings.clickhouse, makes=False)) as server:
            yield server
    elif (settings.data / DATABASE).is_dir():
        with open_embedded(settings.data / DATABASE) as embedded:
            yield embedded
    else:
        yield None


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


def writing_of(engine: Engine, declarations: Declarations, metrics: Metrics) -> Writing:
    """What writes to an engine; used by one thread."""
    folding = Folding(declarations.reports, declarations.threshold)
    return Writing(engine, folding=folding, detached=metrics.detached)


def sealer_of(
    data: Path,
    life: Life,
    declarations: Declarations,
    writing: Writing,
    clock: Clock,
    metrics: Metrics,
    open_days: OpenDays,
) -> Sealer:
    """What seals the days of a data directory's node; used by the loader's thread."""
    reader = reader_of(data, declarations)
    return Sealer(
        data,
        node=life.node,
        reader=reader,
        seals=Seals(writing, open_days.finish),
        forget=open_days.forget,
        clock=clock,
        metrics=metrics,
    )


@contextmanager
def open_days_of(settings: Settings, declarations: Declarations, clock: Clock) -> Iterator[OpenDays]:
    """What is shown of days that are not sealed, for the block; used by the thread that asks and the one that seals."""
    with closing(ShownFile(settings.data / SHOWN, clock)) as file:
        yield OpenDays(file, declarations.threshold, settings.live_fold_s)


def answers_of(
    settings: Settings, declarations: Declarations, engine: Engine, clock: Clock, open_days: OpenDays
) -> Answers:
    """What answers questions from an engine; used by one thread."""
    return Answers(declarations, settings.registry, Reading(engine), clock, open_days)


async def _load(loader: Loader, sealer: Sealer, loading: ThreadPoolExecutor) -> None:
    """Load what is ready, again at once while there is more; where there is nothing, seal what is due."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            if not await loop.run_in_executor(loading, loader.load_ready):
                await loop.run_in_executor(loading, sealer.run)
                await asyncio.sleep(LOAD_EVERY_S)
        except Misconfigured as wrong:  # after it was away: no reason to stop receiving
            log.critical("the database is not as it must be: events wait in the spool", rule=str(wrong))
            await asyncio.sleep(WRONG_PAUSE_S)
