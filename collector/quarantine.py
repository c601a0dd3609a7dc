"""What could not be counted, kept until somebody decides: DATA/quarantine/.

    <first segment>.batches                       frozen batches the database refuses for good, or whose header is
                                                  damaged; they still speak for their segments
    <segment>.<uncounted>-of-<events>.segment     copy of a segment with damaged frames or events of a kind that is no
                                                  longer declared; its other events are counted

The loader puts files here and takes them back; `collector quarantine` lists, shows and drops them, by way of the
analyst port or itself while no server runs. Nothing is ever removed by itself. Used in the loader's thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from collector.disk import Disk
from collector.errors import Corrupt
from collector.log import log
from collector.warehouse.batch import SUFFIX, Batch, Frozen, freeze_again, frozen_in, read_frozen

FOLDER = "quarantine"
REFUSED = "refused by the database for good"
NOT_WHOLE = "copy of a segment: these of its events are damaged, or of a kind that was not declared any more"
DAMAGED = "damaged: what it holds cannot be read, and segments that may be in it stay in the spool uncounted"
_NAME = re.compile(r"([0-9a-f]{16}-[0-9]+-[0-9]+-[0-9]+)(?:\.batches|\.([0-9]+)-of-([0-9]+)\.segment)")


class NotKept(Exception):
    """There is no such file in quarantine; the text says so."""


class NotTriable(NotKept):
    """The file is in quarantine, and cannot be tried again; the text says why."""


class Spool(Protocol):
    """What is needed of the spool's reader (spool/reader.py)."""

    @property
    def disk(self) -> Disk: ...
    def delete(self, names: Iterable[str]) -> None: ...
    def uncounted_in(self, path: Path, name: str, events: int) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file in quarantine.

    why     a sentence
    events  that are not counted; None where nobody can tell
    since   when it was written: UTC, ISO 8601
    """

    name: str
    why: str
    events: int | None
    size_bytes: int
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What became of batches that were taken back, in events: together as many as were in them."""

    loaded: int = 0
    refused: int = 0
    waiting: int = 0
    stopped: int = 0


class Quarantine:
    """The files set aside in one data folder."""

    def __init__(self, spool: Spool, data: Path) -> None:
        self._spool = spool
        self._disk = spool.disk
        self.folder = data / FOLDER

    def take(self, path: Path) -> None:
        """Move a file here; it lies in one of the two folders at every moment, and after a crash."""
        self._move(path, self.folder / path.name)

    def take_refused(self, frozen: Frozen, refused: list[Batch]) -> None:
        """Keep these batches of a frozen file; the other ones are verified, and it may go once its segments are gone.

        Where there is no room to write them apart, the whole file is moved here: trying it again is harmless.
        """
        if len(refused) < len(frozen.batches):
            try:
                freeze_again(self._disk, self.folder / frozen.path.name, frozen, refused)
            except (OSError, Corrupt) as error:
                log.warning("a file is set aside with what is loaded of it", error=type(error).__name__)
            else:
                return
        self.take(frozen.path)

    def copy(self, path: Path, uncounted: int) -> None:
        """Keep a copy of a closed segment that is about to be deleted, of which so many events cannot be counted."""
        name, events, _ = path.name.split(".")
        self._disk.write_durably(self.folder / f"{name}.{uncounted}-of-{events}.segment", self._disk.read(path))

    def batches(self) -> Sequence[tuple[Path, Frozen | Corrupt]]:
        """The frozen files here, oldest name first, or what is wrong with them."""
        return frozen_in(self._disk, self.folder)

    def list(self) -> list[Kept]:
        """Everything that is kept."""
        return [self._kept(name) for name in self.names()]

    def show(self, name: str) -> dict[str, Any]:
        """One file as in the list; what each of its batches holds, or of a copy what is missing in it. Raises NotKept.

        batches   name, day, events, rows, and whether it is damaged
        held      events the segment held; damaged and undeclared: those that cannot be read today, None if nobody knows
        """
        path, segment, held = self._find(name)
        shown = asdict(self._kept(name))
        if held is not None:
            damaged, undeclared = self._uncounted(path, segment, held)
            return shown | {"held": held, "damaged": damaged, "undeclared": undeclared}
        if frozen := self._frozen(path):
            shown["segments"] = frozen.segments
            shown["batches"] = [
                {
                    "name": batch.name,
                    "day": _day(batch.day),
                    "events": batch.events,
                    "rows": batch.rows,
                    "damaged": _is_damaged(batch),
                }
                for batch in frozen.batches
            ]
        return shown

    def release(self, name: str, target: Path) -> Frozen:
        """Move frozen batches back to where they are loaded from; raises NotKept or NotTriable."""
        path, _, held = self._find(name)
        if held is not None:
            raise NotTriable("only batches can be tried again: all that can be read of this segment is counted")
        frozen = self._frozen(path)
        if frozen is None or any(map(_is_damaged, frozen.batches)):
            raise NotTriable("it is damaged on disk, or the disk does not give it: it cannot be tried again now")
        if name in self._disk.names(target):
            raise NotTriable("it is being loaded already")
        self._move(path, target / name)
        return read_frozen(self._disk, target / name)

    def drop(self, name: str) -> Kept:
        """Delete a file for good; what it was. Raises NotKept."""
        path, _, _ = self._find(name)
        kept = self._kept(name)
        if frozen := self._frozen(path):  # a crash may have left them: without it they would look new
            self._spool.delete(frozen.segments)
        self._disk.unlink(path)
        self._disk.sync_folder(self.folder)
        log.warning("dropped from quarantine for good", file=name, events=kept.events)
        return kept

    def names(self) -> Sequence[str]:
        """The names of all files here."""
        return [name for name in self._disk.names(self.folder) if _NAME.fullmatch(name)]

    def _find(self, name: str) -> tuple[Path, str, int | None]:
        """Where a file is, the segment it is named for, and how many events that one held if it is a copy."""
        matched = _NAME.fullmatch(name)
        if matched is None or name not in self.names():
            raise NotKept("there is no such file in quarantine")
        return self.folder / name, matched[1], None if matched[3] is None else int(matched[3])

    def _move(self, path: Path, target: Path) -> None:
        self._disk.rename(path, target)
        self._disk.sync_folder(target.parent)
        self._disk.sync_folder(path.parent)

    def _frozen(self, path: Path) -> Frozen | None:
        """The batches of a file; None if it is a copy of a segment, or damaged."""
        if not path.name.endswith(SUFFIX):
            return None
        try:
            return read_frozen(self._disk, path)
        except Corrupt:
            return None

    def _uncounted(self, path: Path, segment: str, held: int) -> tuple[int | None, int | None]:
        try:
            return self._spool.uncounted_in(path, segment, held)
        except (OSError, ValueError, LookupError):
            return None, None

    def _kept(self, name: str) -> Kept:
        path = self.folder / name
        matched = _NAME.fullmatch(name)
        events: int | None = None
        if matched and matched[2]:
            events, why = int(matched[2]), NOT_WHOLE
        elif frozen := self._frozen(path):
            events, why = frozen.events, REFUSED
        else:
            why = DAMAGED
        since = datetime.fromtimestamp(self._disk.modified_s(path), UTC).isoformat(timespec="seconds")
        return Kept(name=name, why=why, events=events, size_bytes=self._disk.size_bytes(path), since=since)


def _is_damaged(batch: Batch) -> bool:
    try:
        batch.body()
    except Corrupt:
        return True
    return False


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
