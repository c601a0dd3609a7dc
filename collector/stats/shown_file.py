"""What was shown of open days, in DATA/shown.sqlite: on disk before an answer with it leaves.

    shown   report, property, day, node -> one Shown (shown.py) as JSON: its view, which most answers need alone, and
            the rest, which is cells of hot as they were
    state   one row: the last day of which it is not known what was shown, because a file like this was damaged, and
            the digest of all rows and that day, for SQLite has none: a flipped bit could make a row another one's

A damaged file is set aside and a new one begun: of all days up to then only ours is told until they are sealed. Used by
the thread that asks and the one that seals, one at a time; it knows nothing of reports. How SQLite is opened:
sqlite_file.py.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

from collector.cell import Counters
from collector.clock import Clock
from collector.day_part import PartKey
from collector.errors import Corrupt
from collector.fold import Row
from collector.shown import Cell, Shown, View
from collector.sqlite_file import SqliteFile

DAY_S = 86_400
_NEVER = -1

_SHOWN = """
CREATE TABLE shown (
    report TEXT NOT NULL, property TEXT NOT NULL, day INTEGER NOT NULL, node TEXT NOT NULL,
    view TEXT NOT NULL, more TEXT NOT NULL,
    PRIMARY KEY (report, property, day, node)) WITHOUT ROWID"""  # one tree: an index of its own could differ
_STATE = "CREATE TABLE state (lost_through INTEGER NOT NULL, digest INTEGER NOT NULL)"
_ALL = "SELECT report, property, day, node, view, more FROM shown"
_ONE = "FROM shown WHERE report = ? AND property = ? AND day = ? AND node = ?"
_VIEW = f"SELECT view {_ONE}"
_GET = f"SELECT view, more {_ONE}"
_KEEP = """INSERT INTO shown (report, property, day, node, view, more) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET view = excluded.view, more = excluded.more"""
_PAST = f"{_ALL} WHERE node = ? AND day <= ?"
_FORGET = "DELETE FROM shown WHERE node = ? AND day <= ?"
_SAVE = "UPDATE state SET digest = ?"


class Lost(Exception):
    """It is not known what was shown of that day."""


class ShownFile:
    """The file, made when first needed. Every method raises OSError where the disk is full or fails."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._lost_through = _NEVER
        self._digest = 0
        self._file = SqliteFile(
            path,
            holds="what was shown of open days",
            if_lost="until they are sealed, days up to today tell nothing of callers",
            tables=self._tables,
            loaded=self._load,
        )

    def view(self, key: PartKey) -> View | None:
        """What is shown now; None if nothing. Raises Lost."""
        with self._lock:
            return self._file.use(lambda db: self._view(db, key))

    def get(self, key: PartKey) -> Shown | None:
        """The same, with what must be known to show more."""
        with self._lock:
            return self._file.use(lambda db: self._get(db, key))

    def keep(self, key: PartKey, shown: Shown) -> None:
        """Show this from now on; it is on disk when this returns. Raises Lost."""
        texts = _view_written(shown.view), _more_written(shown)
        with self._lock:
            self._file.use(lambda db: self._keep(db, key, texts))

    def forget(self, node: int, through_day: int) -> None:
        """Drop what was shown of a node's days up to that one: they are sealed."""
        with self._lock:
            if self._file.exists():
                self._file.use(lambda db: self._forget(db, (_hex(node), through_day)))

    def close(self) -> None:
        """Let go of the file; what was kept is in it."""
        with self._lock:
            self._file.close()

    def _view(self, db: sqlite3.Connection, key: PartKey) -> View | None:
        self._know(key)
        found = db.execute(_VIEW, _place(key)).fetchone()
        return None if found is None else _view_read(found[0])

    def _get(self, db: sqlite3.Connection, key: PartKey) -> Shown | None:
        self._know(key)
        found = db.execute(_GET, _place(key)).fetchone()
        return None if found is None else _read(*found)

    def _keep(self, db: sqlite3.Connection, key: PartKey, texts: tuple[str, str]) -> None:
        self._know(key)
        place = _place(key)
        changed = _digest(*place, *texts)
        for before in db.execute(_GET, place):
            changed ^= _digest(*place, *before)
        self._change(db, _KEEP, (*place, *texts), changed)

    def _forget(self, db: sqlite3.Connection, past: tuple[str, int]) -> None:
        changed = 0
        for row in db.execute(_PAST, past):
            changed ^= _digest(*row)
        self._change(db, _FORGET, past, changed)

    def _change(self, db: sqlite3.Connection, statement: str, values: tuple[str | int, ...], changed: int) -> None:
        """One transaction, durable when it is through. If it fails, the digest is read again with the file."""
        self._digest ^= changed
        db.execute("BEGIN IMMEDIATE")
        db.execute(statement, values)
        db.execute(_SAVE, (self._digest,))
        db.execute("COMMIT")

    def _know(self, key: PartKey) -> None:
        if key.day <= self._lost_through:
            raise Lost

    def _tables(self, beside_damaged: bool) -> str:  # noqa: FBT001 - as SqliteFile calls it
        through = int(self._clock.now() // DAY_S) if beside_damaged else _NEVER
        state = f"INSERT INTO state VALUES ({through}, {_digest(through)})"  # noqa: S608 - two numbers
        return f"BEGIN; {_SHOWN}; {_STATE}; {state}; COMMIT;"

    def _load(self, db: sqlite3.Connection) -> None:
        found = db.execute("SELECT lost_through, digest FROM state").fetchone()
        if found is None:
            raise Corrupt("no state")
        through, digest = found
        all_rows = _digest(through)
        for row in db.execute(_ALL):
            all_rows ^= _digest(*row)
        if all_rows != digest:
            raise Corrupt("digest")
        self._lost_through, self._digest = through, digest


def _digest(*values: object) -> int:
    """64 bits of BLAKE2b. Those of rows are combined by exclusive or, in whatever order they lie."""
    return int.from_bytes(blake2b(repr(values).encode(), digest_size=8).digest(), "big", signed=True)


def _place(key: PartKey) -> tuple[str, str, int, str]:
    return key.report, key.property, key.day, _hex(key.node)


def _hex(node: int) -> str:
    return f"{node:016x}"  # 64 bits without a sign: more than an INTEGER of SQLite


def _view_written(view: View) -> str:
    return _json({"rows": view.rows, "at": view.at, "crowd": view.crowd, "epochs": view.epochs, "names": view.names})


def _more_written(shown: Shown) -> str:
    return _json(
        {
            "named": shown.named,
            "cells": _cells_written(shown.cells),
            "beside": _cells_written(shown.beside),
            "looked": list(shown.looked.items()),
        }
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cells_written(cells: Mapping[Cell, Counters]) -> list[Any]:
    return [
        (values, epoch, one.events, one.visitors, one.networks, one.firsts, one.amount)
        for (values, epoch), one in cells.items()
    ]


def _view_read(text: str) -> View:
    try:
        return View(**{**(read := json.loads(text)), "rows": _rows_read(read["rows"])})
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt("view") from error


def _read(view: str, more: str) -> Shown:
    try:
        read = json.loads(more)
        return Shown(
            view=_view_read(view),
            named=_rows_read(read["named"]),
            cells=_cells_read(read["cells"]),
            beside=_cells_read(read["beside"]),
            looked={tuple(ours): networks for ours, networks in read["looked"]},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt("shown") from error


def _rows_read(rows: list[Any]) -> tuple[Row, ...]:
    return tuple(Row(tuple(values), *measures) for values, *measures in rows)


def _cells_read(cells: list[Any]) -> dict[Cell, Counters]:
    return {(tuple(values), epoch): Counters(*counted) for values, epoch, *counted in cells}
