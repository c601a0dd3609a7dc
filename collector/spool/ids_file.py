"""The SQLite file that holds the memory of event ids (seen.py, its only user): made, opened, committed, set aside.

    ids       hash -> segment     64 bits of BLAKE2b of the id in lower case; the number of the segment that counts it
    segments  number, name, when it was met, how many ids it counts; ids of a number without a row are forgotten
    state     one row: the memory's own time, the next number, how many ids are forgotten but not swept out, and where

It is checked when first opened. Damaged, it is renamed to <name>.damaged in place of an earlier one, and a new one
begun; a disk that is full or fails is an OSError, after which the file is opened anew and what was committed is there.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from collector.errors import Corrupt
from collector.log import log

DAMAGED = ".damaged"
LEAST_HASH, MOST_HASH = -(2**63), 2**63 - 1

_SETTINGS = (
    "locking_mode = EXCLUSIVE",  # one process; and no shared memory file, which would end it by SIGBUS on a full disk
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -65536",  # KiB
    "secure_delete = ON",  # hashes swept out are overwritten
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
    "temp_store = MEMORY",
)
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

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_BUSY: errno.EAGAIN,
    sqlite3.SQLITE_LOCKED: errno.EAGAIN,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}

_T = TypeVar("_T")


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


class IdsFile:
    """The file, opened when first needed; used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._whole = False
        self.state = State(age_s=0.0, latest_s=None, next=1, stale=0, swept=LEAST_HASH, oldest=1, size=0)

    def exists(self) -> bool:
        """Whether it was ever needed."""
        return self._db is not None or self._path.exists()

    def use(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do this with the file; if that is damaged, with a new one. Raises OSError."""
        try:
            return self._try(work)
        except Corrupt as corrupt:
            self._set_aside(str(corrupt))
        try:
            return self._try(work)
        except Corrupt as corrupt:
            raise OSError(errno.EIO, f"a new file of event ids is damaged: {corrupt}") from corrupt

    @contextmanager
    def commit(self, db: sqlite3.Connection) -> Iterator[None]:
        """One transaction, the state in it; durable when the block is left. If it fails `use` forgets both."""
        db.execute("BEGIN IMMEDIATE")
        yield
        state = self.state
        db.execute(_SAVE, (state.age_s, state.latest_s, state.next, state.stale, state.swept))
        db.execute("COMMIT")

    def close(self) -> None:
        """Let go of it; what was committed stays."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _try(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._db or self._open())
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise _translated(error) from error
            raise

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            self._begin()
        elif not self._path.stat().st_size:
            raise Corrupt("it is empty")  # to SQLite that is a new one
        db = self._db = _connect(self._path)
        if not self._whole and db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise Corrupt("quick_check")
        self._whole = True
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
        return db

    def _begin(self) -> None:
        """Make a new file under another name, so that one with the right name is complete."""
        new = self._path.with_name(f".{self._path.name}.new")
        for leftover in (*_files(new), *_files(self._path)):  # a WAL without its file would be taken for the new one's
            leftover.unlink(missing_ok=True)
        new.touch(mode=0o600)
        with closing(_connect(new)) as db:
            db.executescript(_TABLES)
        new.rename(self._path)  # SQLite syncs the folder before the first commit returns: it makes a WAL there

    def _set_aside(self, reason: str) -> None:
        aside = self._path.with_name(self._path.name + DAMAGED)
        self._whole = False
        for file, to in zip(_files(self._path), _files(aside), strict=True):
            if file.exists():
                file.replace(to)
            else:
                to.unlink(missing_ok=True)
        log.critical(
            "the memory of event ids is damaged and set aside: events of the last 48 hours count twice if sent again",
            file=aside.name,
            reason=reason,
        )


def _connect(path: Path) -> sqlite3.Connection:
    # One thread uses it, but another one may close it.
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            db.execute(f"PRAGMA {setting}")
    except BaseException:
        db.close()
        raise
    return db


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-journal")]


def _translated(error: sqlite3.Error) -> Exception:
    """What it means: Corrupt, OSError, or, of a mistake in here, itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    if code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return Corrupt(error.sqlite_errorname)
    if code & 0xFF in _DISK:
        return OSError(_DISK[code & 0xFF], f"the file of event ids: {error.sqlite_errorname}")
    return error
