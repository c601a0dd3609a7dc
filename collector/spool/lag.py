"""How far counting is behind: since when segments wait, from the first event in each to all of them verified.

A segment does not say when it began (no time below the hour is kept), so whoever looks several times a second remembers
when it was first met, in memory; one of an earlier life is as old as its file, or as the frozen file that speaks for
it. By segment, never by event: of each its oldest. The loader asks and tells; nothing here changes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from collector.clock import Clock
from collector.disk import Disk
from collector.spool.segment import Segment


class Lag:
    """Since when each segment waits; tells `observe` how long one did, once it is loaded."""

    def __init__(self, disk: Disk, clock: Clock, observe: Callable[[float], None]) -> None:
        self._disk = disk
        self._clock = clock
        self._observe = observe
        self._since: dict[str, float] = {}

    def found(self, segments: Iterable[Segment], spoken_for: Collection[str]) -> None:
        """These lie in the spool; others wait only where a frozen file speaks for them."""
        there = {segment.name: segment.path for segment in segments}
        self._since = {name: since for name, since in self._since.items() if name in there or name in spoken_for}
        for name, path in there.items():
            self._begin(name, path)

    def frozen(self, names: Iterable[str], file: Path) -> None:
        """These wait in a frozen file."""
        for name in names:
            self._begin(name, file)

    def gone(self, names: Iterable[str], *, loaded: bool) -> None:
        """These do not wait any more: they are loaded, or set aside."""
        for name in names:
            since = self._since.pop(name, None)
            if loaded and since is not None:
                self._observe(max(self._clock.now() - since, 0.0))

    def oldest_s(self) -> float:
        """For how long the oldest of them waits; 0 if none does."""
        return max(self._clock.now() - min(self._since.values()), 0.0) if self._since else 0.0

    def _begin(self, name: str, file: Path) -> None:
        if name not in self._since:
            self._since[name] = self._clock.now()
            with suppress(OSError):  # it was renamed meanwhile: young, then
                self._since[name] = min(self._since[name], self._disk.modified_s(file))
