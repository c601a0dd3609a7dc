"""`make bench`: the collector beside a bare aiohttp application or another commit of itself, and by itself.

In rounds, each side in turns, under the same loads (rounds.py); then, unless it is compared with a commit, two workers,
memory over millions of hits (growth.py), and what the database takes (database.py). One table, JSON if wanted, and a
history file that shows a trend (figures.py).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson

from collector.tools.bench.contender import Unusable, Version, bare, collector, with_countries
from collector.tools.bench.database import load_backlog, store
from collector.tools.bench.earlier import NoSuchVersion, checked_out
from collector.tools.bench.figures import (
    TWO_WORKERS,
    Figure,
    compared,
    history,
    of_database,
    of_growth,
    of_workers,
    remember,
    table,
)
from collector.tools.bench.growth import grow
from collector.tools.bench.load import CONNECTIONS
from collector.tools.bench.machine import APPENDS, described, fdatasync_ms, file_system, real_disk
from collector.tools.bench.rounds import AFTERMATH_S, BATCH, HITS, WARM_UP_S, Runs, Start, pace, rounds

WRK_IS_THE_LIMIT = 0.9
NOW, BARE = "collector", "bare"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--against", metavar="COMMIT", help="Compare with the collector of that commit instead of with bare.")
@click.option("--rounds", "count", default=4, show_default=True, type=click.IntRange(min=1), help="In turns.")
@click.option("--seconds", default=8, show_default=True, type=click.IntRange(min=1), help="Length of one load.")
@click.option(
    "--hits", default=5_000_000, show_default=True, help="For memory; 0: only the rounds, no database either."
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write everything here, too."
)
@click.option(
    "--history", "history_file", type=click.Path(path_type=Path, dir_okay=False), help="Add a line, show those before."
)
def main(
    *, against: str | None, count: int, seconds: int, hits: int, json_file: Path | None, history_file: Path | None
) -> None:
    """Measure the collector against a bare aiohttp application, in turns, and say how it compares.

    Exit status 1 if no figure can be given: a program is missing, or a round was void.
    """
    if shutil.which("wrk") is None:
        raise click.ClickException("the load is made by wrk, which is not installed; on Debian: apt install wrk")
    folder = real_disk()
    if folder is None:
        raise click.ClickException("every temporary folder lies in memory; set TMPDIR to one on a disk")
    machine, disk = described(), _disk(folder)
    click.echo(_told(seconds, machine, disk))
    before = history(history_file) if history_file else []
    try:
        found, figures = _measured(folder, against, count, seconds, hits)
    except (Unusable, NoSuchVersion) as error:
        raise click.ClickException(str(error)) from None
    click.echo("\n" + table(figures, before))
    if history_file:
        remember(history_file, figures, at=datetime.now(UTC).isoformat(timespec="seconds"), cores=machine["cores"])
    if json_file:
        _write(json_file, {"machine": machine, "disk": disk}, found, figures)
    if len(found) < count:
        click.echo(f"{count - len(found)} of {count} rounds were void", err=True)
        sys.exit(1)


def _measured(
    folder: Path, against: str | None, count: int, seconds: int, hits: int
) -> tuple[list[dict[str, Runs]], list[Figure]]:
    """Every round, and every figure."""
    now = Version(name=NOW)

    def one() -> Any:
        return collector(now, folder)

    with ExitStack() as stack:
        sides: dict[str, Start] = {NOW: one}
        if against:
            then = stack.enter_context(checked_out(against))
            other = then.name
            sides = {other: lambda: collector(then, folder), **sides}
        else:
            other = BARE
            sides = {BARE: bare, **sides, TWO_WORKERS: lambda: collector(now, folder, workers=2)}
        found = list(rounds(sides, count, seconds, pace(one)))
    if not found:
        raise Unusable("every round was void")
    figures = compared(other, NOW, found, goals=not against)
    if against:
        return found, figures
    if max(runs[BARE][HITS].load.wrk_cpu_ratio for runs in found) > WRK_IS_THE_LIMIT:
        click.echo("wrk itself was the limit: bare is faster than shown")
    figures.append(of_workers(found, NOW, len(os.sched_getaffinity(0))))
    if hits:
        growth = grow(one, hits)
        if growth.void:
            raise Unusable(f"memory: {growth.void}")
        with TemporaryDirectory(prefix="collector-bench-", dir=folder) as made_up:
            figures += [*of_growth(growth), *of_database(load_backlog(one), store(Path(made_up)))]
    return found, figures


def _disk(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "file_system": file_system(folder), "fdatasync_ms": fdatasync_ms(folder)}


def _told(seconds: int, machine: Mapping[str, str], disk: Mapping[str, Any]) -> str:
    country = "with" if with_countries() else "without"
    return f"""\
load     wrk, {CONNECTIONS} connections, {seconds} s a load after {WARM_UP_S} s of warm-up; page hits, single or {BATCH}
         in an array; 200 paths, 4 agents, 1 request in 5 from a new network
server   one worker, segments 1 s, {country} a country database
         CPU is that of the whole process tree up to {AFTERMATH_S:.0f} s after the load
disk     {disk["folder"]} ({disk["file_system"]}): 4 KB appended and made durable in {disk["fdatasync_ms"]:.2f} ms
         (fdatasync, median of {APPENDS})
machine  {", ".join(f"{name} {value}" for name, value in machine.items())}
"""


def _write(file: Path, about: dict[str, Any], found: Sequence[dict[str, Runs]], figures: Sequence[Figure]) -> None:
    """Everything as JSON: machine, disk, every run, every figure."""
    runs = [asdict(run) for round_ in found for runs in round_.values() for run in runs.values()]
    told = {figure.name: asdict(figure) | {"median": figure.value} for figure in figures}
    file.write_bytes(orjson.dumps(about | {"runs": runs, "figures": told}, option=orjson.OPT_INDENT_2))
