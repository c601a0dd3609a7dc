"""Events that wait to be sent, for at most 48 hours, also over restarts.

Each has a random id of its own, made when it happened, so that a retry counts once; it says nothing of who sent it.
The file, one event a line, is this list as it was after the last change:

    WALL_S STEADY_S {"kind":"feature_use",...,"id":"..."}

An age is added when it is sent. What is older than 48 hours is dropped unsent: the server would count it on a wrong day
and no longer knows its id. At most 1,000 wait; further ones are dropped, oldest first.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .moment import Moment, elapsed_s
from .state import write_whole

LONGEST_S = 48 * 3600
MOST = 1000
BATCH = 100  # what the server takes at once
_LINE = re.compile(r"([0-9]{1,12}) ([0-9]{1,12}) (\{.+\})")


class _Event(NamedTuple):
    happened: Moment
    text: str
    in_this_process: bool


class Batch(NamedTuple):
    """Events that go together, and the body they are."""

    events: tuple[_Event, ...]
    body: bytes


class Waiting:
    """The events of one state folder that are not sent yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._events = [_Event(Moment(int(wall), int(steady)), text, False) for wall, steady, text in _read(path)]  # noqa: FBT003 - a field

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: dict[str, str | int | bool], happened: Moment) -> None:
        """Have an event wait. Raises OSError if it cannot be kept on disk; it waits in memory then."""
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        self._events = [*self._events, _Event(happened, text, True)][-MOST:]  # noqa: FBT003 - a field
        self._keep()

    def batch(self, now: Moment) -> Batch | None:
        """The oldest events, None if none waits; what is too old is dropped."""
        young = [each for each in self._events if _age_s(each, now) <= LONGEST_S]
        if len(young) < len(self._events):
            self._events = young
            with suppress(OSError):  # then it is dropped again after the next start
                self._keep()
        if not young:
            return None
        oldest = tuple(young[:BATCH])
        texts = [f'{each.text[:-1]},"age_s":{_age_s(each, now)}}}' for each in oldest]
        return Batch(oldest, f"[{','.join(texts)}]".encode())

    def settle(self, batch: Batch) -> None:
        """These are done with. Raises OSError."""
        done = {id(each) for each in batch.events}
        self._events = [each for each in self._events if id(each) not in done]
        self._keep()

    def clear(self) -> None:
        """Forget all of them. Raises OSError."""
        self._events = []
        self._path.unlink(missing_ok=True)

    def _keep(self) -> None:
        lines = [f"{each.happened.wall_s} {each.happened.steady_s} {each.text}\n" for each in self._events]
        write_whole(self._path, "".join(lines))


def _age_s(event: _Event, now: Moment) -> int:
    return elapsed_s(event.happened, now, same_process=event.in_this_process)


def _read(path: Path) -> list[tuple[str, str, str]]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    return [(each[1], each[2], each[3]) for each in map(_LINE.fullmatch, lines) if each][-MOST:]
