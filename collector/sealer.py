"""Seals the days of this node, one after the other, and then lets go of them in `hot`.

A day is due 48 hours and a little after its end, when no event can come for it any more. Killed at any point, it goes
on where files and database say it was, because of one order, and because it shares one thread with the loader:

    1. nothing here names the day or one before it: no file in DATA/frozen; and the segments that lay in the spool when
       it got due are loaded
    2. all cells of the day and node are folded and frozen to one file in DATA/sealing; until it is gone, the loader
       holds back whatever names that day or one before it
    3. every batch of the file is inserted once and verified; the marker of the last one is the seal
    4. the file is deleted; from the seal on, answers read the day in `sealed`, and what comes late goes there
    5. ten minutes after this process saw the seal, when no question can still be reading it in `hot`, its partition is
       dropped there: the only way anything ever leaves `hot`

So each event is in one place exactly once. Before 2 nothing of the day is sealed, and without its file it is folded
anew. With the file, the same bytes are inserted again, and `hot` takes nothing of that day, so what is dropped is what
was folded. A batch that reached `hot` is known by its marker, which goes with the partition: hence 1, since a file that
is gone is never tried again. Files in quarantine may stay for ever; where one is counted already, because the disk was
too full to keep its refused batches apart, the seal carries its marker over, and trying it again finds it there. What
comes after the seal is inserted under its own name and so is found again, too: seals never vanish before their days do.
k is per node, for the sealed days as for the live ones; a node that is gone is sealed by whoever is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

from collector.clock import Clock
from collector.errors import Corrupt, Misconfigured, Unavailable
from collector.log import log
from collector.metrics import SealerMetrics
from collector.quarantine import FOLDER as QUARANTINE
from collector.spool.reader import SpoolReader
from collector.warehouse.batch import FROZEN, SEALING, SUFFIX, Frozen, freeze_seal, read_frozen
from collector.warehouse.insert_once import NotInsertable
from collector.warehouse.seals import NEVER, DayNode, OpenDay, SealedDay, Seals, Through, Told
from collector.warehouse.tables import DAY_S, HOT, SEALED

LATE_S = 172_800  # an event counts for the day it happened if it arrives within 48 h
MARGIN_S = 600  # ... and then passes through a spool
PATIENCE_S = 43_200  # with segments that cannot be loaded; what is in them is late, then
DROP_AFTER_S = 600
ALARM_AFTER_S = 259_200
ALARM_EVERY_S = 3_600
LOOK_EVERY_S = 60.0
AT_ONCE = 3  # days for one request: it holds up loading


class Sealer:
    """Seals what of one node is due; used by the loader's thread, when there is nothing to load."""

    def __init__(
        self,
        data: Path,
        *,
        node: int,
        reader: SpoolReader,
        seals: Seals,
        forget: Callable[[int, int], None] = lambda node, through_day: None,
        clock: Clock,
        metrics: SealerMetrics,
    ) -> None:
        """`forget`: told of which node's days, up to which one, answers are made of what is sealed alone."""
        self._frozen, self._quarantine, self._folder = (data / name for name in (FROZEN, QUARANTINE, SEALING))
        self._node = node
        self._disk = reader.disk
        self._reader = reader
        self._seals = seals
        self._forget = forget
        self._clock = clock
        self._metrics = metrics
        self._dead: set[int] = set()  # nodes it was told to seal
        self._awaited: dict[int, set[str]] = {}
        self._seen: dict[DayNode, float] = {}  # in `hot`, though sealed: since when
        self._looked = self._alarmed = -inf
        self._tidied = False

    def run(self) -> None:
        """About once a minute: seal one day if one is due, drop what is sealed, tell what is late. Call it often.

        Raises Misconfigured if another collector sealed days of this node; anything else is tried again later.
        """
        if abs(self._clock.now() - self._looked) < LOOK_EVERY_S:
            return
        self._looked = self._clock.now()
        try:
            told = self._look(self._node, most=1)
        except (Unavailable, OSError) as error:
            reason = str(error) if isinstance(error, Unavailable) else ""
            log.warning("sealing waits", error=type(error).__name__, reason=reason)
        else:
            if told.more:
                self._looked = -inf

    def seal_due(self) -> Told:
        """Seal now what of this node is due. Raises Unavailable, OSError and Misconfigured."""
        return self._look(self._node, most=AT_ONCE)

    def seal_dead(self, node: int) -> Told:
        """Seal what lies in `hot` of a node that is gone, but for its last 48 hours. Raises as seal_due does."""
        if node == self._node:
            raise Misconfigured("this is the node that runs here: it seals its own days when they are due")
        self._dead.add(node)
        return self._look(node, most=AT_ONCE)

    def _look(self, node: int, most: int) -> Told:
        try:
            self._seals.writing.sealed_through(self._node)  # raises if another collector sealed days of it
            hot = self._seals.hot_days()
            self._note_sealed(hot, self._seals.sealed())
            self._tell_late(hot)
            self._finish()
            self._drop()
            through = self._seals.sealed().get(node, NEVER).day
            return self._seal_in_order([part for part in hot if part.node == node], through, most)
        except OSError:
            self._tidied = False
            raise

    def _seal_in_order(self, hot: list[DayNode], through: int, most: int) -> Told:
        told = Told()
        kept_after = self._seals.writing.kept_after()
        # One older than what is kept cannot be sealed, for that would vanish at once; it goes after the next that is.
        for part in [each for each in hot if each.day > max(through, kept_after)]:
            due_s = (part.day + 1) * DAY_S + LATE_S + (MARGIN_S if part.node == self._node else 0)
            blocked = ""
            if told.open:
                blocked = "an earlier day comes first"
            elif due_s <= self._clock.now() and not (blocked := self._blocked(part, due_s)):
                if len(told.sealed) == most:
                    told.more = True
                    break
                told.sealed.append(self._seal(part))
                continue
            told.open.append(OpenDay(day=part.day, node=part.node, due_s=due_s, blocked=blocked))
        return told

    # --- is it due ---------------------------------------------------------------------------------------------------

    def _blocked(self, part: DayNode, due_s: int) -> str:
        """What must happen before a day that is due can be sealed; '' if nothing."""
        if part.node != self._node:
            return ""
        named = [frozen.path.name for frozen in self._files(self._frozen) if self._names(frozen, part)]
        if named:
            return f"not loaded yet: {', '.join(named)}"
        there = {segment.name for segment in self._reader.segments() if segment.node == self._node}
        awaited = self._awaited.setdefault(part.day, there)
        awaited &= there
        if awaited and self._clock.now() < due_s + PATIENCE_S:
            return f"segments that are not loaded yet: {len(awaited)}"
        return ""

    def _names(self, frozen: Frozen, part: DayNode) -> bool:
        """Whether it names the day, or one before, that the day's seal would speak for."""
        return any(batch.day <= part.day and batch.node == part.node for batch in frozen.batches)

    def _files(self, folder: Path) -> Iterator[Frozen]:
        """The files of batches in a folder; raises OSError or, of one that is damaged in DATA/frozen, Unavailable."""
        for name in self._disk.names(folder):
            if name.endswith(SUFFIX):
                try:
                    yield read_frozen(self._disk, folder / name)
                except Corrupt as corrupt:  # in quarantine: it cannot be tried again
                    if folder != self._quarantine:
                        raise Unavailable(str(corrupt)) from corrupt

    # --- sealing -----------------------------------------------------------------------------------------------------

    def _seal(self, part: DayNode) -> SealedDay:
        self._tidy()
        self._seals.writing.look_at_merges(at_once=True)
        folded = self._seals.folded(part)
        rows = folded.rows + list(self._carried(part))
        by = "" if part.node == self._node else f"{self._node:016x}"
        freeze_seal(self._disk, self._folder, node=part.node, day=part.day, rows=rows, epochs=folded.epochs, by=by)
        self._finish()
        self._awaited.pop(part.day, None)
        log.info("a day is sealed", day=part.day, node=f"{part.node:016x}", cells=folded.cells, rows=len(rows))
        return SealedDay(day=part.day, node=part.node, cells=folded.cells, rows=len(rows))

    def _carried(self, part: DayNode) -> Iterator[tuple[Any, ...]]:
        """The markers of batches in quarantine that are counted already."""
        for frozen in self._files(self._quarantine):
            for batch in frozen.batches:
                if (batch.day, batch.node, batch.table) == (*part, HOT.name) and self._seals.has_come(batch):
                    yield SEALED.marker(batch.node, batch.day, batch.name, events=batch.events, rows=batch.rows)

    def _finish(self) -> None:
        """Insert what lies in DATA/sealing, and delete it once it is verified."""
        self._tidy()
        for frozen in self._files(self._folder):
            for batch in frozen.batches:
                try:
                    self._seals.writing.insert_once(batch)
                except (NotInsertable, Corrupt) as stopped:
                    log.critical("a day cannot be sealed: look at it before anything else", reason=str(stopped))
                    raise Unavailable(f"sealing is stopped at {frozen.path.name}: {stopped}") from stopped
            self._disk.unlink(frozen.path)
            self._disk.sync_folder(self._folder)

    def _tidy(self) -> None:
        """After anything that failed, what is found in DATA/sealing is durably there before it is inserted."""
        if not self._tidied:
            self._disk.tidy(self._folder)
            self._tidied = True

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _note_sealed(self, hot: list[DayNode], sealed: dict[int, Through]) -> None:
        """Remember since when days are seen sealed that are ours to drop: our own, and those we sealed for others."""
        me = f"{self._node:016x}"
        ours = self._dead | {self._node} | {node for node, through in sealed.items() if through.by == me}
        done = [part for part in hot if part.node in ours and part.day <= sealed.get(part.node, NEVER).day]
        self._seen = {part: self._seen.get(part, self._clock.now()) for part in done}

    def _drop(self) -> None:
        for part, since_s in self._seen.items():
            if self._clock.now() - since_s >= DROP_AFTER_S:
                self._seals.drop_hot(part)
                self._forget(part.node, part.day)
                log.info("a sealed day was dropped", day=part.day, node=f"{part.node:016x}")

    def _tell_late(self, hot: list[DayNode]) -> None:
        now_s = self._clock.now()
        late = [part for part in hot if part not in self._seen and (part.day + 1) * DAY_S + ALARM_AFTER_S < now_s]
        self._metrics.days_unsealed_late(len(late))
        if late and abs(now_s - self._alarmed) >= ALARM_EVERY_S:
            self._alarmed = now_s
            nodes = sorted({f"{part.node:016x}" for part in late})
            log.error("days are not sealed though they ended 72 hours ago: collector seal", days=len(late), nodes=nodes)
