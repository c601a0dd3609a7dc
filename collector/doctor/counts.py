"""What the doctor looks at of what waits to be counted, and of what cannot be: spool, frozen batches, quarantine.

From the files themselves, so that it says the same whether a collector runs or not. Nothing is changed or loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from collector.disk import Disk
from collector.doctor.line import Line, fail, ok, warn
from collector.errors import Corrupt, Misconfigured
from collector.spool.reader import SpoolReader
from collector.warehouse.batch import FROZEN, SUFFIX, Frozen, read_frozen
from collector.warehouse.restoring import unfinished

BEHIND_S, FAR_BEHIND_S = 300, 3600
OLD_DAYS = 365  # networks move


def spool(data: Path, reader: SpoolReader, now_s: float) -> Line:
    """What waits for the database, and for how long."""
    segments = reader.segments()
    events = sum(map(reader.events_in, segments))
    paths = [segment.path for segment in segments if segment.closed]
    paths += [data / FROZEN / name for name in reader.disk.names(data / FROZEN) if name.endswith(SUFFIX)]
    oldest_s = max((now_s - at for at in _written(reader.disk, paths)), default=0.0)
    frozen = len(paths) - sum(segment.closed for segment in segments)
    if not segments and not paths:
        return ok("spool", "nothing waits")
    tells = f"{events:,} events in {len(segments)} segments, {frozen} frozen files, the oldest since {oldest_s:,.0f} s"
    todo = "Is the database away, or too slow? Nothing is lost before the disk is full."
    if oldest_s > FAR_BEHIND_S:
        return fail("spool", tells, todo)
    return warn("spool", tells, todo) if oldest_s > BEHIND_S else ok("spool", tells)


def quarantine(names: list[str]) -> Line:
    """What was set aside."""
    if names:
        todo = "collector quarantine list: its events are not counted before you decide."
        return warn("quarantine", f"{len(names)} files are set aside", todo)
    return ok("quarantine", "nothing is set aside")


def frozen_files(disk: Disk, data: Path) -> Iterator[Frozen | None]:
    """The files of batches that wait; None for one that is damaged."""
    for name in disk.names(data / FROZEN):
        if name.endswith(SUFFIX):
            try:
                yield read_frozen(disk, data / FROZEN / name)
            except (Corrupt, FileNotFoundError) as error:
                if isinstance(error, Corrupt):
                    yield None


def restoring(disk: Disk, data: Path) -> Line:
    """Whether a restore was begun and not ended."""
    todo = "collector restore FILE, with the same file: it goes on where it was."
    try:
        if unfinished(disk, data) is None:
            return ok("restore", "none is under way")
    except Misconfigured as wrong:
        return fail("restore", str(wrong), "Begin again with a new data directory.")
    return fail("restore", "one was begun and did not end: answers about sealed days lack counts", todo)


def country_database(age_days: int | None) -> Line:
    """How old the networks are that countries are told by."""
    if age_days is None:
        return warn("countries", "there is no database: every country is (unknown)", "Name one with --geoip-db.")
    tells = f"the database is {age_days:,} days old"
    if age_days > OLD_DAYS:
        return warn("countries", tells, "Networks move: name a newer one with --geoip-db.")
    return ok("countries", tells)


def _written(disk: Disk, paths: list[Path]) -> Iterator[float]:
    for path in paths:
        with suppress(FileNotFoundError):  # loaded meanwhile
            yield disk.modified_s(path)
