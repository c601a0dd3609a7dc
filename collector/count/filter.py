"""The memory of one epoch: day keys, filters and segment numbers, shared by every process of one machine.

It lies in a memfd that only the supervisor creates and its workers inherit: nothing of it has a name in any file
system, it is left out of core dumps, and it is gone with the last process. Two slots by day parity hold a key and a
filter each; a slot is replaced as a whole, so a key never outlives its filter. Four tables by day modulo 4 hold how
many open values each property has named on a day (caps.py): those of two days ago are wanted for late events.

    0      form "COLMEM02" | epoch u64 | next segment number of worker 0..63, u64 each | shared u64 (0 = by one worker)
    4096   slot 0: day u64 (0 = none) | key, 32 bytes
    8192   slot 1: the same
    12288  days of tables 0..3, u64 each (0 = none) | days begun, at their number modulo 256, u64 each (0 = none)
    16384  tables 0..3, each COUNTS x (number of a property's dimension u64, count u64)
    ...    filter of slot 0, WORDS x u64
    ...    filter of slot 1

The filter is a Bloom filter blocked to one 64-bit word: a token sets four bits of one word. At CAPACITY a look-up errs
in 0.18 % of cases (four scattered probes at 12 bits a token: 0.6 %, and slower). An error makes counts of visitors and
networks low, never high. A caller is marked under a claim on its network, so that two processes that meet it at once
find it new once (without: 1 in 20,000 hits of recorded traffic, which comes in bursts, was new twice). Where only one
worker marks there is nobody to keep out, and no claim is made. Two networks that write one word within the same ~100 ns
can still lose a token, which then counts once more.

No day gets a second key in one epoch, should a clock be set back: networks met under both would count twice in what is
told to be counted once. Such a day's events are counted without marks.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_UN, lockf
from hashlib import blake2b
from math import exp
from statistics import fmean

from collector.secret import draw, keep_in_ram

WORD_BITS = 23
WORDS = 1 << WORD_BITS  # 64 MiB a day
# Tokens a day, some 25 to a visitor, up to which a look-up errs in at most MAX_ERROR of cases: 24 bits a token, 0.174 %
# as computed, 0.18 % as measured (tests/test_marks.py, by filling a part of the filter with the code that fills it).
CAPACITY = 22_000_000
MAX_ERROR = 0.003
FILL_AT_CAPACITY = 1 - exp(-CAPACITY / WORDS * (1 - (63 / 64) ** 4))  # 0.148: a token's four bits may coincide
KEY_BYTES = 32
MAX_WORKERS = 64
CLAIMS = 4096  # bytes that stand for networks while they are marked; behind them those of the tables
COUNTS = 1 << 16  # 1 MiB a day: 10,000 sites with five open dimensions each are 50,000
DAY_S = 86_400
KEY_DIES_AFTER_S = 59 * 60  # past the end of its UTC day; privacy.md B3 allows one hour

FORM = "COLMEM02"
_PAGE = 4096
_TABLES = 4
_SHARED = 1 + MAX_WORKERS  # its place among the words of the head
_BEGUN = 256  # days a clock may be set back
_TABLE_BYTES = COUNTS * 16
_FILTER_BYTES = WORDS * 8
_FIRST_TABLE = 4 * _PAGE
_FIRST_FILTER = _FIRST_TABLE + _TABLES * _TABLE_BYTES
_SIZE = _FIRST_FILTER + 2 * _FILTER_BYTES
_LATE_DAYS = 2  # reduce/moment.py believes an event to be 48 hours old
_SAMPLE = 4096
_POPULATE_READ, _POPULATE_WRITE = 22, 23  # madvise(2); not named by Python


class DaySlot:
    """One day's key and filter as mapped memory. The key is read in place and never copied into an object."""

    __slots__ = ("day", "key", "words")

    def __init__(self, day: int, key: memoryview, words: memoryview) -> None:
        self.day = day
        self.key = key
        self.words = words

    def seed(self, data: bytes) -> int:
        """64 bits that stand for `data` under this day's key and tell nothing once the key is gone (keyed BLAKE2b)."""
        return int.from_bytes(blake2b(data, digest_size=8, key=self.key).digest(), "little")

    def fill_ratio(self) -> float:
        """Share of bits set, from an even sample of words."""
        return fmean(self._sample())

    def error_ratio(self) -> float:
        """Share of tokens never met that a look-up takes for known: all four bits of a word happen to be set."""
        return fmean(share**4 for share in self._sample())

    def is_over_capacity(self) -> bool:
        """Whether more than CAPACITY tokens were met, as far as the bits they set can tell."""
        return self.fill_ratio() > FILL_AT_CAPACITY

    def _sample(self) -> list[float]:
        return [word.bit_count() / 64 for word in self.words[:: len(self.words) // _SAMPLE]]


class SharedMemory:
    """A mapping of the epoch's memory: created and tended by the supervisor, attached by its children."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, _SIZE)
        self._map.madvise(mmap.MADV_DONTDUMP)
        self._populate(_POPULATE_READ, 0, _SIZE)
        view = memoryview(self._map)
        if view[:8] != FORM.encode():
            raise ValueError("not the memory of an epoch")
        self._head = view[8:_PAGE].cast("Q")
        self._days = tuple(view[_PAGE * (1 + i) : _PAGE * (1 + i) + 8].cast("Q") for i in (0, 1))
        self._keys = tuple(view[_PAGE * (1 + i) + 8 : _PAGE * (1 + i) + 8 + KEY_BYTES] for i in (0, 1))
        self._table_days = view[3 * _PAGE : 3 * _PAGE + _TABLES * 8].cast("Q")
        self._begun = view[3 * _PAGE + _TABLES * 8 : 3 * _PAGE + (_TABLES + _BEGUN) * 8].cast("Q")
        self._tables = tuple(view[at : at + _TABLE_BYTES].cast("Q") for at in map(_table_at, range(_TABLES)))
        self._words = tuple(view[at : at + _FILTER_BYTES].cast("Q") for at in map(_filter_at, (0, 1)))
        keep_in_ram(view[_PAGE : 3 * _PAGE])
        self._slots: list[DaySlot | None] = [None, None]

    @classmethod
    def create(cls, epoch: int) -> SharedMemory:
        """Make the memory of a new epoch; call `tend` before the first event."""
        fd = os.memfd_create("collector-epoch")
        os.ftruncate(fd, _SIZE)
        os.pwrite(fd, FORM.encode() + epoch.to_bytes(8, "little"), 0)
        return cls(fd)

    @property
    def epoch(self) -> int:
        """The number of this life of the memory."""
        return int(self._head[0])

    def next_sequence(self, worker: int) -> int:
        """A segment number this worker has not used in this epoch, kept across its restarts. One caller per worker."""
        if not 0 <= worker < MAX_WORKERS:
            raise ValueError("worker out of bounds")
        self._head[1 + worker] += 1
        return int(self._head[1 + worker])

    def share(self) -> None:
        """From now on claims keep other processes out, for the rest of the epoch. Supervisor, before it starts two."""
        self._head[_SHARED] = 1

    def claim(self, network: int) -> None:
        """Wait until no other process marks callers of this network, and keep others out until `release` (0.4 us each).

        A lock of the kernel on one of many bytes: callers of different networks hardly ever meet, and the lock of a
        killed process ends with it.
        """
        if self._head[_SHARED]:
            lockf(self.fd, LOCK_EX, 1, network % CLAIMS)

    def release(self, network: int) -> None:
        """Let other processes mark callers of this network."""
        if self._head[_SHARED]:  # never taken back: what was claimed is released
            lockf(self.fd, LOCK_UN, 1, network % CLAIMS)

    def claim_day(self, day: int) -> None:
        """The same for the table of counts of a day; by who may hold a network, and waits for none until it is back."""
        if self._head[_SHARED]:
            lockf(self.fd, LOCK_EX, 1, CLAIMS + day % _TABLES)

    def release_day(self, day: int) -> None:
        """Let other processes write the table of counts of a day."""
        if self._head[_SHARED]:
            lockf(self.fd, LOCK_UN, 1, CLAIMS + day % _TABLES)

    def slot(self, day: int) -> DaySlot | None:
        """The slot of a day (whole days since 1970-01-01), or None where that day's key is dead or not yet made."""
        parity = day & 1
        if self._days[parity][0] != day:
            self._slots[parity] = None
            return None
        slot = self._slots[parity]
        if slot is None or slot.day != day:
            slot = self._slots[parity] = DaySlot(day, self._keys[parity], self._words[parity])
        return slot

    def living_slot(self, day: int) -> DaySlot | None:
        """The slot of a day or, once its key is dead, the first later day's that has one: for late events."""
        for later in range(day, day + _LATE_DAYS + 1):
            if slot := self.slot(later):
                return slot
        return None

    def counts(self, day: int) -> memoryview | None:
        """The table of a day, pairs of u64 (caps.py): of tomorrow, today and the two days before; else None."""
        place = day % _TABLES
        return self._tables[place] if self._table_days[place] == day else None

    def tend(self, now_s: float) -> None:
        """Have today's key, and an hour into the day tomorrow's in the place of yesterday's. Supervisor only."""
        day, second = divmod(int(now_s), DAY_S)
        for late in range(1, _LATE_DAYS + 1):
            self._begin_table(day - late)
        self._open(day)
        self._begun[day % _BEGUN] = day
        if second >= KEY_DIES_AFTER_S:
            self._open(day + 1)

    def _open(self, day: int) -> None:
        parity = day & 1
        if day in (self._days[parity][0], self._begun[day % _BEGUN]):
            return
        self._days[parity][0] = 0
        self._keys[parity][:] = bytes(KEY_BYTES)
        self._empty(_filter_at(parity), _FILTER_BYTES)
        self._begin_table(day)
        draw(self._keys[parity])
        self._days[parity][0] = day

    def _begin_table(self, day: int) -> None:
        place = day % _TABLES
        if self._table_days[place] == day:
            return
        self._table_days[place] = 0
        self._empty(_table_at(place), _TABLE_BYTES)
        self._table_days[place] = day

    def _empty(self, start: int, length: int) -> None:
        self._map.madvise(mmap.MADV_REMOVE, start, length)
        self._populate(_POPULATE_WRITE, start, length)

    def _populate(self, advice: int, start: int, length: int) -> None:
        """Take the pages now: not one by one while requests wait, nor in mid-day when memory may be short."""
        with suppress(OSError):  # before Linux 5.14: they come one by one
            self._map.madvise(advice, start, length)


def _table_at(place: int) -> int:
    return _FIRST_TABLE + place * _TABLE_BYTES


def _filter_at(parity: int) -> int:
    return _FIRST_FILTER + parity * _FILTER_BYTES
