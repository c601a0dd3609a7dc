"""All that the doctor looks at, in the order it tells: the machine, what runs, what waits, the database.

Called in the thread that loads: by the warehouse process for who asks at the analyst port, by offline.py while no
collector runs. It changes nothing, but for the file of 4 KB that is written and removed: no table is made or migrated.
Where the engine is inside, offline.py opens it, and an open engine tends its own files (DATA/clickhouse, DATA/tmp).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from collector.catalogue.declarations import Declarations, read_declarations
from collector.clock import Clock
from collector.doctor import counts, database, machine
from collector.doctor.line import Line, fail, ok, warn
from collector.errors import Misconfigured
from collector.quarantine import Quarantine
from collector.spool.reader import SpoolReader
from collector.warehouse.batch import FROZEN
from collector.warehouse.seals import Seals

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What is known of a collector that runs: its epoch, and of which day its workers say that a key is in force."""

    epoch: int
    key_day: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined.

    began_s     now less the monotonic clock, when this process began
    country     how old the country database is, in days; raises Misconfigured
    seals       through a connection of the doctor's own, that makes nothing; None: there is no database yet
    """

    data: Path
    quota_bytes: int
    clock: Clock
    began_s: float
    declarations: Declarations
    country: Callable[[], int | None]
    reader: SpoolReader
    seals: Seals | None
    node: int
    running: Running | None


def examine(patient: Patient) -> list[Line]:
    """One line for each thing that was looked at."""
    return list(_lines(patient))


def _lines(patient: Patient) -> Iterator[Line]:
    data, disk, now_s = patient.data, patient.reader.disk, patient.clock.now()
    yield _version(patient.declarations)
    yield machine.clock(now_s, patient.began_s, is_kept=machine.kernel_keeps_time())
    yield _key(patient.running, now_s)
    yield machine.room(disk, data, data / "spool", data / FROZEN, patient.quota_bytes)
    yield machine.sync_time(disk, data)
    yield machine.limits(runs=patient.running is not None)
    yield machine.file_modes(data)
    yield _country(patient)
    yield counts.spool(data, patient.reader, now_s)
    yield counts.quarantine(list(Quarantine(patient.reader, data).names()))
    yield counts.restoring(disk, data)
    yield from database.examined(patient.seals, counts.frozen_files(disk, data), patient.node, patient.clock)


def _version(declarations: Declarations) -> Line:
    """Whether what runs is what is on disk, as far as declarations tell."""
    tells = f"collector {version('collector')}, declarations {declarations.digest}"
    try:
        on_disk = read_declarations().digest
    except Misconfigured as wrong:
        return fail("version", f"{tells}; those on disk cannot be read: {wrong}", "Install it anew: no start succeeds.")
    if on_disk != declarations.digest:
        return warn("version", f"{tells}; on disk are {on_disk}", "Reload it (SIGHUP): the version on disk is another.")
    return ok("version", tells)


def _key(running: Running | None, now_s: float) -> Line:
    """Whether a key of today is in force: without it nobody is new, and visitors are not counted."""
    if running is None:
        return ok("day key", "no collector runs here: there is none")
    day, today = running.key_day(), int(now_s) // DAY_S
    if day == today:
        return ok("day key", f"epoch {running.epoch}, today's key is in force")
    todo = "Workers tell it twice a minute; if it stays so, the clock was set back: set it right, then restart."
    if day == 0:
        return fail("day key", f"epoch {running.epoch}, no key of today is in force: visitors are not counted", todo)
    return warn("day key", f"epoch {running.epoch}, the key in force is {today - day} days older than today", todo)


def _country(patient: Patient) -> Line:
    try:
        return counts.country_database(patient.country())
    except Misconfigured as wrong:
        return fail("countries", str(wrong), "No start succeeds with it: name another with --geoip-db.")
