"""Reads everything that is sealed for a backup (backup_file.py), in portions, while the collector goes on.

It is of one state, though portions are read one after the other: how far each node is sealed is read first and bound
in every statement, so that a day that is sealed meanwhile is not in it; and at the end one statement adds all of it up
by month and node. Where that is not what was read, something came late meanwhile, and Unavailable says so: try again.
Only `sealed` is read: counts that analysts see already, with their bounds. Used by one thread with a reader of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.catalogue.declarations import Declarations
from collector.clock import Clock
from collector.disk import Disk
from collector.errors import Unavailable
from collector.warehouse.backup_file import MAX_ROWS, Header, Sums, Writer, month_of
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.seals import SEALED_THROUGH
from collector.warehouse.tables import COUNTERS, DAY_S, DIMENSIONS, MARKER, SEALED

RESTORED = "restore-"
"""What the markers of a restore are called (restoring.py): they say how rows came, and are in no backup."""

IMPORTED = Path("imports", "imported.json")
IMPORTING = Path("imports", "*", "counted")
"""What tells that days of an import may be sealed, and that it is not in IMPORTED yet (tools/import_log/kept.py)."""

_DAY = f"intDiv(toUnixTimestamp(bucket), {DAY_S})"
_BOUND = f"""
{_DAY} <= transform(node, {{nodes:Array(UInt64)}}, {{through:Array(Int32)}}, -1)
AND NOT (report = '{MARKER}' AND property = '' AND startsWith(d1, '{RESTORED}'))
"""
_DAYS = f"SELECT {_DAY} AS day, count() FROM {SEALED.name} WHERE {_BOUND} GROUP BY day ORDER BY day"
_KEY = f"node, report, property, bucket, {', '.join(DIMENSIONS)}"
# Of two rows of a key, a merge keeps an arbitrary one's networks: either is proven for the sum (tables.py).
_COUNTED = ", ".join(f"{'max' if name in ('networks', 'firsts') else 'sum'}({name})" for name in COUNTERS)
_CHUNK = f"""
SELECT {_KEY.replace("bucket", "toUnixTimestamp(bucket)")}, {_COUNTED} FROM {SEALED.name}
WHERE bucket >= toDateTime({{from_s:UInt32}}, 'UTC') AND bucket < toDateTime({{until_s:UInt32}}, 'UTC') AND {_BOUND}
AND cityHash64({_KEY}) % {{parts:UInt32}} = {{part:UInt32}}
GROUP BY {_KEY} ORDER BY {_KEY}
"""
_TOTALS = f"""
SELECT toYYYYMM(bucket) AS month, node, sum(events), sum(visitors), sum(amount) FROM {SEALED.name} WHERE {_BOUND}
GROUP BY month, node
"""

Imported = Callable[[], bytes | None]


def backup_of(engine: Engine, declarations: Declarations, clock: Clock, imported: Imported) -> Iterator[bytes]:
    """The bytes of a backup, piece by piece; raises Unavailable. `imported` tells what was imported."""
    asking = _Asking(engine)
    try:
        known = imported()
        through = [list(row) for row in asking.ask(SEALED_THROUGH)]
        if imported() != known:
            raise Unavailable("an import ended meanwhile: begin again")
        bound = {"nodes": [node for node, _, _ in through], "through": [day for _, day, _ in through]}
        days = [(int(day), int(rows)) for day, rows in asking.ask(_DAYS, **bound)]
        writer = Writer()
        yield writer.header(
            Header(
                made=datetime.fromtimestamp(int(clock.now()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                declarations=declarations.digest,
                columns={name: kind for name, (kind, _) in SEALED.columns.items()},
                reports={report.name: list(report.by) for report in declarations.reports.values()},
                through=through,
                rows=sum(rows for _, rows in days),
            )
        )
        if known is not None:
            yield writer.imported(known)
        for first, last, parts in portions(days):
            for part in range(parts):
                asked = {"from_s": first * DAY_S, "until_s": (last + 1) * DAY_S, "parts": parts, "part": part}
                if rows := asking.ask(_CHUNK, **asked, **bound):
                    yield writer.chunk(rows)
        if totals(asking.ask(_TOTALS, **bound)) != writer.sums:
            raise Unavailable("something was counted late in a sealed day meanwhile: begin again")
        yield writer.end()
    finally:
        asking.close()


def imported(disk: Disk, data: Path) -> bytes | None:
    """What IMPORTED holds, None if nothing was imported; raises Unavailable where it does not tell of all imports.

    Counts without it would be counted again where they are restored, and it without them never.
    """
    if any(data.glob(str(IMPORTING))):
        raise Unavailable("an import has not ended: wait for it or, if it was interrupted, run it again")
    return disk.read(data / IMPORTED) if (data / IMPORTED).exists() else None


def portions(days: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Ranges of days of one month, each of at most MAX_ROWS rows or one day, and into how many parts to take it."""
    first = last = rows = 0
    for day, count in days:
        if rows and (rows + count > MAX_ROWS or month_of(day) != month_of(last)):
            yield first, last, -(-rows // MAX_ROWS)
            rows = 0
        first, last, rows = (first if rows else day), day, rows + count
    if rows:
        yield first, last, -(-rows // MAX_ROWS)


def totals(rows: Sequence[Sequence[Any]]) -> Sums:
    """What a statement like _TOTALS answers, by month and node."""
    return {(int(month), int(node)): tuple(map(int, sums)) for month, node, *sums in rows}


class _Asking:
    """A reader's client, for as long as a backup takes."""

    def __init__(self, engine: Engine) -> None:
        self._client = engine.reader()

    def ask(self, statement: str, **bound: Any) -> Sequence[Sequence[Any]]:
        try:
            return self._client.query(statement, parameters=bound).result_rows
        except FAILURES as error:
            raise away("the database does not answer", error) from error

    def close(self) -> None:
        with suppress(*FAILURES):
            self._client.close()
