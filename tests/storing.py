"""Cells, batches of them, and the engines to put them in: embedded, over HTTP, and a real server where one is named."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from collector.cell import CellKey, Counters
from collector.disk import DISK
from collector.warehouse.batch import Batch, freeze
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.engine import Engine
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from tests.clickhouse_http import ClickHouseHttp
from tests.engine_choice import REAL_SERVER

DAY = 20_700
DAY_S = 86_400
ENGINES = ["embedded", "http", *(["server"] if REAL_SERVER else [])]


@contextmanager
def open_with_tables(folder: Path) -> Iterator[Embedded]:
    """An engine with its tables; a process can have one folder open at a time, so a module of tests opens one."""
    with open_embedded(folder) as engine:
        Writing(engine).connect()
        yield engine


@contextmanager
def open_engine(kind: str, folder: Path) -> Iterator[Engine]:
    """One of ENGINES with its tables; on a real server in a database of its own, dropped afterwards."""
    if kind == "embedded":
        with open_with_tables(folder / "engine") as embedded:
            yield embedded
        return
    harness = ClickHouseHttp(folder) if kind == "http" else None
    database = f"collector_test_{secrets.token_hex(4)}"
    url = harness.url(database) if harness else urlsplit(REAL_SERVER)._replace(path=f"/{database}").geturl()
    try:
        with closing(Server(url)) as server:
            Writing(server).connect()
            yield server
            server.writer().command(f"DROP DATABASE {database}")
    finally:
        if harness:
            harness.stop()


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
