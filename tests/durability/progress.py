"""Shows on stderr how far a scenario is: one line that moves on a terminal, some lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator

LINES = 5  # where the line cannot move


def rounds_of(name: str, rounds: int) -> Iterator[int]:
    """The numbers 0 to rounds - 1, each told as it begins."""
    moves = sys.stderr.isatty()
    step = 1 if moves else max(1, rounds // LINES)
    for number in range(rounds):
        if number % step == 0:
            told(f"{name}: {number:,} of {rounds:,}", end="\r" if moves else "\n")
        yield number
    told(f"{name}: {rounds:,} of {rounds:,}")


def told(text: str, end: str = "\n") -> None:
    """Say something to whoever waits."""
    sys.stderr.write(text + end)
    sys.stderr.flush()
