"""What must have been counted, by what the model's clients were told: the other half of the model test.

    acknowledged   counted exactly once, unless a flipped bit hit its frame
    unavailable    not counted
    in doubt       counted at most once, and those appended together all or none

An event with an id is one event however often it was sent: counted once if any of its appends was acknowledged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Answer = Literal["acknowledged", "unavailable", "in doubt"]


class Sent(NamedTuple):
    """One event, known by its path; `id` None if it has none."""

    path: str
    id: str | None
    hour: int


@dataclass(slots=True)
class Append:
    """Events appended together. `hit` is the segment in which a bit of their frame was flipped, "" if none was.

    hit_open  whether the segment was still being written: if its worker dies and this was the last frame, what the flip
              costs cannot be told from a torn write
    """

    events: list[Sent]
    answer: Answer
    hit: str = ""
    hit_open: bool = False


class MiscountedError(AssertionError):
    """Some events were counted more or less often than they must be."""

    def __init__(self, lost: int, doubled: int, what: str) -> None:
        super().__init__(f"{lost} lost, {doubled} doubled: {what}")
        self.lost = lost
        self.doubled = doubled


@dataclass(slots=True)
class Expected:
    """Every append there was. `excused` are paths whose loss a flipped bit explains beyond the frame it hit."""

    appends: list[Append] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)

    @property
    def acknowledged(self) -> int:
        """How many events were acknowledged, each once."""
        return len({event for append in self.appends if append.answer == "acknowledged" for event in append.events})

    def with_ids(self) -> list[Sent]:
        """The events a client may send again, oldest first."""
        return list(dict.fromkeys(event for append in self.appends for event in append.events if event.id))

    def check(self, counts: Counter[str]) -> None:
        """Raise MiscountedError unless every event was counted as often as it must be."""
        must = {e.path for a in self.appends if a.answer == "acknowledged" and not a.hit for e in a.events}
        may = {e.path for a in self.appends if a.answer != "unavailable" for e in a.events}
        lost = sorted(path for path in must - self.excused if not counts[path])
        doubled = sorted(path for path, times in counts.items() if times > (path in may))
        torn = [
            append
            for append in self.appends
            if len({counts[event.path] for event in append.events if event.id is None}) > 1
        ]
        if lost or doubled or torn:
            raise MiscountedError(len(lost), len(doubled), f"lost {lost}, doubled {doubled}, in part {torn}")

    def unreported(self, counts: Counter[str], copies: list[str], *, undisturbed: bool) -> list[Append]:
        """Appends that a flipped bit cost and of whose segment no copy is kept in quarantine."""
        return [
            append
            for append in self.appends
            if append.hit
            and (undisturbed or not append.hit_open)
            and not any(counts[event.path] or event.path in self.excused for event in append.events)
            and not any(copy.startswith(append.hit + ".") for copy in copies)
        ]
