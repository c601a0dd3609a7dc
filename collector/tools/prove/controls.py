"""Proves the searches: each must find what is planted for it, or what it does not find says nothing.

What is planted are words drawn for this only and a packed address, by the means a leak would use: a file, a packed
file, a line of a log, a row, a page of metrics, and a process that has them in its arguments, its environment, a file
of memory and its memory. All of it lies in a folder of its own, and is gone at the end.
"""

from __future__ import annotations

import bz2
import gzip
import ipaddress
import lzma
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.tools.prove.forms import ADDRESS, Canaries
from collector.tools.prove.processes import Processes, scan_environment, scan_memory, scan_open_files
from collector.tools.prove.scan import Scan, packed_by_zstandard, scan_files, scan_sqlite
from collector.tools.prove.tables import scan_tables

_PACKED = ipaddress.ip_address(ADDRESS).packed
_HOLDER = """
import os, sys
fd = os.memfd_create("planted")
os.write(fd, sys.argv[1].encode())
kept = [sys.argv[1].encode().hex(), bytes(int(part) for part in sys.argv[2].split("."))]
print("ready", flush=True)
sys.stdin.read()
"""


def controls(engine: Path) -> dict[str, bool]:
    """Every kind of search, and whether it found what was planted. `engine`: data to plant in."""
    canaries = Canaries()
    word = canaries.words.agent
    with tempfile.TemporaryDirectory(prefix="collector-prove-") as scratch:
        folder = Path(scratch)
        found = {
            "files": all(_all_found(plant(folder, word), canaries) for plant in (_files, _packed)),
            "sqlite": _finds(scan_sqlite(_database(folder / "sqlite", word), canaries), "agent", ADDRESS),
            "tables": _tables(engine, folder / "zstandard", canaries),
            "metrics": _metrics(canaries),
        }
        with _holder(canaries.words.agent) as processes:
            places = {hit.place for hit in scan_environment(processes, canaries).hits}
            found["environment"] = places == {"planted: environ", "planted: cmdline"}
            found["open files"] = _finds(scan_open_files(processes, canaries), "agent")
            forms = {(hit.what, hit.how) for hit in scan_memory(processes, canaries).hits}
            found["memory"] = {("agent", "hex"), (ADDRESS, "packed, big endian")} <= forms
    return found


def _finds(scan: Scan, *things: str) -> bool:
    return set(things) <= {hit.what for hit in scan.hits}


def _all_found(folder: Path, canaries: Canaries) -> bool:
    """Whether the search finds something in every single file of a folder."""
    return all(scan_files("planted", [path], canaries).hits for path in folder.iterdir())


def _files(folder: Path, word: str) -> Path:
    """A log's line, a file in whose middle an address lies packed, in either order, and one that is named so."""
    folder = folder / "files"
    folder.mkdir()
    noise = secrets.token_bytes(10_000)
    (folder / "a.log").write_text(f"time=now level=info agent={word.upper()}\n")
    (folder / "big").write_bytes(noise + _PACKED + noise)
    (folder / "little").write_bytes(noise + _PACKED[::-1] + noise)
    (folder / word).write_bytes(noise)
    return folder


def _packed(folder: Path, word: str) -> Path:
    folder = folder / "packed"
    folder.mkdir()
    packs: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for name, pack in packs.items():
        (folder / f"a.log.{name}").write_bytes(pack(f"a line with {word}\n".encode() * 100))
    return folder


def _database(folder: Path, word: str) -> Path:
    folder.mkdir()
    connection = sqlite3.connect(folder / "planted.sqlite")
    connection.execute("CREATE TABLE planted (a TEXT, b INTEGER)")
    connection.execute("INSERT INTO planted VALUES (?, ?)", (word, int.from_bytes(_PACKED, "big")))
    connection.commit()
    connection.close()
    return folder


def _tables(engine: Path, folder: Path, canaries: Canaries) -> bool:
    """Whether words and an address are found in rows, and in a file packed by Zstandard; and a sketch by its type."""
    folder.mkdir()
    path = folder / "planted.zst"
    word, other = canaries.words.agent, canaries.words.body
    columns = "a IPv4, b String, c AggregateFunction(uniqExact, UInt32)"
    address = f"toIPv4('{ADDRESS}')"
    row = f"{address}, base64Encode('{word}'), uniqExactState(toUInt32({address}))"
    planted = (
        f"CREATE TABLE default.planted ({columns}) ENGINE = MergeTree ORDER BY a",
        f"INSERT INTO default.planted SELECT {row}",
        f"INSERT INTO FUNCTION file('{path}', 'RawBLOB', 'content String', 'zstd') SELECT '{other}'",
    )
    scan = scan_tables(engine, canaries, [path], planted)
    sketch = any("AggregateFunction" in hit.how for hit in scan.hits)
    return _finds(scan, "agent", "body", ADDRESS) and sketch and packed_by_zstandard([folder]) == [path]


def _metrics(canaries: Canaries) -> bool:
    scan = Scan("metrics", "metrics")
    scan.search("metrics", f'requests_total{{agent="{canaries.words.agent}"}} 1.0\n'.encode(), canaries)
    return _finds(scan, "agent")


@contextmanager
def _holder(word: str) -> Iterator[Processes]:
    """A process that holds a word wherever a process can, and packed an address in its memory."""
    environ = {**os.environ, "PLANTED": word}
    command = [sys.executable, "-c", _HOLDER, word, ADDRESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as process:
        try:
            if process.stdout and process.stdout.readline():
                yield {process.pid: "planted"}
        finally:
            process.kill()
