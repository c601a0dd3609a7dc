"""Searches the database: every row of every table as the engine gives them, and the types its columns have.

The engine opens a copy of the data, in a process of its own, and writes every column of every row as text, tables of
its own logs included; what its files pack with codecs is unpacked by that. A type other than counts, days, hours and
short words is a finding by itself: a sketch holds hashes or raw input while it is small, and no search can tell which.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from collector.tools.prove.forms import Canaries
from collector.tools.prove.node import CannotBeDone
from collector.tools.prove.scan import Hit, Scan

_TABLE = b"\x00table \x00"
_DUMP = """
import sys, chdb.session
folder, statements, packed = sys.argv[1], sys.argv[2].split(";"), sys.argv[3:]
session = chdb.session.Session(folder)
for statement in filter(None, statements):
    session.query(statement)
def say(name, query):
    rows = session.query(query, "TabSeparatedRawWithNames").bytes()
    sys.stdout.buffer.write(b"\\x00table \\x00" + name.encode() + b"\\n" + rows)
ours = "database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')"
say("types", f"SELECT database, table, name, type FROM system.columns WHERE {ours}")
tables = f"SELECT database, name FROM system.tables WHERE {ours} OR engine LIKE '%MergeTree%'"
for line in session.query(tables, "TabSeparated").bytes().decode().splitlines():
    database, name = line.split()
    say(f"{database}.{name}", f"SELECT * FROM `{database}`.`{name}`")
for path in packed:
    say(path, f"SELECT * FROM file('{path}', 'RawBLOB', 'content String', 'zstd')")
"""
_ALLOWED = re.compile(r"Date|DateTime\('UTC'\)|LowCardinality\(String\)|UInt(8|16|32|64)")


def scan_tables(folder: Path, canaries: Canaries, packed: Sequence[Path] = (), planted: Sequence[str] = ()) -> Scan:
    """The engine's data in a folder, and what is in files packed by Zstandard; after executing statements on a copy."""
    scan = Scan("tables, decoded", "tables")
    with tempfile.TemporaryDirectory(prefix="collector-prove-") as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy, symlinks=True)
        for name, rows in _dumped(copy, packed, planted):
            if name == "types":
                scan.hits.update(_other_types(rows))
            scan.search(name, rows, canaries)
    if not scan.items:
        raise CannotBeDone("the engine gave no table")
    return scan


def _dumped(folder: Path, packed: Iterable[Path], planted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    command = [sys.executable, "-c", _DUMP, str(folder), ";".join(planted), *map(str, packed)]
    ran = subprocess.run(command, capture_output=True, check=False)
    if ran.returncode:
        raise CannotBeDone(f"the engine cannot read the data: {ran.stderr.decode(errors='replace')[-500:]}")
    for table in ran.stdout.split(_TABLE)[1:]:
        name, _, rows = table.partition(b"\n")
        yield name.decode(), rows


def _other_types(rows: bytes) -> Iterator[Hit]:
    """Columns that could hold more than counts, days, hours and short words."""
    for line in rows.decode().splitlines()[1:]:
        database, table, column, kind = line.split("\t")
        if not _ALLOWED.fullmatch(kind):
            yield Hit(f"{database}.{table}", f"column {column}", f"of type {kind}")
