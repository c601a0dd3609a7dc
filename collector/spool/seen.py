"""The loader's memory of event ids: which segment counts an id, so that a retry with the same id counts once.

An id known from another segment is a repeat; from the same one it is not: that segment is being read again, because the
loader died before its cells were frozen. Each id is decided by itself and for good, so segments may be read again in
any grouping and order, after a kill anywhere. What is set aside later keeps its ids: it may still be counted.
Ids are forgotten when they are 48 hours old and, beyond the limit, oldest segments first. That is decided by segment;
the hashes themselves are swept out of the file little by little (ids_file.py), with the claims and while idle.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import orjson

from collector.spool.ids_file import LEAST_HASH, MOST_HASH, IdsFile

LIMIT = 20_000_000
FORGET_EVERY_S = 1.0
KEEP_S = 48 * 3600.0
# Ids claimed per commit, in the order of their hashes: the commits of one group then write different pages, and the
# WAL grows by one page per id at most.
CLAIMED_AT_ONCE = 20_000
# For each claimed id so many stored ones are looked through: forgotten ones are then at most about a sixteenth of the
# file, for a tenth more pages written.
SWEPT_PER_CLAIM = 16
SWEPT_WHILE_IDLE = 20_000
IDLE_GRACE_S = 600.0  # rare events, when their time is over, do not cost a commit each
_TAKEN = 0  # no segment has this number

_KNOWN = "SELECT hash, CAST(segment AS INTEGER) FROM ids WHERE hash IN (SELECT value FROM json_each(?))"
_CLAIM = "INSERT INTO ids (hash, segment) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET segment = excluded.segment"
_MEET = """INSERT INTO segments (number, name, met_s, ids) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET ids = ids + excluded.ids"""
_NUMBERS = "SELECT name, number FROM segments WHERE name IN (SELECT value FROM json_each(?))"
_OLDEST = "SELECT number, met_s, ids FROM segments WHERE number < ? ORDER BY number"
_FORGET = "DELETE FROM segments WHERE number <= ?"
_SWEEP_END = "SELECT hash FROM ids WHERE hash >= ? ORDER BY hash LIMIT 1 OFFSET ?"
_SWEEP = "DELETE FROM ids WHERE hash BETWEEN ? AND ? AND segment < ?"


class Seen:
    """The memory in the file at `path`, which is made when first needed; used by one thread.

    forgotten_early  ids that this object forgot before their time, because there were more than `limit`
    """

    def __init__(self, path: Path, *, limit: int = LIMIT, keep_s: float = KEEP_S) -> None:
        self._file = IdsFile(path)
        self._limit = limit
        self._keep_s = keep_s
        self._tended_s = 0.0
        self.forgotten_early = 0

    @property
    def size(self) -> int:
        """How many ids are remembered; 0 until the file was first needed."""
        return self._file.state.size

    def repeats(self, segments: Mapping[str, Sequence[str | None]], now_s: float) -> dict[str, set[int]]:
        """The positions of each segment's events that are counted elsewhere; durable when this returns.

        `segments` holds each segment's ids in the order of its events, None where an event has none. Raises OSError
        when the disk is full or fails: then ask again.
        """
        hashes = {name: [None if id_ is None else _hash(id_) for id_ in ids] for name, ids in segments.items()}
        asked = {name: each for name, each in hashes.items() if any(hash_ is not None for hash_ in each)}
        repeated = self._file.use(lambda db: self._decide(db, asked, now_s)) if asked else {}
        return {name: repeated.get(name, set()) for name in segments}

    def forget(self, now_s: float) -> None:
        """One short step of forgetting what is past its time; call it once a second or so, also while no ids come in.

        It costs a commit only while there is something to forget. Raises OSError as `repeats` does. Time passes by
        these calls, too: of a gap between two of them, or of `repeats`, at most half the time ids are kept counts.
        """
        if self._file.exists():
            self._file.use(lambda db: self._forget_while_idle(db, now_s))

    def tend(self, now_s: float) -> None:
        """Call it while there is nothing else to do: it forgets about once a second, and later where the disk fails."""
        if abs(now_s - self._tended_s) >= FORGET_EVERY_S:
            self._tended_s = now_s
            with suppress(OSError):
                self.forget(now_s)

    def close(self) -> None:
        """Let go of the file; what was answered is in it already."""
        self._file.close()

    def _decide(
        self, db: sqlite3.Connection, asked: Mapping[str, list[int | None]], now_s: float
    ) -> dict[str, set[int]]:
        self._pass_time(now_s)
        self._forget_old(db)
        numbers: dict[str, int] = dict(db.execute(_NUMBERS, (_json(list(asked)),)))
        for name in asked:
            if name not in numbers:
                numbers[name] = self._file.state.next
                self._file.state.next += 1
        owners: dict[int, int] = {}
        for name, hashes in asked.items():
            for each in hashes:
                if each is not None:
                    owners.setdefault(each, numbers[name])
        names = {number: name for name, number in numbers.items()}
        in_order = sorted(owners)
        for at in range(0, len(in_order), CLAIMED_AT_ONCE):
            self._claim(db, in_order[at : at + CLAIMED_AT_ONCE], owners, names)
        self._forget(db, below=min(names), limit=self._limit)
        return {name: _repeated(hashes, numbers[name], owners) for name, hashes in asked.items()}

    def _claim(self, db: sqlite3.Connection, hashes: list[int], owners: dict[int, int], names: dict[int, str]) -> None:
        """Correct the owners of ids that are known already, and remember those of the others."""
        state = self._file.state
        stored: dict[int, int] = dict(db.execute(_KNOWN, (_json(hashes),)))
        known = {each: number for each, number in stored.items() if number >= state.oldest}
        owners.update(known)
        claims = [(each, owners[each]) for each in hashes if each not in known]
        if not claims:
            return
        with self._file.commit(db):
            met = Counter(number for _, number in claims).items()
            db.executemany(_MEET, [(number, names[number], state.age_s, ids) for number, ids in met])
            db.executemany(_CLAIM, claims)
            state.size += len(claims)
            state.stale -= len(stored) - len(known)
            self._sweep(db, SWEPT_PER_CLAIM * len(claims))

    def _pass_time(self, now_s: float) -> None:
        """Let the memory's own time go on, whatever the clock does.

        While a clock is set back time stands still, but a clock further behind than ids are kept is believed. A jump
        ahead counts half of that at most: a machine may not know the date when it starts.
        """
        state = self._file.state
        ahead_s = now_s - state.latest_s if state.latest_s is not None else 0.0
        state.age_s += min(max(ahead_s, 0.0), self._keep_s / 2)
        if state.latest_s is None or ahead_s > 0 or ahead_s < -self._keep_s:
            state.latest_s = now_s

    def _forget_old(self, db: sqlite3.Connection) -> None:
        state = self._file.state
        self._forget(db, below=state.next, limit=state.size)

    def _forget(self, db: sqlite3.Connection, *, below: int, limit: int) -> None:
        """Forget the oldest segments: those past their time and those beyond the limit, but none from `below` on."""
        state = self._file.state
        last = forgotten = early = 0
        for number, met_s, ids in db.execute(_OLDEST, (below,)):
            due = met_s + self._keep_s <= state.age_s
            if not due and state.size - forgotten <= limit:
                break
            last = number
            forgotten += ids
            early += 0 if due else ids
        if not last:
            return
        with self._file.commit(db):
            db.execute(_FORGET, (last,))
            state.oldest = last + 1
            state.size -= forgotten
            state.stale += forgotten
        self.forgotten_early += early

    def _forget_while_idle(self, db: sqlite3.Connection, now_s: float) -> None:
        state = self._file.state
        self._pass_time(now_s)
        if not state.stale:
            oldest = db.execute(_OLDEST, (state.next,)).fetchone()
            if oldest is None or oldest[1] + self._keep_s + IDLE_GRACE_S > state.age_s:
                return
            self._forget_old(db)
        with self._file.commit(db):
            self._sweep(db, SWEPT_WHILE_IDLE)

    def _sweep(self, db: sqlite3.Connection, ids: int) -> None:
        """Delete forgotten ids among the next so many, going round in the order of hashes.

        There is no index by segment: it would double the file and the pages each claim writes.
        """
        state = self._file.state
        if state.stale <= 0:
            return
        end = db.execute(_SWEEP_END, (state.swept, ids)).fetchone()
        to = end[0] if end else MOST_HASH
        state.stale -= db.execute(_SWEEP, (state.swept, to, state.oldest)).rowcount
        state.swept = to if end else LEAST_HASH


def _hash(id_: str) -> int:
    return int.from_bytes(blake2b(id_.lower().encode(), digest_size=8).digest(), "big", signed=True)


def _json(values: list[int] | list[str]) -> str:
    return orjson.dumps(values).decode()


def _repeated(hashes: list[int | None], number: int, owners: dict[int, int]) -> set[int]:
    """The positions of ids that another segment owns, or that come a second time. Marks the ids it finds as taken."""
    repeated = set()
    for position, each in enumerate(hashes):
        if each is None:
            continue
        if owners[each] == number:
            owners[each] = _TAKEN
        else:
            repeated.add(position)
    return repeated
