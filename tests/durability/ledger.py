"""What was sent and what became of it, event by event, and how that compares with what was counted.

Every event has a path of its own, so that a report of paths says which events arrived and how often. Filled by whoever
sends, in one thread at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Verdict(NamedTuple):
    """Events counted less often than they must be, and more often than they may be."""

    lost: int
    doubled: int


class Ledger:
    """How often each event must be counted at least, and may be at most."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.unanswered = 0
        self._least: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    def acknowledge(self, paths: Iterable[str]) -> None:
        """These were answered with success: each counts once."""
        for path in paths:
            self._least[path] += 1
            self._most[path] += 1
            self.acknowledged += 1

    def doubt(self, paths: Iterable[str]) -> None:
        """Nobody will know what became of these: each counts once or not at all."""
        for path in paths:
            self._most[path] += 1
            self.unanswered += 1

    def add(self, other: Ledger) -> None:
        """Take over what another one holds."""
        self.acknowledged += other.acknowledged
        self.unanswered += other.unanswered
        self._least += other._least
        self._most += other._most

    def judge(self, counts: Mapping[str, int]) -> Verdict:
        """Compare with what was counted; what was never sent, or only refused, may not be counted at all."""
        lost = sum(max(0, least - counts.get(path, 0)) for path, least in self._least.items())
        doubled = sum(max(0, events - self._most[path]) for path, events in counts.items())
        return Verdict(lost, doubled)
