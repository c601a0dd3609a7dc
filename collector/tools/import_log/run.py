"""The story of an import: known files are left out, lines become cells, cells folded days, and these are sealed.

    1. what an earlier import has counted and not handed over is finished; one that is not this one is thrown away
    2. lines are read by time and counted; every CHUNK_LINES the cells so far and the places reached are made durable
    3. each day's cells are folded as the sealer folds (warehouse/folding.py) and frozen; then `counted` says so
    4. frozen days move to DATA/sealing, where the sealer inserts each once and verifies it, as it does with its own
    5. what was read of each file is remembered, and nothing of the import is left

Killed anywhere it goes on there: in 2 after the last chunk, with another key and epoch; from 3 on the same bytes go the
same way. Days are sealed under the import's own node and never lie in `hot`. Called by commands/import_log.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from collector.catalogue.declarations import Declarations
from collector.clock import Clock
from collector.disk import Disk
from collector.errors import Misconfigured
from collector.tools.import_log.counting import Counting
from collector.tools.import_log.hits import Hits, Left
from collector.tools.import_log.kept import Import, Imports, Progress
from collector.tools.import_log.logs import Content, Log, Read, content_of, measured, merged
from collector.warehouse.batch import SEALING, freeze_seal, seal_name
from collector.warehouse.folding import DayCell, Folding
from collector.warehouse.tables import DAY_S, kept_after

CHUNK_LINES = 20_000  # a second of work; its cells take some 10 ms to write
HANDED_AT_ONCE = 20  # days; inserting one takes some 50 ms, and the loader waits meanwhile
_MARGIN_S = DAY_S  # of what the engine keeps, for the time until a day is inserted


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one import came to: lines by what became of them, its days as ISO dates, and its node in hex."""

    files: int
    tally: Counter[str]
    days: list[str]
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLog:
    """Imports logs.

    counting  makes what counts, in an epoch
    setup     what else decides how lines are counted: told apart, it is another import
    seal      has whoever owns the database seal what lies in DATA/sealing; raises Misconfigured
    notice    is told sentences, while it works
    """

    disk: Disk
    data: Path
    declarations: Declarations
    hits: Hits
    counting: Callable[[int], Counting]
    setup: str
    seal: Callable[[], None]
    clock: Clock
    notice: Callable[[str], None]
    advance: Callable[[int, int], None] = lambda done, of: None
    chunk_lines: int = CHUNK_LINES

    @property
    def _imports(self) -> Imports:
        return Imports(self.disk, self.data)

    def run(self, paths: Sequence[Path]) -> Told | None:
        """Import these files; None if nothing of them is new. Raises Misconfigured and OSError."""
        with self._imports.owned():
            self._finish_earlier()
            logs = self._new(paths)
            node = self._node(logs)
            for begun in self._imports.begun():
                if begun.node != node:
                    self.notice("another import was begun, of other files or otherwise configured: it counts nothing")
                    begun.remove()
            return self._import(self._imports.of(node), logs) if logs else None

    # --- which files --------------------------------------------------------------------------------------------------

    def _new(self, paths: Sequence[Path]) -> list[Log]:
        """What of these files was not imported before, each content once, in an order that their names do not make."""
        imported = self._imports.imported()
        found: dict[Content, Log] = {}
        for path in paths:
            log = measured(path, imported)
            if log.content in imported:
                self.notice(f"{path}: already imported on {imported[log.content]}")
            elif log.content in found:
                self.notice(f"{path}: holds the same as {found[log.content].path}")
            else:
                if log.begin:
                    day = imported[content_of(log, log.begin)]
                    self.notice(f"{path}: begins with what was imported on {day}; the rest is read")
                found[log.content] = log
        return [found[content] for content in sorted(found)]

    def _node(self, logs: Sequence[Log]) -> int:
        """64 bits that stand for what is imported, and how it is counted."""
        held = "\n".join(f"{log.content.size_bytes} {log.content.digest} {log.begin}" for log in logs)
        made = sha256(f"{self.declarations.digest}\n{self.setup}\n{held}".encode()).digest()
        return int.from_bytes(made[:8], "big")

    # --- reading ------------------------------------------------------------------------------------------------------

    def _import(self, one: Import, logs: Sequence[Log]) -> Told | None:
        progress = one.progress()
        if progress:
            progress.epoch += 1
            self.notice("goes on where it was interrupted: who came on that day before and after is counted twice")
        else:
            until = int(self.clock.now()) // DAY_S
            progress = Progress(places=[log.begin for log in logs], ends=[None] * len(logs), until=until)
        self._read(one, logs, progress)
        days = self._fold(one)
        contents = self._read_for_good(logs, progress)
        tally = progress.tally
        if not contents:
            one.remove()
            return Told(files=0, tally=tally, days=[], node=f"{one.node:016x}")
        files = [[content.size_bytes, content.digest] for content in contents]
        one.set_counted({"files": files, "tally": tally, "days": days})
        self._finish(one)
        return Told(files=len(contents), tally=tally, days=days, node=f"{one.node:016x}")

    def _read(self, one: Import, logs: Sequence[Log], progress: Progress) -> None:
        """Count all lines from the places on that were reached."""
        whole = sum(log.content.size_bytes for log in logs)
        lines = merged(logs, progress.places)
        kept_after = self._kept_after()
        counting: Counting | None = None
        while True:
            before = progress.tally.total()
            for read in islice(lines, self.chunk_lines):
                counting = counting or self.counting(progress.epoch)
                left = self._left(read, progress, counting, kept_after)
                progress.tally[left or "counted"] += 1
                progress.places[read.file] = read.end
            if counting is None or progress.tally.total() == before:
                return
            self.advance(sum(progress.places), whole)
            one.add(progress, counting.taken())

    def _left(self, read: Read, progress: Progress, counting: Counting, kept_after: int) -> Left | None:
        """Count a line; why not, if it is not counted."""
        line = read.line
        day = line.at // DAY_S if line else 0
        if line and day >= progress.until and progress.ends[read.file] is None:
            progress.ends[read.file] = read.begin
        if progress.ends[read.file] is not None:
            return "not_over"
        if line is None:
            return "unreadable"
        if day <= kept_after:
            return "too_old"
        event = self.hits.of(line)
        return event if isinstance(event, str) else counting.count(line, event)

    def _read_for_good(self, logs: Sequence[Log], progress: Progress) -> list[Content]:
        """What of each file is imported now; nothing of one that began with a day that is not over."""
        ends = [log.content.size_bytes if end is None else end for log, end in zip(logs, progress.ends, strict=True)]
        return [content_of(log, end) for log, end in zip(logs, ends, strict=True) if end > log.begin]

    def _kept_after(self) -> int:
        """The last day that is too long ago, in days since 1970: sealed, it would vanish before long."""
        return kept_after(self.clock.now() + _MARGIN_S)

    # --- folding and sealing ------------------------------------------------------------------------------------------

    def _fold(self, one: Import) -> list[str]:
        """Freeze what each day becomes; the days."""
        folding = Folding(self.declarations.reports, self.declarations.threshold)
        days = []
        for day, cells in one.days():
            rows = _rows(folding, day, one.node, cells)
            epochs = len({cell.epoch for _, cell in cells})
            freeze_seal(self.disk, one.folder, node=one.node, day=day, rows=rows, epochs=epochs, by="")
            days.append(str(datetime.fromtimestamp(day * DAY_S, UTC).date()))
        return sorted(days)

    def _finish_earlier(self) -> None:
        for one in self._imports.begun():
            if one.counted():
                self._finish(one)
                self.notice("an earlier import was interrupted after it had read everything: it is finished now")

    def _finish(self, one: Import) -> None:
        """Hand over what is folded, wait until it is sealed, and remember what was imported."""
        said = one.counted() or {}
        for chunk in one.chunks():
            self.disk.unlink(chunk)
        sealing = self.data / SEALING
        self.disk.make_folder(sealing)
        while self._hand_over(one, sealing):
            self.seal()
            if left := self._handed(one, sealing):
                raise Misconfigured(f"days are not sealed yet: {', '.join(left)}. The collector's log says why")
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        self._imports.remember([Content(*each) for each in said["files"]], today)
        one.remove()

    def _hand_over(self, one: Import, sealing: Path) -> bool:
        """Move some folded days to where they are sealed; whether any of this import are there."""
        oldest = seal_name(one.node, self._kept_after())
        for name in one.folded()[:HANDED_AT_ONCE]:
            if name.rpartition(".batches")[0] <= oldest:
                self.disk.unlink(one.folder / name)  # it lay here for too long
            else:
                self.disk.rename(one.folder / name, sealing / name)
        self.disk.sync_folder(sealing)
        self.disk.sync_folder(one.folder)
        return bool(one.folded() or self._handed(one, sealing))

    def _handed(self, one: Import, sealing: Path) -> list[str]:
        return [name for name in self.disk.names(sealing) if name.startswith(f"{one.node:016x}-")]


def _rows(folding: Folding, day: int, node: int, cells: list[tuple[str, DayCell]]) -> Iterator[tuple[Any, ...]]:
    by_property: defaultdict[str, list[DayCell]] = defaultdict(list)
    for property_id, cell in cells:
        by_property[property_id].append(cell)
    for property_id, its in by_property.items():
        yield from folding.rows(property_id, day, node, its)
