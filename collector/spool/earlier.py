"""Which events of an earlier life of the collector this one has met: accepted then, so no counter of now knows of them.

Counted once each, when they are first found on disk, so that accepted + recovered adds up with what became of them
(metrics.py). The loader asks; nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from collector.spool.segment import Segment, epoch_of


class Earlier:
    """Tells `recovered` how many events were found that were not accepted in this epoch."""

    def __init__(self, epoch: int, recovered: Callable[[int], None]) -> None:
        self._epoch = epoch
        self._recovered = recovered
        self._met: set[str] = set()
        self._taking_back = ""

    def found(self, segments: Iterable[Segment]) -> None:
        """Count the events of these segments, where they are of an earlier epoch."""
        for segment in segments:
            if segment.epoch != self._epoch and segment.name not in self._met:
                self._met.add(segment.name)
                self._recovered(segment.events or 0)

    def found_frozen(self, name: str, segments: Iterable[str], events: int) -> None:
        """Count the events of a frozen file made of these segments, where all of them are of an earlier epoch.

        Or where taking the file back had begun, moved it, and failed.
        """
        if name == self._taking_back or self._epoch not in map(epoch_of, segments):
            self.taken_back(segments, events)

    def taking_back(self, name: str) -> None:
        """Remember the file that is to be taken back next."""
        self._taking_back = name

    def taken_back(self, segments: Iterable[str], events: int) -> None:
        """Count events that were counted as set aside, and are to be loaded again."""
        self._taking_back = ""
        if self._met.isdisjoint(segments):
            self._met.update(segments)
            self._recovered(events)

    def gone(self, segments: Iterable[str]) -> None:
        """Forget segments that are no more."""
        self._met.difference_update(segments)
