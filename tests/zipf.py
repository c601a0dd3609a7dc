"""How much of made-up traffic is left in named cells once its days are sealed, and that no crowd is too small.

    python -m tests.zipf [--days 30] [--visitors 1000,10000,100000] [--seed N]      a Markdown table

Marks, cells, batches, engine, sealer and fold are the real ones, under a stepped clock: each day is counted under a key
of its own, loaded into `hot` and, two days later, sealed. What is asked at the end is asked of `sealed`, in SQL.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from clickhouse_connect.driver.client import Client

from collector.cell import OTHER
from collector.count.cells import Cells
from collector.count.filter import SharedMemory
from collector.count.marks import Marks
from collector.disk import DISK
from collector.log import configure
from collector.warehouse.batch import FROZEN, freeze
from tests.loading import DECLARATIONS, Place
from tests.memory_reading import SteppedClock
from tests.sealing import DAY_S, DUE_S, FIRST_DAY, Node
from tests.storing import open_with_tables
from tests.zipf_traffic import ZipfTraffic

EPOCH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What lies in `sealed`: all events, the share of a report's events in named cells, rows named for too few."""

    events: int
    rows: int
    named: dict[str, float]
    under_k: int


def seal_days(folder: Path, *, days: int, visitors: int, seed: int) -> Sealed:
    """Count, load and seal so many days of so many visitors."""
    traffic = ZipfTraffic(DECLARATIONS, seed)
    memory = SharedMemory.create(EPOCH)
    clock = SteppedClock(FIRST_DAY * DAY_S)
    with open_with_tables(folder / "engine") as engine:
        node = Node(engine, folder / "data", clock)
        for day in range(FIRST_DAY, FIRST_DAY + days):
            clock.at = day * DAY_S
            memory.tend(clock.at)
            load_day(node.place, traffic, memory, day, visitors)
            node.begin()  # which finds what is frozen
            node.work()
        clock.at = (FIRST_DAY + days) * DAY_S + DUE_S
        for _ in range(days):
            node.work()
        client = engine.reader()
        try:
            return what_is_sealed(client)
        finally:
            client.close()


def load_day(place: Place, traffic: ZipfTraffic, memory: SharedMemory, day: int, visitors: int) -> None:
    """Have the cells of one day's events frozen, as the loader does with a group of segments."""
    marks, cells = Marks(DECLARATIONS.layouts, memory), Cells(DECLARATIONS.layouts)
    slot = memory.slot(day)
    assert slot
    for event, seeds in traffic.day(day, visitors, slot):
        cells.add(event, marks.of(event, seeds, slot), EPOCH)
    DISK.make_folder(place.data / FROZEN)
    name = [f"{place.node:016x}-1-0-{day}"]
    freeze(DISK, place.data / FROZEN, node=place.node, segments=name, days=cells.days(), events=cells.events)


def what_is_sealed(client: Client) -> Sealed:
    """One statement for the crowds that are too small, one for the shares."""
    (totals,) = client.query("SELECT sum(events), count() FROM sealed WHERE report != ''").result_rows
    (under,) = client.query(
        f"SELECT count() FROM sealed WHERE networks < {DECLARATIONS.threshold} AND ({named_condition()})"
    ).result_rows
    shares = client.query(
        f"SELECT report, sumIf(events, {named_condition()}) / sum(events) FROM sealed GROUP BY report"
    ).result_rows
    of_theirs = {report.name for report in DECLARATIONS.reports.values() if report.theirs}
    named = {name: share for name, share in shares if name in of_theirs}
    return Sealed(events=totals[0], rows=totals[1], named=named, under_k=under[0])


def named_condition() -> str:
    """Whether a row of `sealed` names a value of theirs: which columns hold theirs is declared per report."""
    conditions = []
    for report in DECLARATIONS.reports.values():
        columns = [f"d{place}" for place in range(report.ours + 1, len(report.by) + 1)]
        if columns:
            any_named = " OR ".join(f"{column} != '{OTHER}'" for column in columns)
            conditions.append(f"report = '{report.name}' AND ({any_named})")
    return " OR ".join(f"({condition})" for condition in conditions)


@click.command()
@click.option("--days", default=30, show_default=True)
@click.option("--visitors", default="1000,10000,100000", show_default=True, help="A day, separated by commas.")
@click.option("--seed", default=20261125, show_default=True)
def main(days: int, visitors: str, seed: int) -> None:
    """Seal days of made-up traffic, and print what is left in named cells."""
    configure("critical")
    sizes = [int(size) for size in visitors.split(",")]
    results = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            results.append(seal_days(Path(folder), days=days, visitors=size, seed=seed))
    lines = [["report", *(f"{size:,} a day" for size in sizes)], ["---"] * (len(sizes) + 1)]
    lines += [[name, *(f"{100 * each.named[name]:.1f} %" for each in results)] for name in sorted(results[-1].named)]
    lines.append(["rows", *(f"{each.rows:,}" for each in results)])
    lines.append([f"rows named for under {DECLARATIONS.threshold}", *(str(each.under_k) for each in results)])
    for line in lines:
        click.echo(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main()
