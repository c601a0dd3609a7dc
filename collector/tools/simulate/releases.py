"""When each version of a product came out: the newest ones within the days that are told of, the others before.

Called by visitors.py, whose people download what is offered, and by fleet.py, whose installations take what is new.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

DAYS_BETWEEN = 16


class Release(NamedTuple):
    """A version and the day it came out."""

    day: int
    version: str

    @property
    def is_beta(self) -> bool:
        """Whether it is only for those who want to try."""
        return "-" in self.version


class Releases:
    """The releases of a product, from the first to the last."""

    def __init__(self, versions: Iterable[str], first_day: int, days: int) -> None:
        ordered = sorted(versions, key=_order) or ["1.0"]
        within = min(len(ordered) - 1, round(days / DAYS_BETWEEN))
        before = len(ordered) - within
        self.all = [
            Release(
                first_day + int(days * (place - before + 0.5) / within)
                if place >= before
                else first_day - DAYS_BETWEEN * (before - place),
                version,
            )
            for place, version in enumerate(ordered)
        ]

    def out(self, day: int, *, beta: bool = False) -> list[Release]:
        """What is out on a day, the newest last; never nothing."""
        out = [each for each in self.all if each.day <= day and (beta or not each.is_beta)]
        return out or self.all[:1]

    def offered(self, day: int, files: Container[str]) -> str:
        """The newest version that is out and has files, else any that has some."""
        with_files = [each.version for each in self.all if each.version in files]
        out = [each.version for each in self.out(day) if each.version in files]
        return (out or with_files)[-1]

    def freshness(self, day: int) -> float:
        """How much more people come in the days after a release: 1 for no more than ever."""
        since = min((day - each.day for each in self.all if each.day <= day), default=DAYS_BETWEEN)
        return 1 + 0.35 * 0.7**since


def _order(version: str) -> tuple[list[int], str]:
    numbers, _, beta = version.partition("-")
    return [int(number) for number in numbers.split(".")], beta or "~"
