"""Brings a backup (backup_file.py) into a database in which nothing is sealed yet, each of its chunks exactly once.

    1. all of the file is read and checked, and whether this version can answer from it: nothing is touched before
    2. that nothing is sealed here is looked at, and DATA/restoring, durably, names the file this is now for
    3. every chunk is inserted once (insert_once.py) under a name that follows from what the file holds
    4. the sums of the database are held against the file's, and DATA/restoring goes

It is refused, before 2 and at the end, where `hot` holds a day that the file has the seal of: it would be hidden.

Killed at any point it goes on where it was when it is told to again, with the same file; with another one it refuses.
Rows keep the node that counted them, and their seals come with them: every question reads how far each node is sealed,
so they are read as sealed whatever this machine is called, and its own days are sealed as ever. What the database
would let go of at once, because it is too old to be kept, is left out. Called by offline.py, under the lock of DATA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from collector.catalogue.declarations import Declarations
from collector.disk import Disk
from collector.errors import Corrupt, Misconfigured
from collector.warehouse.backing_up import IMPORTED, RESTORED, totals
from collector.warehouse.backup_file import Frame, Header, Reader, Row, Sums, month_of
from collector.warehouse.batch import Batch
from collector.warehouse.insert_once import NotInsertable
from collector.warehouse.seals import NEVER, DayNode, Seals
from collector.warehouse.tables import DAY_S, SEALED
from collector.warehouse.writing import Writing

RESTORING = "restoring"
Tell = Callable[[int], None]

_ANY = f"SELECT count() FROM {SEALED.name}"
_TOTALS = f"""
SELECT toYYYYMM(bucket) AS month, node, sum(events), sum(visitors), sum(amount) FROM {SEALED.name}
WHERE NOT (report = '' AND property = '' AND startsWith(d1, '{RESTORED}')) GROUP BY month, node
"""
_BUCKET, _NODE = list(SEALED.columns).index("bucket"), list(SEALED.columns).index("node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A backup all of which was read, and found whole: its name, and what it holds."""

    path: Path
    name: str
    header: Header
    rows: int
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class _RestoredBatch(Batch):
    """A chunk of a backup as one insert; its marker tells the rows of the chunk, also where some are too old."""

    made: bytes

    def body(self) -> bytes:
        """The bytes to insert."""
        return self.made


def whole(path: Path, tell: Tell = lambda size_bytes: None) -> Whole:
    """Read all of a backup; raises Misconfigured, saying where, if it is damaged, and OSError."""
    try:
        with path.open("rb") as file:
            reader = Reader(file)
            for frame in reader.frames():
                tell(len(frame.raw))
    except (Corrupt, ValueError, LookupError, TypeError) as error:
        why = error if isinstance(error, Corrupt) else "it is damaged"
        raise Misconfigured(f"{path} cannot be restored: {why}. Nothing was inserted.") from error
    if reader.header is None:
        raise Misconfigured(f"{path} cannot be restored: it has no header. Nothing was inserted.")
    return Whole(path=path, name=reader.name, header=reader.header, rows=reader.rows, sums=reader.sums)


def refuse_foreign(backup: Whole, declarations: Declarations) -> None:
    """Raise Misconfigured where this version could not answer from it as the one that made it did."""
    columns = {name: kind for name, (kind, _) in SEALED.columns.items()}
    if backup.header.columns != columns:
        raise Misconfigured(f"{backup.path} is of another form of the table {SEALED.name}: use the version it is of")
    here = {report.name: list(report.by) for report in declarations.reports.values()}
    foreign = [name for name, by in backup.header.reports.items() if here.get(name) != by]
    if foreign:
        raise Misconfigured(
            f"{backup.path} has reports that are not declared here: {', '.join(sorted(foreign))}. A newer version made"
            " it: upgrade first."
        )


