"""Many installations that run the client's real contract for many days, into a real data directory.

`python -m tests.fleet FOLDER CLIENTS DAYS plain|rough` fills FOLDER/deep/data as `collector simulate` does, judge to
sealer, and prints as JSON what truly happened. Requests that never arrive, retries and reinstallations happen in every
fleet; answers lost after counting, midnights between two requests and cloned machines in a rough one. No clock of a
client can be wrong here, because the contract reads none.

An installation is a state of its own: a reinstallation begins one, a cloned machine copies one. An installation was
active on a day if one of its checks was counted then; its age counts from the week of its first. A clone has no first.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from collector.client.contract import Answer, Ask, Checked, Counted, Program, age, check, monday
from collector.data_folder import hold
from collector.log import configure
from collector.settings import read_settings
from collector.tools.simulate.history import fill
from collector.tools.simulate.requests import Happening, Person, Request
from collector.tools.simulate.visitors import DAY_S
from tests.sealing import date_of
from tests.stack import Stack

PROGRAM = Program("player", "1.4.2", "stable", "windows", "x86_64")
FIRST_DAY = (date(2026, 12, 14) - date(1970, 1, 1)).days  # then week 53, in which a month and a year end
PERIODS = {"d": "day", "w": "week", "m": "month", "e": "ever"}
WAVES = 3  # of installations, a week apart: retention by age is named where a crowd is that old
AGAIN, UNSENT, REINSTALLED = 0.3, 0.05, 0.002  # a second check a day; requests; a day
LOST, RACED, CLONED = 0.02, 0.01, 0.001  # answers; checks; a day
MONDAYS = 0.9
TRIES = 3


@dataclass
class Machine:
    """One machine, and the state of the client on it. `first_week`: when it was first counted, in truth."""

    person: Person
    number: int
    since: int
    habit: float
    counted: Counted | None = None
    first_week: date | None = None


class Fleet:
    """The machines, and what is true of them."""

    def __init__(self, clients: int, seed: int, *, rough: bool) -> None:
        self._dice = Random(seed)
        self._lost, self._raced, self._cloned = (LOST, RACED, CLONED) if rough else (0.0, 0.0, 0.0)
        self._made = 0
        self.tally: Counter[str] = Counter()
        self._met: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._ages: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._sent: dict[str, Counter[str]] = defaultdict(Counter)
        self._late: list[Iterator[Request]] = []
        self._machines = [self._machine(FIRST_DAY + 7 * (number % WAVES)) for number in range(clients)]

    def day(self, day: int) -> Iterator[Request]:
        """Every check of a day."""
        late, self._late = self._late, []
        for left in late:
            yield from left
        is_monday = _date(day).weekday() == 0
        for machine in [each for each in self._machines if each.since <= day]:
            self._befall(machine, day)
            if self._dice.random() < (MONDAYS if is_monday else machine.habit):
                yield from self._check(machine, day)
                if self._dice.random() < AGAIN:
                    yield from self._check(machine, day)

    def told(self) -> dict[str, Any]:
        """What is true, for the test that asks the collector."""
        active: dict[str, dict[str, int]] = {period: {} for period in PERIODS.values()}
        for (period, begins), who in self._met.items():
            active[period][begins] = len(who)
        ages = {week: {name: len(who) for name, who in of.items()} for week, of in self._ages.items()}
        return {"active": active, "retention": ages, "sent": self._sent, "tally": self.tally}

    def _machine(self, since: int, twin: Machine | None = None) -> Machine:
        number, self._made = self._made, self._made + 1
        address = (11 << 24 | number << 8 | 7).to_bytes(4, "big")  # each in a network of its own
        person = Person(address, "player/1.4.2", "", "", "windows", "desktop", "", "")
        habit = 0.1 + 0.8 * self._dice.random()
        if twin is None:
            return Machine(person, number, since, habit)
        return Machine(person, number, since, habit, twin.counted, twin.first_week)

    def _befall(self, machine: Machine, day: int) -> None:
        if machine.counted and self._dice.random() < REINSTALLED:
            machine.number, self._made = self._made, self._made + 1
            machine.counted = machine.first_week = None
            self.tally["reinstalled"] += 1
        if machine.counted and self._dice.random() < self._cloned:
            self._machines.append(self._machine(day + 1, machine))
            self.tally["cloned"] += 1

    def _check(self, machine: Machine, day: int) -> Iterator[Request]:
        """A check with its retries, the same or, where midnight comes between, the next day."""
        dice = self._dice
        for _ in range(TRIES):
            steps = check(PROGRAM, machine.counted, lambda: True)
            next(steps)
            try:
                ask = steps.send(None if dice.random() < UNSENT else Answer(204, _date(day)))
            except StopIteration:
                continue  # nobody said the day: nothing was counted, and it is tried again
            if dice.random() < self._raced:
                self.tally["raced"] += 1
                self._late.append(self._say(machine, day + 1, steps, ask))
                return
            before = self.tally["done"]
            yield from self._say(machine, day, steps, ask)
            if self.tally["done"] > before:
                return

    def _say(self, machine: Machine, day: int, steps: Any, ask: Ask) -> Iterator[Request]:
        answer = None
        if self._dice.random() >= UNSENT:
            told = _happening(ask, machine.number)
            yield Request(day * DAY_S + self._dice.randrange(DAY_S), machine.person, (told,))
            self._meet(machine, _date(day))
            if "week" in told.event["first"]:
                self._sent[str(monday(_date(day)))][told.event["age"]] += 1
            self.tally["checks"] += 1
            if self._dice.random() < self._lost:
                self.tally["lost"] += 1
            else:
                answer = Answer(204, _date(day))
        try:
            steps.send(answer)
        except StopIteration as ended:
            checked: Checked = ended.value
            machine.counted = checked.counted
            self.tally["done"] += checked.is_done

    def _meet(self, machine: Machine, day: date) -> None:
        week = monday(day)
        if machine.first_week is None:
            machine.first_week = week
            self._met["ever", str(day)].add(machine.number)
        begins = {"day": day, "week": week, "month": day.replace(day=1)}
        for period, start in begins.items():
            self._met[period, str(start)].add(machine.number)
        since = Counted(day, week, week, machine.first_week)
        self._ages[str(week)][age(since, day)].add(machine.number)


def _happening(ask: Ask, number: int) -> Happening:
    """The event that the address of a check is."""
    told = dict(parse_qsl(urlsplit(ask.target).query))
    event: dict[str, Any] = {"kind": "update_check", "product": told["product"], "version": told["v"]}
    event |= {"channel": told["ch"], "os": told["os"], "arch": told["arch"]}
    event["first"] = [PERIODS[letter] for letter in told.get("first", "")]
    # truth.py, which is not asked here, looks at every check's age
    return Happening(event | {"age": told.get("age", "0")}, who=number)


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY_S, UTC).date()


def main(folder: str, clients: str, days: str, kind: str) -> None:
    """Fill a directory and say what is true."""
    configure("warning")
    settings = read_settings({"data": str(Stack.data_in(Path(folder)))}, {})
    held = hold(settings.data, patience_s=0.0)
    fleet = Fleet(int(clients), seed=7, rough=kind == "rough")
    span = range(FIRST_DAY, FIRST_DAY + int(days))
    try:
        fill(settings, held, fleet, span, (span[-1] + 1) * DAY_S, lambda days: None)
    finally:
        held.release()
    about = {"from": date_of(span[0]), "to": date_of(span[-1])}
    sys.stdout.buffer.write(orjson.dumps(fleet.told() | about))


if __name__ == "__main__":
    main(*sys.argv[1:])
