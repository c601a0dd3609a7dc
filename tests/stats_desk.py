"""Somebody who answers questions over a warehouse in memory, at a time that stands still."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from collector.catalogue.declarations import Declarations, read_declarations
from collector.stats.answer import Answer, Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from tests.memory_reading import REGISTRY, SITE, MemoryReading, SteppedClock, seconds

TODAY = "2026-11-22"
NOON = f"{TODAY}T12:00:00"


@cache
def declared() -> Declarations:
    return read_declarations()


class Desk:
    """A warehouse, a clock and somebody who answers."""

    def __init__(self, live_fold_s: float = 0, reading: MemoryReading | None = None) -> None:
        self.reading = reading or MemoryReading(declared())
        self.clock = SteppedClock(seconds(NOON))
        self._folder = TemporaryDirectory()
        self.path = Path(self._folder.name) / "shown.sqlite"
        self._live_fold_s = live_fold_s
        self._file: ShownFile | None = None
        self.restart()
        self.put = self.reading.put

    def restart(self) -> None:
        """Another process answers from now on."""
        self.close()
        self._file = ShownFile(self.path, self.clock)
        self.open_days = OpenDays(self._file, declared().threshold, self._live_fold_s)
        self.answers = Answers(declared(), REGISTRY, self.reading, self.clock, self.open_days)

    def close(self) -> None:
        """Let go of the file of what was shown."""
        if self._file:
            self._file.close()

    def ask(self, report: str, **parameters: str) -> Answer:
        """Ask about SITE; write from_ for from."""
        given = {"property": SITE} | {name.rstrip("_"): value for name, value in parameters.items()}
        return self.answers.ask(self.answers.read(report, given.items()))


def says(answer: Answer, *words: str) -> bool:
    return any(all(word in note for word in words) for note in answer.notes)
