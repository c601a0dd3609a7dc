"""Frozen files that are left alone: until somebody has looked or, where the disk did not give them, for a minute."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from collector.clock import Clock
from collector.errors import Corrupt, Unreadable
from collector.log import log

LOOK_AGAIN_S = 60.0


class Stopped(Collection[Path]):
    """What is stopped in this life; the next start tries everything again. Used by one thread, looked at by others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unread_s: dict[Path, float | None] = {}  # when it could not be read; None: it is damaged, or disagrees

    def __contains__(self, path: object) -> bool:
        return path in self._unread_s

    def __iter__(self) -> Iterator[Path]:
        return iter(list(self._unread_s))

    def __len__(self) -> int:
        return len(self._unread_s)

    def add(self, path: Path, corrupt: Corrupt) -> None:
        """Leave a file alone from now on, and say why if that is new."""
        is_unread = isinstance(corrupt, Unreadable)
        if path not in self and is_unread:
            log.error("the disk does not give a frozen file: it is tried again each minute", reason=str(corrupt))
        elif not is_unread:
            log.critical("a batch is stopped: look at it before anything else", reason=str(corrupt))
        self._unread_s[path] = self._clock.now() if is_unread else None

    def rests(self, path: Path) -> bool:
        """Whether a file is still to be left alone."""
        if path not in self._unread_s:
            return False
        since_s = self._unread_s[path]
        return since_s is None or abs(self._clock.now() - since_s) < LOOK_AGAIN_S

    def let_go_but(self, there: Collection[Path]) -> None:
        """Only these are there still."""
        for path in self:
            if path not in there:
                self.let_go(path)

    def let_go(self, path: Path) -> None:
        """A file is not stopped any more, or not there."""
        self._unread_s.pop(path, None)
