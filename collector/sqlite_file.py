"""A small SQLite file of the data directory: made, opened, used, and set aside when it is damaged.

One process holds it, exclusively; what is committed is on disk (WAL, synchronous = FULL). It is checked when first
opened. Damaged, it is renamed to <name>.damaged in place of an earlier one, and a new one begun; a disk that is full or
fails is an OSError, after which the file is opened anew and what was committed is there. Who uses one owns its tables:
event ids (spool/ids_file.py), what was shown of open days (stats/shown_file.py).
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from collector.errors import Corrupt
from collector.log import log

DAMAGED = ".damaged"

_SETTINGS = (
    "locking_mode = EXCLUSIVE",  # one process; and no shared memory file, which would end it by SIGBUS on a full disk
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -65536",  # KiB
    "secure_delete = ON",  # what is deleted is overwritten
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
    "temp_store = MEMORY",
)

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

T = TypeVar("T")


class SqliteFile:
    """The file, opened when first needed; one thread at a time.

    holds    what it is to people ("event ids"), for errors; if_lost: what they must know when it was set aside
    tables   the statements that make a new one; `beside_damaged` says whether one was set aside at this place
    loaded   called with every connection that is opened; raises Corrupt if what it finds cannot be
    """

    def __init__(
        self,
        path: Path,
        *,
        holds: str,
        if_lost: str,
        tables: Callable[[bool], str],
        loaded: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._path = path
        self._holds = holds
        self._if_lost = if_lost
        self._tables = tables
        self._loaded = loaded
        self._db: sqlite3.Connection | None = None
        self._whole = False

    def exists(self) -> bool:
        """Whether it was ever needed."""
        return self._db is not None or self._path.exists()

    def use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this with the file; if that is damaged, with a new one. Raises OSError."""
        try:
            return self._try(work)
        except Corrupt as corrupt:
            self._set_aside(str(corrupt))
        try:
            return self._try(work)
        except Corrupt as corrupt:
            raise OSError(errno.EIO, f"a new file of {self._holds} is damaged: {corrupt}") from corrupt

    def close(self) -> None:
        """Let go of it; what was committed stays."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._db or self._open())
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise self._translated(error) from error
            if isinstance(error, UnicodeDecodeError):  # SQLite's own message, of a name in a damaged schema
                raise Corrupt("text") from error
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
        self._loaded(db)
        return db

    def _begin(self) -> None:
        """Make a new file under another name, so that one with the right name is complete."""
        new = self._path.with_name(f".{self._path.name}.new")
        for leftover in (*_files(new), *_files(self._path)):  # a WAL without its file would be taken for the new one's
            leftover.unlink(missing_ok=True)
        new.touch(mode=0o600)
        with closing(_connect(new)) as db:
            db.executescript(self._tables(self._aside().exists()))
        new.rename(self._path)  # SQLite syncs the folder before the first commit returns: it makes a WAL there

    def _aside(self) -> Path:
        return self._path.with_name(self._path.name + DAMAGED)

    def _set_aside(self, reason: str) -> None:
        self._whole = False
        for file, to in zip(_files(self._path), _files(self._aside()), strict=True):
            if file.exists():
                file.replace(to)
            else:
                to.unlink(missing_ok=True)
        log.critical(
            f"the file of {self._holds} is damaged and set aside: {self._if_lost}",
            file=self._aside().name,
            reason=reason,
        )

    def _translated(self, error: sqlite3.Error) -> Exception:
        """What it means: Corrupt, OSError, or, of a mistake of its user, itself."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not SQLite's: the module's own, of a text that is no UTF-8 or of a mistake
            return Corrupt("text") if isinstance(error, sqlite3.OperationalError) else error
        if code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ:
            return Corrupt(error.sqlite_errorname)
        if code & 0xFF in _DISK:
            return OSError(_DISK[code & 0xFF], f"the file of {self._holds}: {error.sqlite_errorname}")
        return error


def _connect(path: Path) -> sqlite3.Connection:
    # One thread at a time uses it, but not always the same.
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
