"""Turns closed segments into counts: segment -> events -> cells -> frozen batches -> insert once -> verify -> delete.

It is the only reader of the spool and runs in one thread of the warehouse process; ingest never waits for it. Killed at
any point it begins again where the files say it was, because of one order:

    1. ids are remembered, then cells of a group of segments frozen to one file (batch.py); these are not read again
    2. every batch of the file is inserted once and verified by its marker
    3. the segments are deleted, and their folders synced
    4. the frozen file is deleted

The frozen file goes last: it is all that says that its segments are counted. Were it deleted first, a crash between the
two would leave segments that look new, and count them twice. Found at start, it is verified again, never made again.
While the database is away its segments may go earlier: events never lie longer than an hour, and it holds their cells.
What is refused for good goes to quarantine, where a frozen file still speaks for its segments; what disagrees with its
marker or the disk does not give stays (stopped.py), and the others go on. What comes for a sealed day is folded by
itself (writing.py); while a day is being sealed (sealer.py), it waits.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from collector.clock import Clock
from collector.errors import Corrupt, Misconfigured, Unavailable, Unreadable
from collector.log import log
from collector.metrics import LoaderMetrics
from collector.quarantine import Quarantine, Retried
from collector.spool.earlier import Earlier
from collector.spool.gather import MAX_EVENTS, gather
from collector.spool.lag import Lag
from collector.spool.reader import SpoolReader
from collector.spool.seen import Seen
from collector.spool.segment import Life, Segment
from collector.stopped import LOOK_AGAIN_S, Stopped
from collector.warehouse.batch import FROZEN, SEALING, SUFFIX, Batch, Frozen, freeze, frozen_in, is_being_sealed
from collector.warehouse.insert_once import NotInsertable
from collector.warehouse.writing import Writing

OLD_S = 600  # while the database is away: events become cells, and go, well within an hour (privacy.md C3)
MAX_PAUSE_PASSES = 50  # passes left out after failures in a row: 1, 2, 4, ... at most 10 s when called every 0.2 s


class Loader:
    """Loads the segments of one node from DATA into its warehouse; used by one thread."""

    def __init__(
        self,
        data: Path,
        *,
        life: Life,
        reader: SpoolReader,
        seen: Seen,
        writing: Writing,
        clock: Clock,
        metrics: LoaderMetrics,
    ) -> None:
        self.quarantine = Quarantine(reader, data)
        self._frozen, self._sealing = data / FROZEN, data / SEALING
        self._life, self._earlier = life, Earlier(life.epoch, metrics.recovered)
        self._reader, self._disk = reader, reader.disk
        self._seen, self._writing = seen, writing
        self._clock, self._metrics = clock, metrics
        self._lag = Lag(reader.disk, clock, metrics.lag)
        self._waiting: OrderedDict[Path, Frozen] = OrderedDict()
        self.stopped = Stopped(clock)
        self._counted, self._spoken_for = set[str](), set[str]()
        self._refused: dict[str, int] = {}  # by file that is being set aside: events not yet told of
        self._left_out = "", 0, 0  # of the file being frozen: its name, events counted before, events that cannot be
        self._settled, self._settle_at_s = False, 0.0
        self._failures = self._pause = self._verified = 0

    def load_ready(self) -> int:
        """Insert what is frozen, then freeze and insert one group of closed segments; how many events were verified.

        Call it again at once while it returns more than 0. Without the database or the disk it tries ever more rarely.
        """
        if self._pause:
            self._pause -= 1
            return 0
        self._verified = 0
        try:
            if not self._settled or self._clock.now() >= self._settle_at_s:
                self._settle()
            self._load_waiting()
            if fresh := self._freeze(self._ready()):
                self._load(fresh)
        except (Unavailable, Misconfigured) as error:
            self._failed(error)
            self._bridge()
            if isinstance(error, Misconfigured):
                raise
        except OSError as error:
            self._settled = False  # what the disk holds now is only to be learnt from the disk
            self._failed(error)
        else:
            self._failures = 0
        finally:  # also while the database is the wrong one: ids have their time, and alerts go by what waits
            self._writing.look_at_merges()
            if not self._verified:
                self._seen.tend(self._clock.now())
            self._tell()
        return self._verified

    def retry(self, name: str) -> Retried:
        """Take frozen batches back from quarantine and load them; what became of them. Raises NotKept and OSError.

        While the database is away, or not as it must be, they wait like any others, and are loaded by load_ready.
        """
        if not self._settled:
            self._settle()
        self._settled = False  # should this fail, where the file lies is only to be learnt from the disk
        self._earlier.taking_back(name)
        frozen = self.quarantine.release(name, self._frozen)
        self._settled = True
        self.stopped.let_go(frozen.path)
        self._earlier.taken_back(frozen.segments, frozen.events)
        self._wait_for(frozen)
        self._pause = self._verified = 0
        try:
            self._load(frozen)
        except (Unavailable, Misconfigured, OSError) as error:
            self._settled = self._settled and not isinstance(error, OSError)
        self._tell()
        rest = "stopped" if frozen.path in self.stopped else "waiting" if frozen.path in self._waiting else "refused"
        return Retried(loaded=self._verified, **{rest: frozen.events - self._verified})

    def _settle(self) -> None:
        """Learn from the files what is to be done: open segments of dead workers, frozen files, files set aside."""
        known, self._waiting = self._waiting, OrderedDict()
        self._settle_at_s = self._clock.now() + OLD_S  # a worker that got no successor may have died since
        self._spoken_for.clear()
        for folder in (self._frozen, self.quarantine.folder):
            self._disk.tidy(folder)
        self._reader.settle()
        for path, frozen in frozen_in(self._disk, self._frozen):
            if isinstance(frozen, Frozen):
                self._wait_for(frozen)
                self._earlier.found_frozen(path.name, frozen.segments, frozen.events)
            elif isinstance(frozen, Unreadable):
                self.stopped.add(path, frozen)
                if path in known:
                    self._wait_for(known[path])
                else:
                    self._settle_at_s = self._clock.now() + LOOK_AGAIN_S
                    self._speak_for_older(path)
            else:
                self.quarantine.take(path)
        for path, aside in self.quarantine.batches():
            if is_moved := self._frozen / path.name not in self._waiting:  # and maybe the sync of that failed
                self._metrics.quarantined(self._refused.pop(path.name, 0))
            if isinstance(aside, Corrupt):
                self._speak_for_older(path)
                log.critical("a file of batches is damaged: its segments stay unread", reason=str(aside))
                continue
            self._spoken_for.update(aside.segments)
            if is_moved:
                self._earlier.gone(aside.segments)
            with suppress(BlockingIOError):  # at the next start, then: they stay unread
                self._reader.delete(aside.segments)
        self.stopped.let_go_but([self._frozen / name for name in self._disk.names(self._frozen)])
        self._settled = True

    def _speak_for_older(self, path: Path) -> None:
        """Which segments a file stands for is not known now: every one as old as it is may be counted already."""
        written_s = self._disk.modified_s(path)
        older = [each for each in self._reader.segments() if self._disk.modified_s(each.path) <= written_s]
        self._spoken_for.update(segment.name for segment in older)
        self._earlier.found(older)

    def _wait_for(self, frozen: Frozen) -> None:
        self._waiting[frozen.path] = frozen
        self._spoken_for.update(frozen.segments)
        self._lag.frozen(frozen.segments, frozen.path)
        name, repeats, uncounted = self._left_out
        if frozen.path.name == name:  # also where freezing failed, and left the file
            self._left_out = "", 0, 0
            self._metrics.duplicate(repeats)
            self._metrics.quarantined(uncounted)

    def _ready(self) -> list[Segment]:
        """The closed segments of this node that no frozen file speaks for, oldest first within their worker."""
        there = [segment for segment in self._reader.segments() if segment.node == self._life.node]
        self._lag.found(there, self._spoken_for)
        ready = [segment for segment in there if segment.closed and segment.name not in self._spoken_for]
        self._earlier.found(ready)
        return ready

    def _freeze(self, ready: list[Segment]) -> Frozen | None:
        """Add up the first of these segments and freeze their cells; None if there is nothing to freeze."""
        if not ready:
            return None
        gathered = gather(ready, self._reader, self._seen, self._clock.now())
        if gathered.unreadable:  # nor are they read again before a while
            self._spoken_for.update(segment.name for segment in gathered.unreadable)
            self._settle_at_s = self._clock.now() + LOOK_AGAIN_S
        for segment, events in gathered.uncounted:
            self.quarantine.copy(segment.path, events)
            log.error("a segment is not whole: a copy was set aside", segment=segment.name, events=events)
        if not gathered.segments:
            return None
        names = [segment.name for segment in gathered.segments]
        self._left_out = names[0] + SUFFIX, gathered.repeats, sum(each.events for each in gathered.uncounted)
        cells, node = gathered.cells, self._life.node
        frozen = freeze(self._disk, self._frozen, node=node, segments=names, days=cells.days(), events=cells.events)
        self._wait_for(frozen)
        return frozen

    def _load_waiting(self) -> None:
        """Load every frozen file; at the first one the database does not take now, leave the others for later."""
        for path, frozen in list(self._waiting.items()):
            if not self.stopped.rests(path):
                try:
                    self._load(frozen)
                except Unavailable:
                    self._waiting.move_to_end(path)  # others go first next time, if it is this one that cannot be taken
                    raise

    def _load(self, frozen: Frozen) -> None:
        """Insert and verify every batch of a frozen file, then delete its segments and it."""
        refused: list[Batch] = []
        if is_being_sealed(self._disk, self._sealing, frozen):  # it waits, and needs its segments no more
            self._reader.delete(frozen.segments)
            return
        try:
            for batch in frozen.batches:
                try:
                    inserted = self._writing.insert_once(batch)
                except NotInsertable as refusal:
                    refused.append(batch)
                    log.error("a batch is refused for good", batch=batch.name, events=batch.events, code=refusal.code)
                    continue
                if batch.name not in self._counted:
                    self._counted.add(batch.name)
                    self._verified += batch.events
                    self._metrics.verified(batch.events)
                    log.debug("batch verified", batch=batch.name, events=batch.events, rows=batch.rows, new=inserted)
        except Corrupt as corrupt:
            self.stopped.add(frozen.path, corrupt)
        else:
            self._finish(frozen, refused)

    def _finish(self, frozen: Frozen, refused: list[Batch]) -> None:
        """Let go of segments whose batches are all verified or set aside. The order is the module's promise."""
        self._refused[frozen.path.name] = sum(batch.events for batch in refused)
        if refused:
            self.quarantine.take_refused(frozen, refused)
        self._reader.delete(frozen.segments)
        self._disk.unlink(frozen.path)  # if it is still there
        self._disk.sync_folder(self._frozen)
        self._metrics.quarantined(self._refused.pop(frozen.path.name))
        del self._waiting[frozen.path]
        self.stopped.let_go(frozen.path)
        self._spoken_for.difference_update(frozen.segments)
        self._earlier.gone(frozen.segments)
        self._lag.gone(frozen.segments, loaded=not refused)
        self._counted.difference_update(batch.name for batch in frozen.batches)

    def _bridge(self) -> None:
        """While the database is away: what is old or fills a batch is frozen, and then needs its segments no more."""
        try:
            ready = self._ready()
            fill_a_batch = sum(segment.events or 0 for segment in ready) >= MAX_EVENTS
            if fill_a_batch or self._is_old([segment.path for segment in ready]):
                self._freeze(ready)
            for frozen in self._waiting.values():
                if frozen.path not in self.stopped and self._is_old([frozen.path]):
                    self._reader.delete(frozen.segments)
        except OSError as error:
            self._settled = False
            log.warning("what waits for the database stays as it is", error=type(error).__name__)

    def _is_old(self, paths: list[Path]) -> bool:
        return bool(paths) and min(map(self._disk.modified_s, paths)) < self._clock.now() - OLD_S

    def _failed(self, error: Exception) -> None:
        self._failures = 1 if self._verified else self._failures + 1
        self._pause = min(2 ** (self._failures - 1), MAX_PAUSE_PASSES)
        self._metrics.load_failed()
        reason = str(error) if isinstance(error, Unavailable) else ""
        log.warning("loading waits", error=type(error).__name__, reason=reason)

    def _tell(self) -> None:
        """Say what waits, from the files: events in segments, open ones too, and in frozen batches."""
        try:
            held = {name for frozen in self._waiting.values() for name in frozen.segments}
            segments, events = self._reader.waiting(held)
            self._metrics.in_quarantine(len(self.quarantine.names()))
        except OSError:  # a file went meanwhile, or the disk does not say: next time, then
            return
        batches = [batch for frozen in self._waiting.values() for batch in frozen.batches]
        self._metrics.waiting(
            events=events + sum(batch.events for batch in batches if batch.name not in self._counted),
            segments=segments,
            frozen_batches=len(batches),
            stopped=len(self.stopped),
        )
        self._metrics.oldest_waiting(self._lag.oldest_s())
        self._metrics.ids(remembered=self._seen.size, forgotten_early=self._seen.forgotten_early)