class Restoring:
    """Restores into one database, for the collector of one data directory."""

    def __init__(self, disk: Disk, data: Path, writing: Writing) -> None:
        self._disk = disk
        self._data = data
        self._writing = writing
        self._seals = Seals(writing)
        self._note = data / RESTORING

    def restore(self, backup: Whole, tell: Tell = lambda rows: None) -> None:
        """Bring all of it in; raises Misconfigured, Unavailable and OSError. Call it again until it returns."""
        settled = self._begin(backup)
        kept_after = self._writing.kept_after()
        with backup.path.open("rb") as file:
            chunks = 0
            for frame in Reader(file).frames():
                if frame.kind == b"I":
                    self._keep_imported(frame.unpacked())
                elif frame.kind == b"C":
                    self._insert(f"{RESTORED}{backup.name}.{chunks}", frame, kept_after)
                    chunks += 1
                    tell(frame.head["rows"])
        self._compare(backup.sums, kept_after)
        come = self._covered(backup) - settled
        _refuse_hot(come, "begin again with an empty database, while no collector writes to it")
        self._disk.unlink(self._note)
        self._disk.sync_folder(self._data)

    def _begin(self, backup: Whole) -> set[DayNode]:
        """Note what is restored; what of its days lies in `hot`, though they were sealed here, and is dropped there."""
        under_way = unfinished(self._disk, self._data)
        covered = self._covered(backup)
        if under_way is None:
            ((rows,),) = self._writing.ask(_ANY)
            if rows:
                raise Misconfigured(
                    "days are sealed here already, and would mix with those of the backup: restore into"
                    " a new data directory, or an empty database"
                )
            _refuse_hot(covered, "restore into a new data directory, or an empty database, before a collector loads")
            self._disk.write_durably(self._note, orjson.dumps({"backup": backup.name}))
        elif under_way != backup.name:
            raise Misconfigured(
                "another backup is being restored here: go on with that file, or begin with a new data directory"
            )
        else:
            sealed = self._seals.sealed()
            waits = {part for part in covered if part.day > sealed.get(part.node, NEVER).day}
            _refuse_hot(waits, "have them sealed first (collector seal), and then restore again")
        return covered

    def _covered(self, backup: Whole) -> set[DayNode]:
        """What lies in `hot` of days that the backup has the seals of."""
        through = {node: day for node, day, _ in backup.header.through}
        return {part for part in self._seals.hot_days() if part.day <= through.get(part.node, -1)}

    def _insert(self, name: str, frame: Frame, kept_after: int) -> None:
        rows: list[Row] = frame.rows()
        last_day: int = frame.head["last_day"]
        if last_day <= kept_after:
            return
        node = rows[0][_NODE]
        kept = [row for row in rows if row[_BUCKET] // DAY_S > kept_after]
        marker = SEALED.marker(node, last_day, name, events=0, rows=len(rows))
        batch = _RestoredBatch(
            name=name,
            table=SEALED.name,
            node=node,
            day=last_day,
            events=0,
            rows=len(rows),
            path=self._note,
            offset=0,
            length=0,
            crc=0,
            made=b"\n".join(map(orjson.dumps, [*kept, marker])),
        )
        try:
            self._writing.insert_once(batch)
        except (NotInsertable, Corrupt) as stopped:
            raise Misconfigured(f"the database does not take the backup: {stopped}") from stopped

    def _keep_imported(self, content: bytes) -> None:
        """What was imported there is known here, too; what is known here already stays."""
        path = self._data / IMPORTED
        if not path.exists():
            self._disk.make_folder(path.parent)
            self._disk.write_durably(path, content)

    def _compare(self, sums: Mapping[tuple[int, int], tuple[int, ...]], kept_after: int) -> None:
        """Whether all of it is there; more may be, where the collector ran before all was restored."""
        found = totals(self._writing.ask(_TOTALS))
        for (month, node), told in sums.items():
            if month > month_of(kept_after) and any(
                have < want for have, want in zip(found.get((month, node), (0, 0, 0)), told, strict=True)
            ):
                raise Misconfigured("the database does not hold all that the backup does: look at it before it is used")


def _refuse_hot(parts: set[DayNode], what_to_do: str) -> None:
    if parts:
        days = sorted({str(datetime.fromtimestamp(part.day * DAY_S, UTC).date()) for part in parts})
        raise Misconfigured(
            "counts that are not sealed lie here of days that are sealed in the backup, and would be lost"
            f" ({', '.join(days)}): {what_to_do}"
        )


def unfinished(disk: Disk, data: Path) -> str | None:
    """The name of the backup that is being restored into a data directory; None if none is. Raises Misconfigured."""
    if RESTORING not in disk.names(data):
        return None
    try:
        return str(orjson.loads(disk.read(data / RESTORING))["backup"])
    except (ValueError, LookupError, TypeError) as error:
        raise Misconfigured(f"{data / RESTORING} is damaged: begin again with a new data directory") from error
