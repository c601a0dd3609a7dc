"""The only source of time: everything that needs to know when it is gets a Clock, so that tests can step it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in seconds since 1970-01-01T00:00Z."""

    def now(self) -> float:
        """The present moment."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """The present moment, as the machine believes it to be."""
        return time.time()
