"""What the commands do with a data directory while no server runs: the same as the warehouse process, in this one.

The caller holds the directory (data_folder.py). Whatever stands in the way is raised as Misconfigured, in a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from collector.analyst.api import body_of
from collector.assembly import (
    answers_of,
    backup,
    engine_of,
    engine_to_look_at,
    loader_of,
    open_days_of,
    patient_of,
    reader_of,
    sealer_of,
    writing_of,
)
from collector.catalogue.declarations import Declarations, read_declarations
from collector.clock import Clock, SystemClock
from collector.data_folder import DataFolder
from collector.disk import DISK
from collector.doctor.examine import examine
from collector.doctor.line import Line
from collector.errors import Code, Misconfigured, Unavailable
from collector.loader import Loader
from collector.metrics import Metrics
from collector.quarantine import Quarantine, Retried
from collector.sealer import Sealer
from collector.settings import Settings
from collector.spool.segment import Life
from collector.stats.refusing import BadQuestion
from collector.warehouse.engine import Engine
from collector.warehouse.restoring import Restoring, Tell, Whole, refuse_foreign
from collector.warehouse.seals import Seals, Told
from collector.warehouse.writing import Writing

Parameters = Sequence[tuple[str, str]]


def answer_offline(settings: Settings, folder: DataFolder, report: str, parameters: Parameters) -> bytes:
    """The body that answers a question; what is spooled is loaded first."""
    declarations = read_declarations()
    with _plainly(folder), engine_of(settings) as engine:
        _load_all(folder, declarations, engine)
        clock = SystemClock()
        with open_days_of(settings, declarations, clock) as open_days:
            answers = answers_of(settings, declarations, engine, clock, open_days)
            return body_of(answers.ask(answers.read(report, parameters)))


@contextmanager
def quarantine_offline(folder: DataFolder) -> Iterator[Quarantine]:
    """What is set aside, for the block; needs no engine."""
    with _plainly(folder):
        yield Quarantine(reader_of(folder.path, read_declarations()), folder.path)


def retry_offline(settings: Settings, folder: DataFolder, name: str) -> Retried:
    """Load batches that were set aside again; raises NotKept, too."""
    declarations = read_declarations()
    metrics = Metrics(declarations.kinds, Code)
    with _plainly(folder), engine_of(settings) as engine:
        writing = writing_of(engine, declarations, metrics)
        return loader_of(folder.path, _life(folder), declarations, writing, SystemClock(), metrics).retry(name)


def seal_offline(settings: Settings, folder: DataFolder, node: int | None) -> Told:
    """Seal what is due of this node or, of one that is gone, what is old enough; what is spooled is loaded first."""
    declarations = read_declarations()
    with _plainly(folder), engine_of(settings) as engine:
        writing = _load_all(folder, declarations, engine)
        metrics = Metrics(declarations.kinds, Code)
        clock = SystemClock()
        with open_days_of(settings, declarations, clock) as open_days:
            sealer = sealer_of(folder.path, _life(folder), declarations, writing, clock, metrics, open_days)
            return sealer.seal_due() if node is None else sealer.seal_dead(node)


@contextmanager
def backup_offline(settings: Settings, folder: DataFolder) -> Iterator[Iterator[bytes]]:
    """The bytes of a backup, piece by piece, for the block."""
    declarations = read_declarations()
    with _plainly(folder), engine_of(settings) as engine:
        writing_of(engine, declarations, Metrics(declarations.kinds, Code)).connect()
        yield backup(settings, declarations, engine, SystemClock())


def restore_offline(settings: Settings, folder: DataFolder, backup: Whole, tell: Tell) -> None:
    """Bring a backup in that was found whole; `tell` is told of its rows."""
    declarations = read_declarations()
    refuse_foreign(backup, declarations)
    with _plainly(folder), engine_of(settings) as engine:
        writing = writing_of(engine, declarations, Metrics(declarations.kinds, Code))
        writing.connect()
        Restoring(DISK, folder.path, writing).restore(backup, tell)


def examine_offline(settings: Settings, folder: DataFolder) -> list[Line]:
    """What the doctor says of a data directory; nothing is loaded, and nothing made or migrated."""
    node = int(folder.node(), 16) if (folder.path / "node").exists() else 0  # never served: it has no days yet
    with _plainly(folder), engine_to_look_at(settings) as engine:
        return examine(patient_of(settings, read_declarations(), engine, node, SystemClock(), None))


class Driven(NamedTuple):
    """What loads and what seals, for whoever decides what time it is."""

    loader: Loader
    sealer: Sealer


@contextmanager
def driven(settings: Settings, folder: DataFolder, life: Life, clock: Clock) -> Iterator[Driven]:
    """The loader and the sealer of a data directory under another clock, for the block; the database must be empty."""
    declarations = read_declarations()
    metrics = Metrics(declarations.kinds, Code)
    with _plainly(folder), engine_of(settings) as engine:
        writing = writing_of(engine, declarations, metrics)
        writing.connect()
        seals = Seals(writing)
        if seals.hot_days() or seals.sealed():
            raise Misconfigured("the database already holds counts, and made-up ones would mix with them: use another")
        loader = loader_of(folder.path, life, declarations, writing, clock, metrics)
        with open_days_of(settings, declarations, clock) as open_days:
            yield Driven(loader, sealer_of(folder.path, life, declarations, writing, clock, metrics, open_days))


def _load_all(folder: DataFolder, declarations: Declarations, engine: Engine) -> Writing:
    metrics = Metrics(declarations.kinds, Code)
    writing = writing_of(engine, declarations, metrics)
    writing.connect()
    loader = loader_of(folder.path, _life(folder), declarations, writing, SystemClock(), metrics)
    while loader.load_ready():
        pass
    return writing


def _life(folder: DataFolder) -> Life:
    return Life(int(folder.node(), 16), 0)


@contextmanager
def _plainly(folder: DataFolder) -> Iterator[None]:
    os.environ["TMPDIR"] = str(folder.tmp)
    folder.tmp.mkdir(mode=0o700, exist_ok=True)
    try:
        yield
    except BadQuestion as bad:
        raise Misconfigured(f"{bad.parameter}: {bad.rule}") from None
    except Unavailable as away:
        raise Misconfigured(f"the data cannot be read: {away}") from None
    except OSError as error:
        raise Misconfigured(f"the data in {folder.path} cannot be read: {type(error).__name__}") from None
