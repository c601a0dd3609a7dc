"""The database and the memory of event ids of the model test, in memory: what they took survives everything.

The real `insert_once` runs against the database: only its client is played here. Each insert does what is planned for
it, in the ways an engine was seen to fail; the memory of ids answers as the real one (tests/test_durability_model.py
compares them) and forgets nothing, because no run of the model takes 48 hours. Its file is not on the simulated disk:
what SQLite makes of a power loss is not tested here.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import orjson
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from collector.spool.seen import Seen
from collector.warehouse.batch import Batch
from collector.warehouse.insert_once import insert_once
from collector.warehouse.tables import COLUMNS, HOT, MARKER
from collector.warehouse.writing import Writing
from tests.durability.simulated_disk import KilledError

Plan = Literal["good", "lost", "taken", "denied", "forgotten", "killed before", "killed after"]
PLANS: tuple[Plan, ...] = ("good", "lost", "taken", "denied", "forgotten", "killed before", "killed after")
"""What becomes of an insert. It fails and was not taken, or was; it is refused for good; it is said to be taken and was
not; the loader ends before it, or before it hears of it."""

_REPORT, _D1, _EVENTS, _AMOUNT = (COLUMNS.index(name) for name in ("report", "d1", "events", "amount"))
_ERROR_IN_VALUE = "a value cannot be inserted"


class SimulatedWarehouse(Writing):
    """A database that is `away` or does as `plans` say, one for each insert. `counts`: how often each path was hit."""

    def __init__(self) -> None:
        self.away = False
        self.plans: deque[Plan] = deque()
        self.counts: Counter[str] = Counter()
        self._markers: dict[str, tuple[int, int]] = {}

    def insert_once(self, batch: Batch) -> bool:
        return insert_once(cast("Client", self), batch)

    def disconnect(self) -> None:
        """There is no connection."""

    def raw_query(self, statement: str, **_: Any) -> bytes:
        """No earlier insert ever runs on."""
        del statement
        self._answers()
        return b""

    def look_at_merges(self, *, at_once: bool = False) -> None:
        """It merges nothing."""

    def query(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        """Answers for a marker; of parts that are not whole on disk it knows none."""
        self._answers()
        if statement != HOT.find_marker:
            return SimpleNamespace(result_rows=[])
        found = self._markers.get(parameters["name"])
        return SimpleNamespace(result_rows=[(1, *found) if found else (0, 0, 0)])

    def raw_insert(self, table: str, columns: Sequence[str], body: Any, **_: Any) -> None:
        """Takes the rows of one batch, or not."""
        assert (table, tuple(columns)) == (HOT.name, COLUMNS)
        plan = self.plans.popleft() if self.plans else "good"
        if plan == "denied":
            raise DatabaseError(_ERROR_IN_VALUE, code=117)
        if plan == "killed before":
            raise KilledError
        if plan not in ("lost", "forgotten"):
            self._take([orjson.loads(line) for line in body.read().splitlines()])
        if plan == "killed after":
            raise KilledError
        if plan in ("lost", "taken"):
            raise OperationalError("the connection ended")

    def _take(self, rows: list[list[Any]]) -> None:
        for row in rows:
            if row[_REPORT] == MARKER:
                self._markers[row[_D1]] = (row[_EVENTS], row[_AMOUNT])
            elif row[_REPORT] == "pages":
                self.counts[row[_D1]] += row[_EVENTS]

    def _answers(self) -> None:
        if self.away:
            raise OperationalError("the database is away")


class SimulatedSeen(Seen):
    """The memory of ids, durable by each answer. `dies` ends the loader at the next question: before or after it."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.owners: dict[str, str] = {}
        self.fault: Literal["", "EIO", "before", "after"] = ""

    @property
    def size(self) -> int:
        return len(self.owners)

    def repeats(self, segments: Mapping[str, Sequence[str | None]], now_s: float) -> dict[str, set[int]]:
        fault, self.fault = self.fault, ""
        if fault == "EIO":
            raise OSError("simulated")
        if fault == "before":
            raise KilledError
        repeated: dict[str, set[int]] = {}
        for name, ids in segments.items():
            repeated[name] = met = set()
            taken: set[str] = set()
            for position, id_ in enumerate(ids):
                if id_ is not None:
                    if self.owners.setdefault(id_, name) != name or id_ in taken:
                        met.add(position)
                    taken.add(id_)
        if fault == "after":
            raise KilledError
        return repeated

    def tend(self, now_s: float) -> None:
        """It forgets nothing."""
