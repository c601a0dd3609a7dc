"""Fills a data directory as two years of life would: events day after day, counted, and sealed by the real sealer.

Cells are counted by the engine instead of by marks and loader, so that it takes minutes; fold, seal, partitions and
markers are the collector's own, under a stepped clock. The last days, which are not due, stay in `hot`. The table of
raw events lies in the same engine, beside.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from collector.assembly import SPOOL, engine_of, open_days_of, sealer_of, writing_of
from collector.catalogue.declarations import read_declarations
from collector.data_folder import hold
from collector.disk import DISK
from collector.errors import Code
from collector.metrics import Metrics
from collector.quarantine import FOLDER as QUARANTINE
from collector.settings import read_settings
from collector.spool.segment import Life
from collector.warehouse.batch import FROZEN, SEALING
from collector.warehouse.seals import Seals
from collector.warehouse.tables import HOT
from tests.memory_reading import SteppedClock
from tests.panels.events import DAY_S, HITS, TABLE, make_events
from tests.panels.reports import cells_of_day

EPOCH = 1
EVENTS_AT_ONCE = 30  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is."""

    sites: int
    days: int
    visitors: int

    @property
    def names(self) -> list[str]:
        """The properties."""
        return [f"site-{number:02}.example" for number in range(1, self.sites + 1)]


def configuration(size: Size) -> str:
    """The configuration under which a collector serves it."""
    return "".join(f'[[site]]\nid = "{name}"\nhosts = ["{name}"]\nroutes = ["/**"]\n\n' for name in size.names)


def fill(data: Path, config: Path, size: Size) -> None:
    """Make `data`, whose last day is today; one that was interrupted goes on where it was, on the same day."""
    config.write_text(configuration(size))
    settings = read_settings({"config": str(config), "data": str(data)}, {})
    declarations = read_declarations()
    today = int(time.time()) // DAY_S
    begins = today - size.days + 1
    folder = hold(data)
    folder.empty()
    os.environ["TMPDIR"] = str(folder.tmp)
    for name in (FROZEN, SEALING, QUARANTINE, SPOOL):
        DISK.make_folder(data / name)
    clock = SteppedClock(0)
    metrics = Metrics(declarations.kinds, Code)
    with engine_of(settings) as engine, open_days_of(settings, declarations, clock) as open_days:
        writing = writing_of(engine, declarations, metrics)
        seals = Seals(writing)
        filled = [part.day for part in seals.hot_days()] + [through.day for through in seals.sealed().values()]
        writing.command(TABLE)
        at_once = [] if filled else list(range(begins, today + 1, EVENTS_AT_ONCE))
        with click.progressbar(at_once, label="raw events") as days, closing(engine.writer()) as client:
            for day in days:
                make_events(client, size.names, size.visitors, day, min(day + EVENTS_AT_ONCE, today + 1))
        node = int(folder.node(), 16)
        sealer = sealer_of(data, Life(node, EPOCH), declarations, writing, clock, metrics, open_days)
        with click.progressbar(
            range(max(filled, default=begins - 1) + 1, today + 1), label="days counted and sealed"
        ) as days:
            for day in days:
                clock.at = (day + 1) * DAY_S
                cells = cells_of_day(declarations, node, day * DAY_S, EPOCH)
                events = size.sites * size.visitors * HITS
                marker = f"{node}, '', '', toDateTime({day * DAY_S}), 'made-{day}', '', '', 0, {events}, 0, 0, 0, 1"
                writing.command(f"INSERT INTO {HOT.name} {cells}\nUNION ALL\nSELECT {marker}")
                sealer.seal_due()
        writing.command("OPTIMIZE TABLE raw FINAL")
        writing.disconnect()
    folder.release()
