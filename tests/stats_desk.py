"""Somebody who answers questions over a warehouse in memory, at a time that stands still."""

from __future__ import annotations

from functools import cache

from collector.catalogue.declarations import Declarations, read_declarations
from collector.stats.answer import Answer, Answers
from tests.memory_reading import REGISTRY, SITE, MemoryReading, SteppedClock, seconds

TODAY = "2026-11-22"
NOON = f"{TODAY}T12:00:00"


@cache
def declared() -> Declarations:
    return read_declarations()


class Desk:
    """A warehouse, a clock and somebody who answers."""

    def __init__(self, live_fold_s: float = 0) -> None:
        self.reading = MemoryReading(declared())
        self.clock = SteppedClock(seconds(NOON))
        self.answers = Answers(declared(), REGISTRY, self.reading, self.clock, live_fold_s)
        self.put = self.reading.put

    def ask(self, report: str, **parameters: str) -> Answer:
        """Ask about SITE; write from_ for from."""
        given = {"property": SITE} | {name.rstrip("_"): value for name, value in parameters.items()}
        return self.answers.ask(self.answers.read(report, given.items()))


def says(answer: Answer, *words: str) -> bool:
    return any(all(word in note for word in words) for note in answer.notes)
