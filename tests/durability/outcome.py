"""What a scenario is and what it tells. Everything else of this package makes or shows these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the events of one scenario.

    rounds        how often the fault was done: kills, requests, ...; the scenario says what
    acknowledged  events answered with success: each of them must be counted
    lost          counted less often than acknowledged
    doubled       counted more often than they may be: an event once, one that was refused never
    """

    fault: str
    rounds: int
    acknowledged: int
    lost: int
    doubled: int
    seed: int
    note: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether every event was counted as often as it must be."""
        return self.lost == self.doubled == 0


Run = Callable[[Path, int, int], Outcome]
"""(folder, rounds, seed): works in a folder of its own; raises AssertionError where more than a count is wrong."""


class Scenario(NamedTuple):
    """One fault; `quick` rounds in every run of the tests, `full` where there is time."""

    name: str
    run: Run
    quick: int
    full: int


class NotHereError(Exception):
    """A scenario needs something this machine does not have; the text says what."""
