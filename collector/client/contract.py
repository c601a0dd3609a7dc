"""The counting contract: which first letters and which age a check says, and what is kept of its answer.

Owns the rule, as pure functions; never reads a clock, a file or a socket. client.py runs it over HTTP, the tests run
10,000 of it over 90 days, and schemas/vectors says the same for clients in other languages.

    HEAD /v1/check?...                     what day is it?     not counted; Collector-Day: 2026-11-29
    GET  /v1/check?...&first=dw&age=3      here I am           counted with these letters, on the day it arrives

Why two requests. Letters must be right for the day on which the server counts them, and a client cannot know that day:
its clock may be hours, years or a flat battery away, and an offset learned earlier is wrong once the clock was set. So
no clock is read at all; the day is heard a moment before it is used. What can still happen is that midnight passes in
between. Days, weeks and months only go on, so what is new on the day that was heard is new on the day that counts, too:
letters heard too early are never too many. Where they are too few (the new day also begins a week) the week is not
marked as counted, and the next day's check brings it.

    never too much   unless an answer is lost after counting: it is said again, once for each lost answer
    too little       a week or month whose only check fell into a midnight; a day on which no check succeeded
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import quote

LOWER_BOUNDS = (52, 26, 13)
BUSY = 429
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Counted(NamedTuple):
    """The last day, week (its Monday) and month (its first) in which this installation was counted; its first week."""

    day: date
    week: date
    month: date
    installed: date


class Program(NamedTuple):
    """What a check says of the program, and of nobody who uses it. `test`: answered, never counted."""

    product: str
    version: str
    channel: str
    os: str
    arch: str
    test: bool = False


class Ask(NamedTuple):
    """One request, from its path on."""

    method: str
    target: str
    body: bytes = b""


class Answer(NamedTuple):
    """What came back. `day` is Collector-Day, None where it is absent or no date."""

    status: int
    day: date | None = None
    body: bytes = b""
    retry_after_s: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the server did what it was asked."""
        return self.status in range(200, 300)


class Checked(NamedTuple):
    """How a check ended: what to keep, the release as it was sent, and whether it is over (else try again later)."""

    counted: Counted | None
    release: bytes | None
    is_done: bool


def first(counted: Counted | None, day: date) -> str:
    """Of which periods a check on this day is the installation's first: one of "", d, dw, dm, dwm, dwme."""
    if counted is None:
        return "dwme"
    if day <= counted.day:
        return ""
    week = "w" if monday(day) > counted.week else ""
    return "d" + week + ("m" if day.replace(day=1) > counted.month else "")


def age(counted: Counted | None, day: date) -> str:
    """Whole weeks since the week of installation: 0 to 12, then the lower bounds 13, 26 and 52."""
    weeks = max(0, (monday(day) - counted.installed).days // 7) if counted else 0
    return str(next((bound for bound in LOWER_BOUNDS if weeks >= bound), weeks))


def after(counted: Counted | None, said: str, day: date) -> Counted | None:
    """What is counted once these letters were answered with 2xx on this day: only periods they named.

    Where the server's days went back (its clock once ran ahead), that day counts as told: too little for a day, instead
    of nothing until the other day comes.
    """
    if counted is None:
        return Counted(day, monday(day), day.replace(day=1), monday(day)) if said else None
    if day < counted.day:
        return Counted(day, monday(day), day.replace(day=1), min(counted.installed, monday(day)))
    return counted._replace(
        day=day if "d" in said else counted.day,
        week=monday(day) if "w" in said else counted.week,
        month=day.replace(day=1) if "m" in said else counted.month,
    )


def check(
    program: Program, counted: Counted | None, can_keep: Callable[[], bool]
) -> Generator[Ask, Answer | None, Checked]:
    """One check: yields what to ask, is sent each answer (None: there was none), returns how it ended.

    Letters are said only after this very check heard the day, from a server that is a collector, and if what follows
    from them can be kept: behind a portal that answers everything, or on a full disk, nothing is counted twice.
    """
    heard = yield Ask("HEAD", check_target(program))
    if heard is None or heard.status >= 500 or heard.status == BUSY:  # noqa: PLR2004 - a server's fault (RFC 9110)
        return Checked(counted, None, is_done=False)
    day = heard.day if heard.is_good else None
    said = first(counted, day) if day and can_keep() else ""
    told_age = age(counted, day) if day and "w" in said else ""  # only a week's first check is counted by age
    answer = yield Ask("GET", check_target(program, said, told_age))
    if answer is None or not answer.is_good:
        return Checked(counted, None, is_done=False)
    counted_on = answer.day or day
    if day and counted_on:
        counted = after(counted, said, counted_on)
    return Checked(counted, answer.body or None, is_done=day is not None)


def check_target(program: Program, said: str = "", told_age: str = "") -> str:
    """The path and query of a check."""
    told = {"product": program.product, "v": program.version, "os": program.os, "arch": program.arch}
    told |= {"ch": program.channel, "first": said, "age": told_age, "test": "1" if program.test else ""}
    return f"/v1/check?{_query(told)}"


def uninstall_target(program: Program, told_age: str, reason: str) -> str:
    """The path and query of an uninstaller's last word."""
    told = {"product": program.product, "v": program.version, "os": program.os, "age": told_age, "reason": reason}
    return f"/v1/uninstall?{_query(told)}"


def day_of(text: str) -> date | None:
    """The day that is written so, 2026-11-29; None if it is none."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def _query(told: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in told.items() if text)
