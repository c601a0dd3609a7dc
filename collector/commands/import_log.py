"""`collector import-log`: its options, and what is said while it reads and at its end.

It reads, counts and folds in this process (tools/import_log/), and has the days sealed by the running collector or,
while none runs, here (seal.py), exactly as the collector's own.
"""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Any

import click

from collector.catalogue.declarations import read_declarations
from collector.clock import SystemClock
from collector.commands.common import plainly, read, settings_options
from collector.commands.seal import seal_now
from collector.data_folder import hold
from collector.disk import DISK
from collector.errors import Misconfigured
from collector.log import configure
from collector.settings import Settings
from collector.tools.import_log.counting import Counting
from collector.tools.import_log.hits import TELLS, Hits, excluded_by
from collector.tools.import_log.run import ImportLog, Told
from collector.worker import judge_of

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import-log")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--site", metavar="ID", help="Whose hits they are, of several sites, where lines do not name hosts.")
@settings_options("config", "data", "analyst", "geoip_db", "clickhouse")
@plainly
def import_log(files: tuple[Path, ...], site: str | None, **flags: str | None) -> None:
    """Count the page hits of access logs of nginx or Apache (combined or vhost_combined, also .gz), for days gone by.

    They are judged, scrubbed and counted as the door does it, under keys of this process, and their days are sealed at
    once. Give all files of a time together: rotated logs share days. Never import what a beacon or pixel has counted.

    A page hit is a GET answered 2xx or 304, of no style, script, image, font or robots.txt; [import_log] in the
    configuration excludes paths and networks. Days that are not over (UTC) are left for the next time, and days of more
    than 25 months ago are left out. What was imported is known by its content, also renamed, packed or grown: importing
    it twice changes nothing, and an interrupted import goes on where it was.

    The threshold holds for each import by itself: of a day that two imports share, each names only its own crowds.
    """
    settings = read(flags)
    configure("warning")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process's memory holds addresses: none on disk
    gc.disable()  # nothing made here is a cycle, and there is much of it: a tenth of the time (measured)
    if not (settings.data / "lock").exists():
        hold(settings.data).release()
    declarations = read_declarations()
    excluded = excluded_by(settings.text)
    bar: Any
    with click.progressbar(length=1000, label="reading") as bar:

        def advance(done: int, of: int) -> None:
            bar.update(1000 * done // max(of, 1) - bar.pos)

        importing = ImportLog(
            disk=DISK,
            data=settings.data,
            declarations=declarations,
            hits=Hits(settings.registry, site, excluded),
            counting=lambda epoch: Counting(declarations, judge_of(settings, declarations), epoch),
            setup=f"{site}\n{excluded}",
            seal=lambda: _seal(settings, analyst_given=bool(flags["analyst"])),
            clock=SystemClock(),
            notice=lambda sentence: click.echo(sentence, err=True),
            advance=advance,
        )
        try:
            told = importing.run(files)
        except OSError as error:
            raise Misconfigured(f"the data in {settings.data} cannot be written: {error.strerror}") from error
    click.echo("\n".join(summary(told)) if told else "Nothing is new: nothing was counted.")


def summary(told: Told) -> list[str]:
    """What became of the lines, as text."""
    counted = told.tally["counted"]
    when = f"  on {told.days[0]} to {told.days[-1]}, days: {len(told.days)}" if told.days else ""
    lines = [f"read      {told.tally.total():>11,}  lines", f"counted   {counted:>11,}  page hits{when}"]
    left = [(reason, told.tally[reason]) for reason in TELLS if told.tally[reason]]
    lines += [f"left out  {events:>11,}  {reason}: {TELLS[reason]}" for reason, events in left]
    if counted:
        lines.append(f"Sealed as node {told.node}. The threshold holds for this import by itself.")
    return lines


def _seal(settings: Settings, *, analyst_given: bool) -> None:
    try:
        seal_now(settings, analyst_given=analyst_given, node=None)
    except Misconfigured as wrong:
        raise Misconfigured(f"{wrong}. Everything is read: the same command again finishes it") from None
