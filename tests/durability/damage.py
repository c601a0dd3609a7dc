"""A segment cut at every byte, and bits of it flipped: never taken for whole, and no more lost than the frame hit.

`lost` is what was lost beyond the frames that were hit, or was not told; `doubled` is what was read and never written.
"""

from __future__ import annotations

import random
from pathlib import Path

from collector.disk import Disk
from collector.spool.frame import encode, record_of
from collector.spool.reader import SpoolReader
from collector.spool.segment import Segment
from tests.durability.outcome import Outcome
from tests.durability.progress import rounds_of
from tests.spooling import DECLARATIONS, DIGEST, LIFE, NAME, event

DAMAGE = "segments cut at every byte, bits flipped"
FRAMES, EVENTS = 8, 3


class OneFile(Disk):
    """A disk on which every file holds `data`."""

    data = b""

    def read(self, path: Path, start: int = 0, length: int | None = None) -> bytes:
        return self.data


class Damaged:
    """Reads a segment again and again, and keeps count of what should not be."""

    def __init__(self, folder: Path) -> None:
        groups = [[record_of(event(f"/{frame}/{n}"), 0) for n in range(EVENTS)] for frame in range(FRAMES)]
        self.frames = [encode(NAME, n * EVENTS, DIGEST, group) for n, group in enumerate(groups)]
        self.lost = self.doubled = 0
        self._disk = OneFile()
        self._reader = SpoolReader(self._disk, folder, DECLARATIONS.layouts, DECLARATIONS.digest)
        self._segment = Segment(
            path=folder, name=NAME, node=LIFE.node, worker=0, epoch=LIFE.epoch, sequence=1, events=FRAMES * EVENTS
        )

    def read(self, data: bytes, whole: set[int]) -> None:
        """Read these bytes, of which exactly the frames in `whole` are undamaged."""
        self._disk.data = data
        contents = self._reader.read(self._segment)
        found = [str(record.event.facts[1]) for record in contents.records]
        expected = [f"/{frame}/{n}" for frame in sorted(whole) for n in range(EVENTS)]
        untold = abs(len(expected) + contents.lost - FRAMES * EVENTS)
        self.lost += len(set(expected) - set(found)) + untold
        self.doubled += len(found) - len(set(found) & set(expected))


def damage(folder: Path, rounds: int, seed: int) -> Outcome:
    """Cut a segment at every byte, then flip `rounds` bits, one at a time."""
    dice = random.Random(seed)
    damaged = Damaged(folder)
    made = damaged.frames
    data = b"".join(made)
    ends = [sum(map(len, made[: n + 1])) for n in range(FRAMES)]
    for size in range(len(data) + 1):
        damaged.read(data[:size], {n for n, end in enumerate(ends) if end <= size})
    for _ in rounds_of(DAMAGE, rounds):
        at, bit = dice.randrange(len(data)), 1 << dice.randrange(8)
        hit = next(n for n, end in enumerate(ends) if at < end)
        flipped = bytes([data[at] ^ bit])
        damaged.read(data[:at] + flipped + data[at + 1 :], set(range(FRAMES)) - {hit})
    return Outcome(
        fault=DAMAGE,
        rounds=rounds,
        acknowledged=FRAMES * EVENTS,
        lost=damaged.lost,
        doubled=damaged.doubled,
        seed=seed,
        note=f"and cut at each of {len(data):,} bytes; lost: beyond the frame hit, or not told",
    )
