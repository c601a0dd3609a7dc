"""Syscalls of a running process, seen and hit by strace: which of them change what lies below a folder, and how.

A point is one such syscall of a chain of steps that is done again and again. Calls of the program's own thread come in
the same order every time: the n-th of its name is meant. The engine shares its work out among threads as it likes, but
names every file it writes: there the n-th call of a name on a path is meant. What is hit is never executed: it fails
with the error, or the process is killed before it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CALLS = (
    "open,openat,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,"
    "truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,rmdir,copy_file_range"
)
FAULTS = {"SIGKILL": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}

DETACH_S = 2.0

_LINE = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")
_PATH = re.compile(r'"(/[^"]*)"|<(/[^>]*)>')


@dataclass(frozen=True, slots=True)
class Call:
    """One syscall that changed what lies below the folder: the n-th `name` of its thread, the m-th on its path."""

    name: str
    path: str
    own: bool
    nth: int
    nth_on_path: int


class Strace:
    """strace on a running process for the block: on its own thread only, or on all of them."""

    def __init__(self, pid: int, log: Path, *options: str, all_threads: bool) -> None:
        self.ended = False  # whether the process has: then strace ends by itself, and must not be told to detach
        self._log = log
        follow = ["-f"] if all_threads else []
        command = ["strace", *follow, "-y", "-s", "0", "-e", "signal=none", "-o", str(log), *options, "-p", str(pid)]
        self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._strace.stderr
        for line in self._strace.stderr:  # it is attached when it says so
            if "attached" in line:
                return self
        raise RuntimeError("strace does not attach")

    def __exit__(self, *_: object) -> None:
        if not self.ended:
            self._strace.terminate()
        try:
            self._strace.communicate(timeout=DETACH_S)
        except subprocess.TimeoutExpired:  # a thread that is gone can keep it waiting for ever
            self._strace.kill()
            self._strace.communicate()

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()


def changes(lines: list[str], pid: int, folder: Path) -> list[Call]:
    """The calls among these lines of a trace that changed what lies below `folder`, in their order."""
    return list(_changes(lines, pid, f"{folder}/"))


def path_in(line: str, folder: str) -> str | None:
    """The first path below `folder` (which ends in a slash) in a line of a trace."""
    return next((path for found in _PATH.findall(line) if (path := found[0] or found[1]).startswith(folder)), None)


def _changes(lines: list[str], pid: int, folder: str) -> Iterator[Call]:
    of_thread: Counter[tuple[str, str]] = Counter()
    on_path: Counter[tuple[str, str]] = Counter()
    for line in lines:
        matched = _LINE.match(line)
        if matched is None:
            continue
        thread, name, rest = matched.groups()
        of_thread[thread, name] += 1
        path = path_in(rest, folder)
        if path is None or " = -1 " in rest or (name in ("open", "openat") and "O_CREAT" not in rest):
            continue
        on_path[name, path] += 1
        yield Call(name, path, int(thread) == pid, of_thread[thread, name], on_path[name, path])
