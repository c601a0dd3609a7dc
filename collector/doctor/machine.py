"""What the doctor looks at of the machine: clock, disk, limits, and who else can read the data directory.

Each function looks once, at the real thing, and returns one line; none of them changes anything but for one file of
4 KB that is written to see how long that takes, and removed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from collector.disk import Disk
from collector.doctor.line import Line, fail, ok, warn
from collector.spool.room import MAX_FLOOR_BYTES, SHARE
from collector.spool.segment import worker_folders

STEPPED_S = 2.0
SLOW_S, DYING_S = 0.05, 1.0  # a fast disk takes 0.1 ms for an fdatasync, a poor one 5
PROBE_BYTES = 4096
LEAST_FILES = 4096
LEAST_LOCKED_BYTES = 65_536  # the pages of two day keys, and room
NEAR = 0.75
MAX_WALKED = 100_000
NAMED = 3
_OTHERS = 0o077
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 512  # struct timex, and room
_NOT_WALKED = ("clickhouse", "tmp", "metrics")
_MB = 1_000_000


def kernel_keeps_time() -> bool | None:
    """Whether something keeps the kernel's clock in step (NTP), as far as it says; None where it does not say."""
    with suppress(AttributeError):
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))  # no modes: it only tells
        return None if state < 0 else state != _UNSYNCHRONISED
    return None


def clock(now_s: float, began_s: float, *, is_kept: bool | None) -> Line:
    """Whether the clock runs as time does. `began_s`: now less the monotonic clock, when this process began."""
    stepped_s = now_s - time.monotonic() - began_s
    if abs(stepped_s) >= STEPPED_S:
        return warn(
            "clock",
            f"it was set by {stepped_s:+,.0f} s since this process began",
            "Have NTP keep it. Set back by a day it leaves days without a key; then restart the collector.",
        )
    if is_kept is False:
        return warn("clock", "the kernel says that nothing keeps it in step", "Run an NTP client on this machine.")
    return ok("clock", "it runs evenly" + (" and is kept in step" if is_kept else ""))


def room(disk: Disk, data: Path, spool: Path, frozen: Path, quota_bytes: int) -> Line:
    """Whether events have room: below the floor, or beyond the quota, they are refused."""
    try:
        free, size = disk.free_bytes(data)
        folders = [*worker_folders(disk, spool), frozen]
        used = sum(disk.size_bytes(folder / name) for folder in folders for name in disk.names(folder))
    except OSError as error:
        return fail("disk room", f"the disk does not say ({error.strerror})", "Look at the disk of DATA.")
    floor = min(size // SHARE, MAX_FLOOR_BYTES)
    tells = f"{free // _MB:,} MB free, {used // _MB:,} of {quota_bytes // _MB:,} MB wait for the database"
    if free <= floor or used >= quota_bytes:
        return fail("disk room", tells, "Events are refused. Free some room, or see why the database is away.")
    if free <= 2 * floor or used >= NEAR * quota_bytes:
        return warn("disk room", tells, f"Below {floor // _MB:,} MB, or beyond --spool-mb, events are refused.")
    return ok("disk room", tells)


def sync_time(disk: Disk, data: Path) -> Line:
    """How long the disk takes to keep 4 KB for good, which every answer to an event waits for."""
    path = data / f".doctor.{os.getpid()}"
    began = time.perf_counter()
    try:
        fd = disk.create(path)
        try:
            disk.append(fd, bytes(PROBE_BYTES))
            began = time.perf_counter()
            disk.sync(fd)
            took_s = time.perf_counter() - began
        finally:
            disk.close(fd)
    except OSError as error:
        return fail("disk sync", f"nothing can be made durable ({error.strerror})", "Look at the disk of DATA.")
    finally:
        with suppress(OSError):
            disk.unlink(path)
    tells = f"4 KB are durable after {took_s * 1000:,.1f} ms"
    if took_s >= DYING_S:
        return fail("disk sync", tells, "Every answer waits for it: look at the disk's health, and what else uses it.")
    if took_s >= SLOW_S:
        return warn("disk sync", tells, "Every answer waits for it: put DATA on a faster disk.")
    return ok("disk sync", tells)


def limits(*, runs: bool) -> Line:
    """Limits of this process, which the collector's others have, too. Only where it `runs` does it allow no cores."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    core = resource.getrlimit(resource.RLIMIT_CORE)[0]
    if runs and core != 0:
        return fail("limits", "a core dump could be written, with addresses in it", "Start it by `collector serve`.")
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        return warn("limits", f"{files:,} open files a process", "Each connection is one: raise LimitNOFILE.")
    if locked != resource.RLIM_INFINITY and locked < LEAST_LOCKED_BYTES:
        todo = "A day's key may be swapped out: raise LimitMEMLOCK to 64 KiB, or have no swap."
        return warn("limits", f"{locked:,} bytes may be kept in memory", todo)
    what = "open files, locked memory and cores" if runs else "open files and locked memory"
    return ok("limits", f"{what} are as they should be")


def file_modes(data: Path) -> Line:
    """Whether anybody else on the machine can read the data directory."""
    if not data.stat().st_mode & _OTHERS and not (found := list(_open_to_others(data))):
        return ok("files", "nobody else on this machine can read them")
    if data.stat().st_mode & _OTHERS:
        found = [str(data)]
    named = ", ".join(sorted(found)[:NAMED])
    return fail(
        "files",
        f"others on this machine can get at {named}{' and more' if len(found) > NAMED else ''}",
        f"chmod -R go= {data}",
    )


def _open_to_others(data: Path) -> Iterator[str]:
    """Paths below it that others may read or write; the engine's own lie in a folder that is closed to them."""
    seen = 0
    for folder, folders, files in os.walk(data):
        here = Path(folder)
        for name in [*folders, *files]:
            seen += 1
            with suppress(FileNotFoundError):
                if (here / name).lstat().st_mode & _OTHERS:
                    yield str((here / name).relative_to(data))
        folders[:] = [name for name in folders if name not in _NOT_WALKED]
        if seen > MAX_WALKED:
            return
