"""A collector that loads and seals under a stepped clock, killed before whichever step one likes, and who asks it.

Every call that changes disk or database is a step. Who is killed leaves only files behind; the next life is made of
them. Days lie far ahead, so that the engine, which knows no other clock than the machine's, keeps what is sealed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from collector.cell import OTHER
from collector.disk import Disk
from collector.event import Event
from collector.loader import Loader
from collector.sealer import Sealer
from collector.stats.answer import Answer, Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from collector.warehouse.engine import Engine
from collector.warehouse.reading import Reading
from tests.loading import ALL_NEW, DECLARATIONS, Counted, Place, event
from tests.memory_reading import REGISTRY, SITE, SteppedClock

DAY_S = 86_400
FIRST_DAY = 29_220  # 2050-01-01
DUE_S = DAY_S + 48 * 3600 + 600
K = DECLARATIONS.threshold


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class Steps:
    """Kills before the step `at` (counted from 1, 0 for never); `between` is called before every step."""

    at: int = 0
    taken: list[str] = field(default_factory=list)
    between: Callable[[], None] = lambda: None

    def __call__(self, name: str) -> None:
        self.between()
        self.taken.append(name)
        if len(self.taken) == self.at:
            raise KilledError(name)


class SteppedDisk(Disk):
    """The machine's disk; every call that changes something is a step."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def create(self, path: Path) -> int:
        self._steps("create")
        return super().create(path)

    def sync(self, fd: int) -> None:
        self._steps("sync")
        super().sync(fd)

    def rename(self, path: Path, target: Path) -> None:
        self._steps("rename")
        super().rename(path, target)

    def unlink(self, path: Path) -> None:
        self._steps("unlink")
        super().unlink(path)

    def sync_folder(self, folder: Path) -> None:
        self._steps("sync_folder")
        super().sync_folder(folder)


class SteppedEngine:
    """An engine where every insert and every statement that drops is two steps: before it, and before it is told."""

    def __init__(self, engine: Engine | Client, steps: Steps) -> None:
        self._engine = engine
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def writer(self) -> Any:
        assert not isinstance(self._engine, Client)
        return SteppedEngine(self._engine.writer(), self._steps)

    def raw_insert(self, table: str, *args: Any, **named: Any) -> None:
        assert isinstance(self._engine, Client)
        self._steps(f"insert into {table}")
        self._engine.raw_insert(table, *args, **named)
        self._steps(f"inserted into {table}")

    def command(self, statement: str, *args: Any, **named: Any) -> Any:
        assert isinstance(self._engine, Client)
        if "DROP PARTITION" not in statement:
            return self._engine.command(statement, *args, **named)
        self._steps("drop")
        answer = self._engine.command(statement, *args, **named)
        self._steps("dropped")
        return answer


class Node:
    """One collector's loader and sealer."""

    def __init__(self, engine: Engine, data: Path, clock: SteppedClock, steps: Steps | None = None) -> None:
        self.place = Place(data)
        self.clock = clock
        self.steps = steps or Steps()
        self.metrics = Counted()
        self._engine: Any = SteppedEngine(engine, self.steps)
        self.loader: Loader
        self.sealer: Sealer
        self.begin()

    def begin(self) -> None:
        """The next life, which knows only what lies on disk and in the database."""
        disk = SteppedDisk(self.steps)
        self.loader = self.place.loader(self._engine, self.metrics, self.clock, disk)
        self.sealer = self.place.sealer(self.clock, disk)

    def load(self) -> int:
        """Load all there is."""
        loaded = 0
        while now := self.loader.load_ready():
            loaded += now
        return loaded

    def seal(self) -> None:
        """Seal what is due, and drop; at most one day a minute."""
        self.sealer.run()

    def work(self) -> None:
        """What the process does in some minutes: load, seal all that is due, drop what was sealed a while ago."""
        for _ in range(3):
            self.load()
            self.clock.at += 61
            self.sealer.run()


def noon(day: int) -> int:
    """The hour of a day that events of the tests are of, as hours since 1970."""
    return day * 24 + 12


def hits(day: int, count: int, country: str = "DE", path: str = "/", hour: int = 12) -> list[tuple[Event, int]]:
    """Hits of as many networks and visitors, none of them seen before."""
    return [(event("page_hit", day * 24 + hour, path=path, country=country, entry=True), ALL_NEW)] * count


class Desk:
    """Somebody who asks one engine about SITE."""

    def __init__(self, engine: Engine, clock: SteppedClock) -> None:
        nowhere = ShownFile(Path(os.devnull, "shown.sqlite"), clock)  # never looked at: every answer is folded anew
        open_days = OpenDays(nowhere, DECLARATIONS.threshold, live_fold_s=0)
        self._answers = Answers(DECLARATIONS, REGISTRY, Reading(engine), clock, open_days)

    def ask(self, report: str, first: int, last: int, property_id: str = SITE, **more: str) -> Answer:
        """The answer about these days, by everything."""
        asked = {"property": property_id, "from": date_of(first), "to": date_of(last), "limit": "10000", **more}
        if by := DECLARATIONS.reports[report].by:
            asked.setdefault("by", ",".join(by))
        return self._answers.ask(self._answers.read(report, asked.items()))

    def per_day(self, report: str, first: int, last: int) -> Counter[str]:
        """How many events each day has, over all rows."""
        answer = self.ask(report, first, last, interval="day")
        counted: Counter[str] = Counter()
        place = answer.columns.index("events")
        for row in answer.rows:
            counted[str(row[0])] += int(row[place] or 0)
        return counted


def date_of(day: int) -> str:
    """A day as answers tell it."""
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


def named_under_k(client: Client) -> int:
    """How many sealed rows name a value of theirs for fewer than k networks: the question anybody can put in SQL."""
    found = 0
    for report in DECLARATIONS.reports.values():
        theirs = [f"d{place}" for place in range(report.ours + 1, len(report.by) + 1)]
        if theirs:
            named = " OR ".join(f"{column} != '{OTHER}'" for column in theirs)
            query = f"SELECT count() FROM sealed WHERE report = '{report.name}' AND networks < {K} AND ({named})"
            found += int(client.query(query).result_rows[0][0])
    return found


def hot_days(client: Client, node: int) -> list[int]:
    """The days of a node that lie in `hot`."""
    query = (
        "SELECT DISTINCT intDiv(toUnixTimestamp(bucket), 86400) AS day FROM hot WHERE node = {n:UInt64} ORDER BY day"
    )
    return [int(day) for (day,) in client.query(query, parameters={"n": node}).result_rows]


def sealed_rows(client: Client, node: int, columns: str = "report, d1, sum(events)") -> list[tuple[Any, ...]]:
    """What is sealed of a node, but for markers."""
    query = f"SELECT {columns} FROM sealed WHERE node = {{n:UInt64}} AND report != '' GROUP BY ALL ORDER BY ALL"
    return [tuple(row) for row in client.query(query, parameters={"n": node}).result_rows]
