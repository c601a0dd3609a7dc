"""Cells, batches of them, and an engine with its tables to put them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from collector.cell import CellKey, Counters
from collector.disk import DISK
from collector.warehouse.batch import Batch, freeze
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.tables import create_tables

DAY = 20_700
DAY_S = 86_400


@contextmanager
def open_with_tables(folder: Path) -> Iterator[Embedded]:
    """An engine with its tables; a process can have one folder open at a time, so a module of tests opens one."""
    with open_embedded(folder) as engine:
        create_tables(engine.writer())
        yield engine


def cell(report: str, *values: str, hour: int = 0, epoch: int = 1, site: str = "www") -> CellKey:
    return CellKey(report, site, DAY * DAY_S + hour * 3600, values, epoch)


def pages(count: int) -> dict[CellKey, Counters]:
    return {cell("pages", f"/page/{n}"): Counters(events=1, visitors=1, networks=1, firsts=1) for n in range(count)}


def batch_of(
    folder: Path, node: int, cells: Mapping[CellKey, Counters], *, events: int | None = None, segment: str = "s-0-1-1"
) -> Batch:
    events = sum(counters.events for counters in cells.values()) if events is None else events
    (batch,) = freeze(DISK, folder, node=node, segments=[segment], days={DAY: cells}, events={DAY: events}).batches
    return batch
