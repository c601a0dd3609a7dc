"""A file in memory, and what a crash may leave of it (simulated_disk.py, its only user)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

_UNSYNCED, _DOUBTFUL, _DONE = range(3)


@dataclass(slots=True)
class Change:
    """An append at an offset, or a cut (`data` None)."""

    at: int
    data: bytes | None
    state: int = _UNSYNCED

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.at :]
            return
        content.extend(bytes(max(0, self.at - len(content))))
        content[self.at : self.at + len(self.data)] = self.data


@dataclass(slots=True)
class File:
    modified_s: float
    data: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)

    def change(self, change: Change) -> None:
        change.apply(self.data)
        self.changes.append(change)

    def sync(self) -> None:
        """Make every change safe but those that a failed sync left in doubt, and what comes after them."""
        for change in self.changes:
            if change.state != _DOUBTFUL:
                change.state = _DONE
        while self.changes and self.changes[0].state == _DONE:
            self.changes.pop(0).apply(self.kept)

    def doubt(self) -> None:
        """A sync failed: the bytes it was to write may be given up by now."""
        for change in self.changes:
            if change.data is not None and change.state == _UNSYNCED:
                change.state = _DOUBTFUL

    def crash(self, dice: random.Random, keep: float) -> None:
        for change in self.changes:
            if change.state == _DONE or dice.random() < keep:
                change.apply(self.kept)
            elif change.data and 0 < keep < 1 and dice.random() < 0.75:
                Change(change.at, _torn(change.data, dice)).apply(self.kept)
        self.changes.clear()
        self.data = bytearray(self.kept)


def _torn(data: bytes, dice: random.Random) -> bytes:
    """What may be left of bytes that were on their way: a beginning, or all with a hole of zeros."""
    first, last = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:first] if dice.random() < 0.5 else data[:first] + bytes(last - first) + data[last:]
