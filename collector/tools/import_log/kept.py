"""What an import keeps in DATA/imports, so that it goes on where it was killed, and never counts a file twice.

    imports/imported.json    {"files": [{"bytes", "sha256", "day"}]}      what was imported; for good
    imports/<node>/<n>.cells chunk n of an import under way: cells, never lines, and how far every file was read
    imports/<node>/counted   all is read, and folded: {"files", "tally", "days"}; from here on no file is looked at
    imports/<node>/*.batches the folded days that were not handed over yet (warehouse/batch.py)

<node> is made of what the files hold and of what decides how they are counted: the same command is the same node. An
import that was begun and is not this one is thrown away: nothing of it was counted yet. One that has `counted` is
finished first. Cells of a chunk: [report, property, bucket, values, epoch, events, visitors, networks, firsts, amount].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from collector.cell import MAX_DIMENSIONS, Counters
from collector.disk import Disk
from collector.errors import Misconfigured
from collector.tools.import_log.counting import CellsOfDays
from collector.tools.import_log.logs import Content
from collector.warehouse.batch import SUFFIX
from collector.warehouse.folding import DayCell

FOLDER = "imports"
_IMPORTED, _COUNTED, _CELLS = "imported.json", "counted", ".cells"


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far an import is: `places` and `ends` by file, the tally so far, how often it was begun.

    ends   where what was read for good ends in a file: before the first line of a day that is not over; None at its end
    until  the day that was not over when it began, in days since 1970
    """

    places: list[int]
    ends: list[int | None]
    until: int
    epoch: int = 1
    tally: Counter[str] = field(default_factory=Counter)


class Import:
    """One import under way: its folder, DATA/imports/<node>."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self.folder = folder
        self.node = int(folder.name, 16)

    def chunks(self) -> list[Path]:
        """Its chunks, in their order."""
        names = (name for name in self._disk.names(self.folder) if name.endswith(_CELLS) and not name.startswith("."))
        return [self.folder / name for name in sorted(names)]

    def progress(self) -> Progress | None:
        """How far it was durably read; None if nothing of it is."""
        chunks = self.chunks()
        if not chunks:
            return None
        said = self._read(chunks[-1])["progress"]
        return Progress(**said | {"tally": Counter(said["tally"])})

    def add(self, progress: Progress, days: CellsOfDays) -> None:
        """Make one more chunk durable, and with it how far it is. Raises OSError."""
        said = {
            "progress": {name: getattr(progress, name) for name in Progress.__slots__},
            "days": [[day, [_as_list(*item) for item in cells.items()]] for day, cells in days.items()],
        }
        self._disk.make_folder(self.folder)
        self._disk.write_durably(self.folder / f"{len(self.chunks()):08}{_CELLS}", orjson.dumps(said))

    def days(self) -> Iterator[tuple[int, list[tuple[str, DayCell]]]]:
        """Each day with the cells of all chunks, each with its property; a day is let go of once it is told."""
        chunks = self.chunks()
        last = {day: number for number, chunk in enumerate(chunks) for day, _ in self._read(chunk)["days"]}
        open_days: dict[int, list[tuple[str, DayCell]]] = {}
        for number, chunk in enumerate(chunks):
            for day, cells in self._read(chunk)["days"]:
                open_days.setdefault(day, []).extend(map(_as_cell, cells))
            for day in sorted(day for day in open_days if last[day] == number):
                yield day, open_days.pop(day)

    def counted(self) -> dict[str, Any] | None:
        """What was counted of which files; None while it is read."""
        path = self.folder / _COUNTED
        return self._read(path) if path.exists() else None

    def set_counted(self, said: dict[str, Any]) -> None:
        """Note that everything is read and folded: from here on only the folded days matter. Raises OSError."""
        self._disk.make_folder(self.folder)
        self._disk.write_durably(self.folder / _COUNTED, orjson.dumps(said))

    def folded(self) -> list[str]:
        """The folded days that were not handed over, as names of files, earliest first."""
        return [name for name in self._disk.names(self.folder) if name.endswith(SUFFIX) and not name.startswith(".")]

    def remove(self) -> None:
        """Leave nothing of it; killed in between, the rest goes the next time."""
        for name in sorted(self._disk.names(self.folder), key=lambda name: name == _COUNTED):
            self._disk.unlink(self.folder / name)
        if self.folder.exists():
            self.folder.rmdir()

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            said: dict[str, Any] = orjson.loads(self._disk.read(path))
        except ValueError as error:
            raise Misconfigured(f"{path} is damaged: remove its folder, and import again") from error
        return said


class Imports:
    """DATA/imports."""

    def __init__(self, disk: Disk, data: Path) -> None:
        self._disk = disk
        self._folder = data / FOLDER

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own it for the block; raises Misconfigured while another import runs."""
        self._disk.make_folder(self._folder)
        with self._disk.owned(self._folder, wait=False) as is_owned:
            if not is_owned:
                raise Misconfigured("another import runs: wait until it has ended")
            yield

    def imported(self) -> dict[Content, date]:
        """What was imported, and when."""
        path = self._folder / _IMPORTED
        if not path.exists():
            return {}
        try:
            files = orjson.loads(self._disk.read(path))["files"]
            return {Content(each["bytes"], each["sha256"]): date.fromisoformat(each["day"]) for each in files}
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(f"{path} is damaged: what was imported before is not known any more") from error

    def remember(self, contents: Sequence[Content], day: date) -> None:
        """Note what was imported; what is known keeps its day. Raises OSError."""
        known = dict.fromkeys(contents, day) | self.imported()
        files = [{"bytes": each.size_bytes, "sha256": each.digest, "day": str(on)} for each, on in known.items()]
        self._disk.write_durably(self._folder / _IMPORTED, orjson.dumps({"files": files}))

    def of(self, node: int) -> Import:
        """The import that is that node."""
        return Import(self._disk, self._folder / f"{node:016x}")

    def begun(self) -> list[Import]:
        """What is under way, this one or another."""
        return [
            Import(self._disk, self._folder / name)
            for name in self._disk.names(self._folder)
            if (self._folder / name).is_dir()
        ]


def _as_list(key: Any, counters: Counters) -> list[Any]:
    report, property_id, bucket, values, epoch = key
    counted = counters.events, counters.visitors, counters.networks, counters.firsts, counters.amount
    return [report, property_id, bucket, values, epoch, *counted]


def _as_cell(cell: list[Any]) -> tuple[str, DayCell]:
    report, property_id, bucket, values, epoch, *counted = cell
    padded = (*values, *("",) * (MAX_DIMENSIONS - len(values)))
    return property_id, DayCell(report, bucket, padded, epoch, Counters(*counted))
