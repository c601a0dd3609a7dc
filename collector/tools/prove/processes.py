"""Searches running processes: environment and arguments, open files, and memory.

All of it through /proc, as root of the machine could: open files by their descriptors, files of memory (memfd) and
deleted ones among them; memory by every mapping that can be read and is not a file that cannot be written (programs and
libraries). The epoch's own memory is where the day's keys belong: there only keys do not count.
"""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from collector.tools.prove.forms import KEY, Canaries, holds_an_address
from collector.tools.prove.scan import Hit, Scan, without_zeros

EPOCH_MEMORY = "/memfd:collector-epoch"
_KEYS_AT = (4096 + 8, 8192 + 8)  # count/filter.py draws it
_KEY_BYTES = 32
_CHUNK = 4 << 20
_OVERLAP = 1024  # more than the longest form
_SPECIAL = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
_MOST = 1 << 30

Processes = Mapping[int, str]


class Mapped(NamedTuple):
    """A part of a process's memory."""

    start: int
    end: int
    name: str


def day_keys(supervisor: int) -> list[bytes]:
    """The keys in the epoch's memory, read where the supervisor has it open."""
    for link, path in _open_files(supervisor):
        if path.startswith(EPOCH_MEMORY):
            with link.open("rb") as memory:
                found = [os.pread(memory.fileno(), _KEY_BYTES, at) for at in _KEYS_AT]
            return [key for key in found if any(key)]
    return []


def scan_environment(processes: Processes, canaries: Canaries) -> Scan:
    """Environment and arguments."""
    scan = Scan("environment and arguments", "environment")
    for pid, role in processes.items():
        for name in ("environ", "cmdline"):
            with suppress(OSError):
                scan.search(f"{role}: {name}", Path(f"/proc/{pid}/{name}").read_bytes(), canaries)
    return scan


def scan_open_files(processes: Processes, canaries: Canaries) -> Scan:
    """What processes have open: files, also deleted ones and those of memory."""
    scan = Scan("open files, memfds", "open files")
    seen = set()
    for pid, role in processes.items():
        for link, path in _open_files(pid):
            with suppress(OSError):
                about = link.stat()
                if not stat.S_ISREG(about.st_mode) or (about.st_dev, about.st_ino) in seen:
                    continue
                seen.add((about.st_dev, about.st_ino))
                found = Scan(scan.name, scan.kind)
                with link.open("rb") as file:
                    for data in _chunks(file.read, about.st_size):
                        found.search(f"{role}: {path}", data, canaries)
                if path.startswith(EPOCH_MEMORY):
                    found.hits = type(found.hits)({hit: n for hit, n in found.hits.items() if hit.what != KEY})
                scan.items += 1
                scan.size_bytes += about.st_size
                scan.hits += found.hits
    return scan


def scan_memory(processes: Processes, canaries: Canaries) -> Scan:
    """Memory of every process; what is only zeros is counted as searched."""
    scan = Scan("memory", "memory")
    with ThreadPoolExecutor() as together:
        for found in together.map(lambda pid: _search_process(pid, processes[pid], canaries), processes):
            scan.items += found.items
            scan.size_bytes += found.size_bytes
            scan.hits += found.hits
    return scan


def _search_process(pid: int, role: str, canaries: Canaries) -> Scan:
    scan = Scan("memory", "memory")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for mapped in _mappings(pid):
            scan.items += 1
            _search_mapping(scan, memory.fileno(), f"{role} {pid}: {mapped.name}", mapped, canaries)
    return scan


def _search_mapping(scan: Scan, memory_fd: int, place: str, mapped: Mapped, canaries: Canaries) -> None:
    for start in range(mapped.start, mapped.end, _CHUNK):
        with suppress(OSError):  # pages that went meanwhile
            data = os.pread(memory_fd, min(_CHUNK + _OVERLAP, mapped.end - start), start)
            scan.size_bytes += min(_CHUNK, len(data))
            data = without_zeros(data)
            for form, at in canaries.places(data):
                if not form.short or holds_an_address(data, at):
                    scan.hits[Hit(place, form.what, form.how)] += 1


def _mappings(pid: int) -> Iterator[Mapped]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        name = fields[5] if len(fields) > 5 else "anonymous"  # noqa: PLR2004 - proc_pid_maps(5)
        is_file = name.startswith("/") and "w" not in fields[1]
        if "r" in fields[1] and not is_file and name not in _SPECIAL and not name.startswith(EPOCH_MEMORY):
            start, end = (int(number, 16) for number in fields[0].split("-"))
            yield Mapped(start, end, name)


def _open_files(pid: int) -> Iterator[tuple[Path, str]]:
    """Every open file as a path to open it by, and what it is."""
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield link, str(link.readlink())


def _chunks(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """What can be read, in pieces that overlap."""
    before = b""
    for _ in range(0, min(size, _MOST), _CHUNK):
        data = read(_CHUNK)
        yield before + data
        before = data[-_OVERLAP:]


def about_cores(pid: int) -> str:
    """Where this machine puts the memory of a process that crashes, and how much of it a process may leave."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    soft, _ = resource.prlimit(pid, resource.RLIMIT_CORE)
    size = "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft:,} bytes"
    return f"core pattern {pattern!r}, {size}"
