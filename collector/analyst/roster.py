"""A private list in the data directory of who is admitted: users, tokens, sessions, sign-in codes, a file of each.

    DATA/<name>.json   a JSON array of objects; 0600, replaced whole and durably
    DATA/access.lock   held while one of them is changed

Commands and the analyst port change the same files, one at a time, and whoever reads sees a change at once: the file is
read again when it is another one. A damaged file admits nobody, and is never overwritten.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from collector.disk import DISK
from collector.errors import Misconfigured
from collector.log import log

LOCK = "access.lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DAMAGED = (ValueError, KeyError, TypeError, AttributeError)
NAME_RULE = "1 to 64 letters, digits, dots, dashes or underscores"

Entry = TypeVar("Entry")
Signature = tuple[int, int, int] | None


class Roster(Generic[Entry]):
    """One file of entries, each a dataclass that `read` makes of its object; any thread may use it."""

    def __init__(self, path: Path, read: Callable[[dict[str, Any]], Entry]) -> None:
        self._path = path
        self._read = read
        self._known: tuple[Signature, tuple[Entry, ...]] = (None, ())

    def entries(self) -> tuple[Entry, ...]:
        """Everybody in it now; nobody while it is damaged."""
        seen = _signature(self._path)
        if seen != self._known[0]:
            try:
                entries = self._read_all()
            except (OSError, *DAMAGED) as error:
                log.error("who is admitted cannot be read: nobody of this file is", file=self._path.name)
                if isinstance(error, OSError):
                    return ()  # the same file may be readable the next time
                entries = ()
            self._known = (seen, entries)
        return self._known[1]

    def listed(self) -> tuple[Entry, ...]:
        """The same for an operator: raises Misconfigured where the file is damaged."""
        try:
            return self._read_all()
        except OSError as error:
            raise Misconfigured(f"{self._path} cannot be read: {type(error).__name__}") from error
        except DAMAGED as error:
            raise Misconfigured(f"{self._path} is damaged: restore it, or remove it and begin it anew") from error

    def _read_all(self) -> tuple[Entry, ...]:
        try:
            return tuple(self._read(each) for each in orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return ()

    @contextmanager
    def changing(self) -> Iterator[list[Entry]]:
        """The entries, to be changed in place; durable when the block ends, as before if it raises."""
        with alone(self._path.parent):
            before = self.listed()
            entries = list(before)
            yield entries
            if tuple(entries) != before:
                DISK.write_durably(self._path, orjson.dumps(entries, option=orjson.OPT_INDENT_2))


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Nobody else changes who is admitted meanwhile. Not to be nested."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _signature(path: Path) -> Signature:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
