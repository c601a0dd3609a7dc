"""The data directory: one owner at a time, private, with a name of its own and an epoch for every start.

    DATA/lock       flock; JSON {"pid", "started", "public", "analyst"} of its holder
    DATA/node       JSON {"node": 16 hex digits, "epoch": n}; the epoch grows with every start, never used twice: by a
                    random step, so that a copy of the directory, or a backup put back, begins another one
    DATA/tmp        TMPDIR of all processes: the engine writes payloads there; emptied at start
    DATA/metrics    counters of this start's processes; emptied at start

Used by the supervisor, and by commands that need the engine while no server runs. The lock belongs to the open file:
children inherit it, so that a new start waits until the last of the old ones is gone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from collector.disk import DISK
from collector.errors import Misconfigured

PRIVATE = 0o700
_OTHERS = 0o077
LOCK_PATIENCE_S = 10.0
_POLL_S = 0.05
# Names of segments and batches hold the epoch. Two lives that gave the same names to other events would take each
# other's batches in one database for their own. At this step a million starts stay below 2^53.
LONGEST_STEP = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a data directory: written into its lock file. Addresses are HOST:PORT, empty while not listening."""

    pid: int
    started: str
    public: str = ""
    analyst: str = ""


class DataFolder:
    """A data directory this process holds; made by `hold`, or found again after an exec by `taken_over`."""

    def __init__(self, path: Path, lock_fd: int, holder: Holder) -> None:
        self.path = path
        self.lock_fd = lock_fd
        self._holder = holder

    @classmethod
    def taken_over(cls, path: Path, lock_fd: int) -> DataFolder:
        """A directory this process held before its exec; its lock file still says so."""
        return cls(path, lock_fd, holder_of(path) or _own_name())

    @property
    def tmp(self) -> Path:
        """TMPDIR of every process that works here."""
        return self.path / "tmp"

    @property
    def metrics(self) -> Path:
        """Where the processes of this start keep their counters."""
        return self.path / "metrics"

    def node(self) -> str:
        """The node's name; a data directory that was never served from has one made."""
        path = self.path / "node"
        return str(orjson.loads(path.read_bytes())["node"]) if path.exists() else self.begin_epoch()[0]

    def begin_epoch(self) -> tuple[str, int]:
        """The node's name and an epoch that was never used before, durable when this returns."""
        path = self.path / "node"
        try:
            known = orjson.loads(path.read_bytes())
            node, epoch = str(known["node"]), int(known["epoch"]) + 1 + secrets.randbelow(LONGEST_STEP)
        except FileNotFoundError:
            node, epoch = secrets.token_hex(8), 1
        except (ValueError, KeyError, TypeError) as error:
            # Guessing would reuse an epoch, and with it names of segments and batches.
            raise Misconfigured(f"{path} is damaged: restore it, or start with another data directory") from error
        DISK.write_durably(path, orjson.dumps({"node": node, "epoch": epoch}))
        return node, epoch

    def empty(self) -> None:
        """Throw away what belongs to an earlier start only."""
        for folder in (self.tmp, self.metrics):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=PRIVATE, exist_ok=True)

    def listening(self, public: str, analyst: str) -> None:
        """Say in the lock file who holds it and where the ports are, so that commands find them."""
        self._holder = replace(self._holder, public=public, analyst=analyst)
        os.ftruncate(self.lock_fd, 0)
        os.pwrite(self.lock_fd, orjson.dumps(asdict(self._holder)), 0)

    def release(self) -> None:
        """Let the next one in, once every child that inherited the lock is gone, too."""
        os.close(self.lock_fd)


def hold(data: Path, patience_s: float = LOCK_PATIENCE_S) -> DataFolder:
    """Own a data directory, created if absent; after `patience_s` raises Misconfigured that says who is.

    Every file this process and its children make from now on is readable by their user only.
    """
    os.umask(_OTHERS)
    try:
        if not data.is_dir():
            DISK.make_folder(data)
        fd = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured(f"the data directory {data} cannot be used: {error.strerror}") from error
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                os.close(fd)
                raise Misconfigured(_in_use(data)) from None
            time.sleep(_POLL_S)
        else:
            folder = DataFolder(data, fd, _own_name())
            folder.listening("", "")
            return folder


def holder_of(data: Path) -> Holder | None:
    """Who held the directory last, as far as its lock file says; None if nobody ever did."""
    try:
        known: dict[str, Any] = orjson.loads((data / "lock").read_bytes())
        return Holder(**known)
    except (OSError, ValueError, TypeError):
        return None


def _own_name() -> Holder:
    return Holder(pid=os.getpid(), started=datetime.now(UTC).isoformat(timespec="seconds"))


def _in_use(data: Path) -> str:
    holder = holder_of(data)
    who = f"process {holder.pid}, started {holder.started}," if holder else "another process"
    return f"the data directory {data} is in use: {who} holds it. Stop that one, or choose another with --data."
