"""What could not be counted, kept until somebody decides: DATA/quarantine/.

    <first segment>.batches      frozen batches the database refuses for good, or whose header is damaged; they still
                                 speak for their segments
    <segment>.<events>.segment   copy of a segment with damaged frames or events of a kind that is no longer declared;
                                 its other events are counted

The loader puts files here and takes them back; the analyst port lists them for `collector quarantine`. Nothing is
ever removed by itself. Used in the loader's thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.disk import Disk
from collector.errors import Corrupt
from collector.warehouse.batch import SUFFIX, Frozen, read_frozen

FOLDER = "quarantine"
_NAME = re.compile(r"[0-9a-f]{16}-[0-9]+-[0-9]+-[0-9]+(\.batches|\.[0-9]+\.segment)")


class NotKept(Exception):
    """There is no such file in quarantine, or it is none that this can be done with; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file in quarantine. `why` is a sentence; `events` None where nobody can tell; `since` is UTC, ISO 8601."""

    name: str
    why: str
    events: int | None
    size_bytes: int
    since: str


class Quarantine:
    """The files set aside in one data folder."""

    def __init__(self, disk: Disk, data: Path) -> None:
        self._disk = disk
        self.folder = data / FOLDER

    def take(self, path: Path) -> None:
        """Move a file here; it lies in one of the two folders at every moment, and after a crash."""
        self._move(path, self.folder / path.name)

    def copy(self, path: Path) -> None:
        """Keep a copy of a file that is about to be deleted."""
        self._disk.write_durably(self.folder / path.name, self._disk.read(path))

    def batches(self) -> list[Path]:
        """The frozen files here, oldest name first."""
        return [self.folder / name for name in self._disk.names(self.folder) if name.endswith(SUFFIX)]

    def list(self) -> list[Kept]:
        """Everything that is kept."""
        return [self._kept(name) for name in self._disk.names(self.folder) if _NAME.fullmatch(name)]

    def show(self, name: str) -> dict[str, Any]:
        """One file, and of frozen batches what each holds; raises NotKept."""
        path = self._find(name)
        kept = self._kept(name)
        shown: dict[str, Any] = {field: getattr(kept, field) for field in Kept.__slots__}
        if frozen := self._frozen(path):
            shown["segments"] = frozen.segments
            shown["batches"] = [
                {"name": batch.name, "day": _day(batch.day), "events": batch.events, "rows": batch.rows}
                for batch in frozen.batches
            ]
        return shown

    def release(self, name: str, target: Path) -> Frozen:
        """Move frozen batches back to where they are loaded from; raises NotKept."""
        path = self._find(name)
        frozen = self._frozen(path)
        if frozen is None:
            raise NotKept("only whole batches can be tried again: the other events of this segment are counted")
        self._move(path, target / name)
        return read_frozen(self._disk, target / name)

    def drop(self, name: str) -> Kept:
        """Delete a file for good; what it was. Raises NotKept."""
        path = self._find(name)
        kept = self._kept(name)
        self._disk.unlink(path)
        self._disk.sync_folder(self.folder)
        return kept

    def _find(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name not in self._disk.names(self.folder):
            raise NotKept("there is no such file in quarantine")
        return self.folder / name

    def _move(self, path: Path, target: Path) -> None:
        self._disk.rename(path, target)
        self._disk.sync_folder(target.parent)
        self._disk.sync_folder(path.parent)

    def _frozen(self, path: Path) -> Frozen | None:
        if not path.name.endswith(SUFFIX):
            return None
        try:
            return read_frozen(self._disk, path)
        except Corrupt:
            return None

    def _kept(self, name: str) -> Kept:
        path = self.folder / name
        events: int | None = None
        if not name.endswith(SUFFIX):
            why = "copy of a segment: some of its events are damaged or of a kind that is not declared any more"
        elif frozen := self._frozen(path):
            events = sum(batch.events for batch in frozen.batches)
            why = "refused by the database for good"
        else:
            why = "damaged: what it holds cannot be read"
        since = datetime.fromtimestamp(self._disk.modified_s(path), UTC).isoformat(timespec="seconds")
        return Kept(name=name, why=why, events=events, size_bytes=self._disk.size_bytes(path), since=since)


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
