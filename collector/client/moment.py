"""Two clocks of this machine: what it believes the time to be, and one that nobody sets.

Only the age of events that wait is made of them. Whether a day is new is never asked of a clock (contract.py).
"""

from __future__ import annotations

import time
from typing import NamedTuple

# Clocks that go on while the machine sleeps, as far as the system has one: Linux, macOS; Windows' only one does.
_STEADY = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


class Moment(NamedTuple):
    """Whole seconds. `wall_s` since 1970, as the machine believes; `steady_s` since it was started, never set back."""

    wall_s: int
    steady_s: int


def now() -> Moment:
    """The present moment."""
    steady_s = time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)
    return Moment(int(time.time()), int(steady_s))


def elapsed_s(since: Moment, until: Moment, *, same_process: bool) -> int:
    """How long it is ago, never negative.

    Within a process it is the steady clock's difference, whatever is done to the other. Over restarts the machine may
    have been off: the wall clock's difference, but at least what the steady clock proves. If that is further than
    before, so much passed or more; if not, the machine was started in between and has run that long since.
    """
    if same_process:
        return max(0, until.steady_s - since.steady_s)
    ran_s = until.steady_s - since.steady_s
    return max(until.wall_s - since.wall_s, ran_s if ran_s >= 0 else until.steady_s)
