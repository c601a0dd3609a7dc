"""Searches what lies on disk: files as they are, what is packed in them, and rows of SQLite.

One Scan tells of one kind of place: how much was searched, what was found, and whether the same search found what was
planted for it (controls.py). A file is searched by its name, as it is, and unpacked if its first bytes say that it is
gzip, bzip2, xz or Zstandard. Nothing here decides what a finding means: run.py does.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import sqlite3
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from collector.tools.prove.forms import Canaries

_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\0": lzma.decompress,
}
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # unpacked by the engine (tables.py): Python has no way to before 3.14
_FAILURES = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
_PAGE = 4096
_ZEROS = bytes(_PAGE)
_SQLITE = b"SQLite format 3\0"


class Hit(NamedTuple):
    """Something that was sent, or a key, and where it stands."""

    place: str
    what: str
    how: str


@dataclass(slots=True)
class Scan:
    """The search of one kind of place.

    kind          what search it is; each has one control
    items, size_bytes  how many files, rows or mappings were searched, and how much that was
    hits          how often which
    control       whether what was planted for this search was found; None before
    """

    name: str
    kind: str
    items: int = 0
    size_bytes: int = 0
    hits: Counter[Hit] = field(default_factory=Counter)
    control: bool | None = None

    def search(self, place: str, data: bytes, canaries: Canaries) -> None:
        """Search some bytes, all of which are in one place."""
        self.items += 1
        self.size_bytes += len(data)
        self.hits.update(Hit(place, form.what, form.how) for form, _ in canaries.places(without_zeros(data)))


def without_zeros(data: bytes) -> bytes:
    """The same with one page of zeros for any number of them: most of a process's memory, and of a filter, is that."""
    kept, last = [], b""
    for at in range(0, len(data), _PAGE):
        page = data[at : at + _PAGE]
        if page != _ZEROS or last != _ZEROS:
            kept.append(page)
        last = page
    return b"".join(kept)


def scan_files(name: str, folders: Iterable[Path], canaries: Canaries) -> Scan:
    """Everything below these folders: names, contents, and contents unpacked."""
    scan = Scan(name, "files")
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            place = str(path.relative_to(folder.parent))
            scan.search(place, place.encode(errors="surrogateescape") + b"\n" + _content(path), canaries)
    return scan


def scan_sqlite(folder: Path, canaries: Canaries) -> Scan:
    """Every value of every row of every SQLite file below a folder, as text; read from a copy."""
    scan = Scan("SQLite, decoded", "sqlite")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _content(path).startswith(_SQLITE):
            with tempfile.TemporaryDirectory(prefix="collector-prove-") as copies:
                for part in (path, path.with_name(path.name + "-wal")):
                    if part.exists():
                        shutil.copy(part, copies)
                for table, rows in _rows(Path(copies) / path.name):
                    scan.search(f"{path.name}: {table}", rows, canaries)
    return scan


def packed_by_zstandard(folders: Iterable[Path]) -> list[Path]:
    """The files below these folders that only the engine can unpack."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in paths if _content(path).startswith(ZSTANDARD)]


def _content(path: Path) -> bytes:
    """What is in a file, and after it what is packed in it; nothing of one that went meanwhile, or is no file."""
    try:
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    except OSError:
        return b""
    for first, unpack in _UNPACK.items():
        if data.startswith(first):
            try:
                return data + b"\n" + unpack(data)
            except _FAILURES:
                return data
    return data


def _rows(path: Path) -> Iterable[tuple[str, bytes]]:
    """Every table's name and rows."""
    connection = sqlite3.connect(path)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            rows = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - a name out of the file itself
            yield name, b"\n".join(b"\t".join(map(_as_bytes, row)) for row in rows)
    finally:
        connection.close()


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")
