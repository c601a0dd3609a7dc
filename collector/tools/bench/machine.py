"""What a measurement depends on besides the program: processors, kernel, versions, and how fast its disk is.

Called by rounds.py; it measures nothing of the collector.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

APPENDS = 200
APPEND_BYTES = 4096
_PACKAGES = ("aiohttp", "uvloop", "orjson", "jsonschema-rs", "clickhouse-connect", "chdb")
_IN_MEMORY = ("tmpfs", "ramfs")


def described() -> dict[str, str]:
    """Processors, load, kernel, Python and the versions of what the figures depend on."""
    facts = {
        "cores": f"{len(os.sched_getaffinity(0))} ({_processor()})",
        "load": f"{os.getloadavg()[0]:.2f} before the first run",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def real_disk() -> Path | None:
    """A folder for temporary data that does not lie in memory: the system's own if it does not, else another."""
    candidates = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd())  # noqa: S108 - only asked where it lies
    return next((each for each in candidates if os.access(each, os.W_OK) and file_system(each) not in _IN_MEMORY), None)


def file_system(folder: Path) -> str:
    """The type of the file system a folder lies in, as the kernel names it."""
    place = folder.resolve()
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [(len(where), kind) for where, kind in mounts if place.is_relative_to(where)]
    return max(holding, default=(0, "unknown"))[1]


def fdatasync_ms(folder: Path) -> float:
    """Median time to append 4 KB and make it durable there."""
    block, took = os.urandom(APPEND_BYTES), []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(APPENDS):
            began = time.perf_counter()
            file.write(block)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
