"""How often each property was met in each of its last minutes: the live view's numbers, in memory only.

They lie in a memfd that the supervisor makes and keeps over restarts and reloads of its children: it has no name in any
file system and is gone with the last process. It holds totals of properties and nothing of a caller or a page, so it is
not the epoch's memory (filter.py), and the warehouse process may read it. Workers write, the analyst port reads.

    chunks of 65 pages, one for every 16 properties:
    page 0      their ids, 256 bytes each, the rest zero
    page 1 + w  of worker w, for each of them, a ring of 32 minutes: u64 = minute since 1970 << 32 | events

A place is given to an id once and never changes; a property of a later configuration is added behind. Each ring has one
writer at a time, the worker that owns its directory of the spool, and a minute is one word: so nothing is locked.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from itertools import count, takewhile

FORM = "COLMIN01"
MINUTE_S = 60
MINUTES = 30
KINDS = frozenset(("page_hit", "update_check"))  # what a live view counts of a site, of a product

_PAGE = 4096
_RING = 32
_RING_BYTES = _RING * 8
_ID_BYTES = 256
_TOGETHER = _PAGE // _RING_BYTES  # properties of a chunk
_WORKERS = 64  # at most; settings hold the number to it
_CHUNK = (1 + _WORKERS) * _PAGE
_EVENTS = (1 << 32) - 1


def make_minutes(properties: Iterable[str]) -> int:
    """The number of an open file: memory with a place for each of these properties. Supervisor only."""
    fd = os.memfd_create("collector-minutes")
    os.ftruncate(fd, _CHUNK)  # mapped, too, where nothing is registered
    give_places(fd, properties)
    return fd


def give_places(fd: int, properties: Iterable[str]) -> None:
    """Add places for properties that have none. Supervisor only, before it starts who should know them."""
    known = places_of(fd)
    for place, property_id in enumerate((new for new in properties if new not in known), start=len(known)):
        chunk, within = divmod(place, _TOGETHER)
        os.ftruncate(fd, (chunk + 1) * _CHUNK)
        os.pwrite(fd, property_id.encode(), chunk * _CHUNK + within * _ID_BYTES)


def places_of(fd: int) -> dict[str, int]:
    """The place of every property that has one, by its id."""
    pages = takewhile(bool, (os.pread(fd, _PAGE, chunk * _CHUNK) for chunk in count()))
    ids = (page[at : at + _ID_BYTES].rstrip(b"\0").decode() for page in pages for at in range(0, _PAGE, _ID_BYTES))
    return {property_id: place for place, property_id in enumerate(takewhile(bool, ids))}


class MinuteCounts:
    """One worker's rings, mapped; it counts on where the process before it in its place stopped."""

    def __init__(self, fd: int, worker: int) -> None:
        self._words = memoryview(mmap.mmap(fd, os.fstat(fd).st_size)).cast("Q")
        self._rings = {property_id: _ring_at(place, worker) // 8 for property_id, place in places_of(fd).items()}

    def add(self, property_id: str, now_s: float) -> None:
        """One more event of this minute. Whether it is a repeat is not known yet: a retry shows twice here."""
        minute = int(now_s) // MINUTE_S
        at = self._rings[property_id] + minute % _RING
        word = self._words[at]
        self._words[at] = word + 1 if word >> 32 == minute else minute << 32 | 1


class LastMinutes:
    """All workers' rings, read without mapping them: a page nobody wrote to stays no page."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._places = places_of(fd)

    def of(self, property_id: str, now_s: float) -> list[int]:
        """Events of the last MINUTES minutes of a registered property, oldest first; the last is not over yet."""
        now = int(now_s) // MINUTE_S
        events = dict.fromkeys(range(now - MINUTES + 1, now + 1), 0)
        for worker in range(_WORKERS):
            ring = os.pread(self._fd, _RING_BYTES, _ring_at(self._places[property_id], worker))
            for word in memoryview(ring).cast("Q") if any(ring) else ():
                if word >> 32 in events:
                    events[word >> 32] += word & _EVENTS
        return list(events.values())


def _ring_at(place: int, worker: int) -> int:
    chunk, within = divmod(place, _TOGETHER)
    return chunk * _CHUNK + (1 + worker) * _PAGE + within * _RING_BYTES
