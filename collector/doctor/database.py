"""What the doctor asks the database, through its own connection: is it there, is it as it must be, is all sealed.

Raises nothing: what cannot be asked is a line, too. Nothing is made or changed. Called in the thread that loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.clock import Clock
from collector.doctor.line import Line, fail, ok, warn
from collector.errors import Misconfigured, NotMade, Unavailable
from collector.warehouse.batch import Frozen
from collector.warehouse.seals import Seals
from collector.warehouse.tables import DAY_S

APART_S, FAR_APART_S = 2, 60
LATE_S = 72 * 3600
AWAY = "Start it, or look at its log; events wait in the spool meanwhile, and none is lost."
NOT_MADE = "A start sees to it, where its user may (else: collector migrate). Were counts there, look where they went."

_VERSION = "SELECT version()"
_NOW = "SELECT toUnixTimestamp64Milli(now64(3)) / 1000"


def examined(seals: Seals | None, frozen: Iterable[Frozen | None], node: int, clock: Clock) -> Iterator[Line]:
    """Every line about the database; only the first where it is away, or not yet made."""
    if seals is None:
        yield warn("database", "none was made here yet", NOT_MADE)
        return
    try:
        yield in_force(seals)
        yield clocks(seals, clock)
        yield detached(seals)
        yield stopped(seals, frozen)
        yield sealed(seals, node, clock.now())
    except NotMade as yet:
        yield warn("database", str(yet), NOT_MADE)
    except Misconfigured as wrong:
        yield fail("database", str(wrong), "Events wait in the spool until it is as it must be.")
    except Unavailable as away:
        yield fail("database", f"it does not answer: {away}", AWAY)
    finally:
        seals.writing.disconnect()


def in_force(seals: Seals) -> Line:
    """Whether tables and settings are what exactly-once rests on; raises NotMade, Misconfigured, Unavailable."""
    seals.writing.connect()
    ((version,),) = seals.writing.ask(_VERSION)
    return ok("database", f"ClickHouse {version}; its tables and what every insert sets are in force")


def clocks(seals: Seals, clock: Clock) -> Line:
    """Whether database and collector agree what day it is; and whether days of the future were counted."""
    asked_s = clock.now()
    ((there_s,),) = seals.writing.ask(_NOW)
    now_s = clock.now()
    apart_s = there_s - min(max(there_s, asked_s), now_s)  # none, if it lies between the question and the answer
    ahead = [part for part in seals.hot_days() if part.day * DAY_S > now_s + DAY_S]
    if ahead:
        day = max(part.day for part in ahead) - int(now_s) // DAY_S
        todo = "The clock was set back: set it right, or wait until those days are over."
        return warn("database clock", f"days of the future are counted, up to {day} days ahead", todo)
    tells = f"it is {abs(apart_s):,.0f} s {'ahead of' if apart_s > 0 else 'behind'} the collector's"
    if abs(apart_s) > FAR_APART_S:
        return fail("database clock", tells, "Have NTP keep both: what is sealed is kept by the database's clock.")
    if abs(apart_s) > APART_S:
        return warn("database clock", tells, "Have NTP keep both clocks.")
    return ok("database clock", "it agrees with the collector's")


def detached(seals: Seals) -> Line:
    """Whether parts of the tables were put aside."""
    try:
        parts, reasons = seals.writing.detached()
    except Unavailable:
        return warn("parts", "it does not say whether any is put aside", "Let its user read system.detached_parts.")
    if parts:
        todo = "Look at system.detached_parts and at the disk; what is sealed can be had back from a backup."
        tells = f"{parts} are put aside ({', '.join(filter(None, reasons)) or 'by hand'}): answers lack what they count"
        return fail("parts", tells, todo)
    return ok("parts", "none is put aside")


def stopped(seals: Seals, frozen: Iterable[Frozen | None]) -> Line:
    """Whether a batch that waits is damaged, or has a marker in the database that tells other counts."""
    found = 0
    for file in frozen:
        if file is None or any(seals.is_contradicted(batch) for batch in file.batches):
            found += 1
    if found:
        todo = "Look before anything else: was the database put back from a copy, or do two collectors have one name?"
        return fail(
            "batches",
            f"{found} frozen files are stopped: their marker tells other counts, or the disk does not give them",
            todo,
        )
    return ok("batches", "none is stopped")


def sealed(seals: Seals, node: int, now_s: float) -> Line:
    """Up to which day this node is sealed, and whether any node's days are late."""
    through = seals.sealed()
    late = [
        part
        for part in seals.hot_days()
        if (part.day + 1) * DAY_S + LATE_S < now_s and (part.node not in through or part.day > through[part.node].day)
    ]
    if late:
        gone = sorted({f"{part.node:016x}" for part in late if part.node != node})
        todo = "collector seal says what stands in the way."
        if gone:
            todo += f" Machines that are gone for good: collector seal --node {gone[0]}"
        return fail("sealing", f"{len(late)} days are not sealed though they ended 72 hours ago", todo)
    if node not in through:
        return ok("sealing", "no day of this machine is sealed yet, and none is late")
    ago = int(now_s) // DAY_S - through[node].day
    return ok("sealing", f"all is sealed up to {ago} days ago, and no day is late")
