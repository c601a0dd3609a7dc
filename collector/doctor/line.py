"""One line of what the doctor says: how it stands with one thing, what that means, and what is to be done.

A line holds names and numbers of the collector and the machine, never anything of a request, a visitor or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How bad it is; the place in this list is the exit status of `collector doctor`."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


STATES = list(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was looked at, how it stands with it, and what to do about it ('' where nothing is)."""

    name: str
    state: State
    tells: str
    todo: str = ""


def ok(name: str, tells: str) -> Line:
    return Line(name=name, state=State.OK, tells=tells)


def warn(name: str, tells: str, todo: str) -> Line:
    return Line(name=name, state=State.WARN, tells=tells, todo=todo)


def fail(name: str, tells: str, todo: str) -> Line:
    return Line(name=name, state=State.FAIL, tells=tells, todo=todo)


def as_json(lines: Iterable[Line]) -> dict[str, Any]:
    """What the API tells."""
    return {"lines": [asdict(line) for line in lines]}


def from_json(said: dict[str, Any]) -> list[Line]:
    """What as_json told."""
    return [Line(**each | {"state": State(each["state"])}) for each in said["lines"]]


def worst(lines: Iterable[Line]) -> State:
    """The worst of all."""
    return STATES[max((STATES.index(line.state) for line in lines), default=0)]
