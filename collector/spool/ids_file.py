"""The SQLite file that holds the memory of event ids (seen.py, its only user): its tables, and what it knows of itself.

    ids       hash -> segment     64 bits of BLAKE2b of the id in lower case; the number of the segment that counts it
    segments  number, name, when it was met, how many ids it counts; ids of a number without a row are forgotten
    state     one row: the memory's own time, the next number, how many ids are forgotten but not swept out, and where

How it is made, opened and set aside when it is damaged: sqlite_file.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.errors import Corrupt
from collector.sqlite_file import SqliteFile

LEAST_HASH, MOST_HASH = -(2**63), 2**63 - 1

_TABLES = f"""
BEGIN;
CREATE TABLE ids (hash INTEGER PRIMARY KEY, segment INTEGER NOT NULL);
CREATE TABLE segments (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, met_s REAL NOT NULL, ids INTEGER NOT NULL);
CREATE TABLE state (
    age_s REAL NOT NULL, latest_s REAL, next INTEGER NOT NULL, stale INTEGER NOT NULL, swept INTEGER NOT NULL);
INSERT INTO state (age_s, next, stale, swept) VALUES (0, 1, 0, {LEAST_HASH});
COMMIT;
"""  # noqa: S608 - the number is the constant above
_LOAD = "SELECT age_s, latest_s, next, stale, swept FROM state"
_SAVE = "UPDATE state SET age_s = ?, latest_s = ?, next = ?, stale = ?, swept = ?"


@dataclass(slots=True, kw_only=True)
class State:
    """What the memory knows of itself: the row `state`, and what follows from `segments`.

    age_s     the memory's own time, and latest_s what the clock said at most (None: nothing yet)
    next      the number of the next segment
    stale     how many ids are forgotten but still in the file; those below the hash `swept` were looked for last
    oldest    the first number that is not forgotten; size: how many ids are not
    """

    age_s: float
    latest_s: float | None
    next: int
    stale: int
    swept: int
    oldest: int
    size: int


class IdsFile(SqliteFile):
    """The file, opened when first needed; used by one thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            holds="event ids",
            if_lost="events of the last 48 hours count twice if sent again",
            tables=lambda _: _TABLES,
            loaded=self._load,
        )
        self.state = State(age_s=0.0, latest_s=None, next=1, stale=0, swept=LEAST_HASH, oldest=1, size=0)

    @contextmanager
    def commit(self, db: sqlite3.Connection) -> Iterator[None]:
        """One transaction, the state in it; durable when the block is left. If it fails `use` forgets both."""
        db.execute("BEGIN IMMEDIATE")
        yield
        state = self.state
        db.execute(_SAVE, (state.age_s, state.latest_s, state.next, state.stale, state.swept))
        db.execute("COMMIT")

    def _load(self, db: sqlite3.Connection) -> None:
        oldest, newest, size = db.execute("SELECT min(number), max(number), total(ids) FROM segments").fetchone()
        try:
            age_s, latest_s, next_number, stale, swept = db.execute(_LOAD).fetchone()
            following = max(int(next_number), int(newest or 0) + 1)
            self.state = State(
                age_s=float(age_s),
                latest_s=None if latest_s is None else float(latest_s),
                next=following,
                stale=int(stale),
                swept=int(swept),
                oldest=int(oldest or following),
                size=int(size),
            )
        except (TypeError, ValueError) as error:
            raise Corrupt("state") from error
