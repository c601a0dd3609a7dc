"""A disk in memory that may do all that a POSIX file system may: what was not synced survives a crash in part or not.

    file     what a crash keeps, and changes not synced yet: appends, cuts. Of these a crash keeps any: an append whole,
             in part, with holes of zeros, or not at all. After a failed sync the bytes it was to write are not made
             safe by a later one (fsyncgate, 2018).
    folder   creations, renames, removals. Of those not synced a crash keeps any subset in which nothing stands on what
             is gone. A rename happens or does not; between two folders, syncing the target leaves the source for later.

Faults are played on demand (Fault). It is the only disk of the model test: nothing here touches the machine's own, and
tests/test_simulated_disk.py holds it against that one. Used by one thread.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from collector.disk import Disk
from tests.durability.simulated_file import Change, File

SIZE_BYTES = 1 << 40
ANY = "any"
CHANGES = ("create", "append", "sync", "truncate", "make_folder", "rename", "unlink", "sync_folder")
LOOKS = ("read", "names", "size_bytes", "modified_s")

LOSE_ALL, KEEP_ALL = 0, 1
"""Crashes that keep nothing, or everything, that was not synced; other numbers are seeds of what is kept."""


class KilledError(BaseException):
    """The process ends at this call, with the machine where `power` is not None: the seed of what survives.

    No Exception: nothing in the code under test may catch it.
    """

    def __init__(self, power: int | None = None) -> None:
        super().__init__()
        self.power = power


@dataclass(slots=True)
class Fault:
    """What a call will do, once: the first of this name (or ANY change) after `passing` others went through.

    "EIO", "ENOSPC"   it fails; an append leaves its first half, a sync leaves its bytes in doubt
    "before", "after" the process ends there; "half": in the middle of an append, else before
    """

    call: str
    passing: int
    kind: Literal["EIO", "ENOSPC", "before", "after", "half"]
    power: int | None = None


class _Move(NamedTuple):
    """A pending change of names: `removed` is gone, `added` names `file` (None: a folder)."""

    removed: str | None
    added: str | None
    file: File | None


class SimulatedDisk(Disk):
    """See above. `now_s` is what files are stamped with; `full` is how many calls yet will find no room."""

    def __init__(self, root: Path, now_s: float) -> None:
        self.now_s = now_s
        self.full = 0
        self.faults: list[Fault] = []
        self._root = str(root)
        self._seen: dict[str, File | None] = {self._root: None}
        self._kept = dict(self._seen)
        self._pending: list[_Move] = []
        self._open: dict[int, File] = {}
        self._owned: set[str] = set()
        self._last_fd = 0

    def create(self, path: Path) -> int:
        with self._does("create"):
            self._folder_of(path)
            if str(path) in self._seen:
                raise FileExistsError(errno.EEXIST, "simulated")
            self._needs_room()
            self._move(None, str(path), File(self.now_s))
        return self._opened(path)

    def append(self, fd: int, data: bytes) -> None:
        file = self._open[fd]
        file.modified_s = self.now_s
        half = data[: len(data) // 2]
        try:
            dies = self._meets("append")
            self._needs_room()
        except OSError:
            file.change(Change(len(file.data), half))
            raise
        if not dies or dies.kind != "before":
            file.change(Change(len(file.data), half if dies and dies.kind == "half" else data))
        if dies:
            raise KilledError(dies.power)

    def sync(self, fd: int) -> None:
        file = self._open[fd]
        try:
            with self._does("sync"):
                file.sync()
        except OSError:
            file.doubt()
            raise

    def truncate(self, fd: int, size_bytes: int) -> None:
        with self._does("truncate"):
            self._open[fd].change(Change(size_bytes, None))

    def close(self, fd: int) -> None:
        self._open.pop(fd, None)

    def read(self, path: Path, start: int = 0, length: int | None = None) -> bytes:
        with self._does("read"):
            data = self._file(path).data
            return bytes(data[start:] if length is None else data[start : start + length])

    def names(self, folder: Path) -> list[str]:
        with self._does("names"):
            return sorted(path.rpartition("/")[2] for path in self._seen if path.rpartition("/")[0] == str(folder))

    def make_folder(self, folder: Path) -> None:
        if str(folder.parent) not in self._seen:
            self.make_folder(folder.parent)
        with self._does("make_folder"):
            if str(folder) not in self._seen:
                self._move(None, str(folder), None)
        self.sync_folder(folder.parent)

    def size_bytes(self, path: Path) -> int:
        with self._does("size_bytes"):
            file = self._seen.get(str(path))
            return len(file.data) if file else 0

    def modified_s(self, path: Path) -> float:
        with self._does("modified_s"):
            return self._file(path).modified_s

    def free_bytes(self, folder: Path) -> tuple[int, int]:
        return (0 if self.full else SIZE_BYTES, SIZE_BYTES)

    def rename(self, path: Path, target: Path) -> None:
        with self._does("rename"):
            self._folder_of(target)
            self._move(str(path), str(target), self._file(path))

    def unlink(self, path: Path) -> None:
        with self._does("unlink"):
            if str(path) in self._seen:
                self._move(str(path), None, None)

    def sync_folder(self, folder: Path) -> None:
        with self._does("sync_folder"):
            self._folder_of(folder / "any")
            pending, self._pending = self._pending, []
            for move in pending:
                self._pending += self._keep(move, str(folder))

    @contextmanager
    def owned(self, folder: Path, *, wait: bool) -> Iterator[bool]:
        free = str(folder) not in self._owned
        assert free or not wait, "a process of the model would wait for ever"
        self._owned.add(str(folder))
        try:
            yield free
        finally:
            if free:
                self._owned.discard(str(folder))

    def crash(self, seed: int) -> None:
        """Lose the power: what was synced survives, of the rest what `seed` says."""
        dice = random.Random(seed)
        keep = {LOSE_ALL: 0.0, KEEP_ALL: 1.0}.get(seed, 0.5)
        gone: set[str | None] = set()
        for move in self._pending:
            names = {move.removed, move.added} - {None}
            if names & gone or dice.random() >= keep:
                gone |= names
            else:
                _apply(self._kept, move)
        self._pending.clear()
        for path in sorted(self._kept):  # a folder before what lies in it
            if path != self._root and path.rpartition("/")[0] not in self._kept:
                del self._kept[path]
        self._seen = dict(self._kept)
        for file in {id(file): file for file in self._kept.values() if file}.values():
            file.crash(dice, keep)
        self._open.clear()
        self._owned.clear()
        self.faults.clear()

    @contextmanager
    def without_faults(self) -> Iterator[None]:
        """For who only looks on."""
        faults, self.faults = self.faults, []
        try:
            yield
        finally:
            self.faults = faults

    def safe_bytes(self, path: Path) -> int:
        """How many bytes of a file are on the medium, where a bit can flip."""
        file = self._file(path)
        return min(len(file.data), len(file.kept))

    def is_named_safely(self, path: Path) -> bool:
        """Whether a file has this name after any crash."""
        return str(path) in self._kept

    def flip(self, path: Path, bit: int) -> None:
        """Flip one bit of a file on the medium."""
        file = self._file(path)
        for content in (file.data, file.kept):
            content[bit // 8] ^= 1 << bit % 8

    @contextmanager
    def _does(self, call: str) -> Iterator[None]:
        dies = self._meets(call)
        if dies and dies.kind != "after":
            raise KilledError(dies.power)
        yield
        if dies:
            raise KilledError(dies.power)

    def _meets(self, call: str) -> Fault | None:
        """How the process ends at this call, None if it goes on; raises OSError if the call fails."""
        for fault in self.faults:
            if call == fault.call or (fault.call == ANY and call in CHANGES):
                if fault.passing:
                    fault.passing -= 1
                    continue
                self.faults.remove(fault)
                if fault.kind in ("EIO", "ENOSPC"):
                    raise OSError(getattr(errno, fault.kind), os.strerror(getattr(errno, fault.kind)))
                return fault
        return None

    def _needs_room(self) -> None:
        if self.full:
            self.full -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _opened(self, path: Path) -> int:
        self._last_fd += 1
        self._open[self._last_fd] = self._file(path)
        return self._last_fd

    def _file(self, path: Path) -> File:
        file = self._seen.get(str(path))
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "simulated")
        return file

    def _folder_of(self, path: Path) -> None:
        if self._seen.get(str(path.parent), path) is not None:
            raise FileNotFoundError(errno.ENOENT, "simulated")

    def _move(self, removed: str | None, added: str | None, file: File | None) -> None:
        move = _Move(removed, added, file)
        _apply(self._seen, move)
        self._pending.append(move)

    def _keep(self, move: _Move, folder: str) -> list[_Move]:
        """Make of a change what concerns this folder durable; what of it is still pending."""
        removed, added, _ = move
        there, here = (path is not None and path.rpartition("/")[0] == folder for path in (removed, added))
        if there or (here and removed is None):
            _apply(self._kept, move)
            return []
        if here:
            _apply(self._kept, move._replace(removed=None))
            return [move._replace(added=None, file=None)]
        return [move]


def _apply(names: dict[str, File | None], move: _Move) -> None:
    if move.removed is not None:
        names.pop(move.removed, None)
    if move.added is not None:
        names[move.added] = move.file
