"""The truth file of `collector simulate`, asked like a report: what an analyst must see of a property and some days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Where = Mapping[str, str | Callable[[str], bool]]


class Sums(NamedTuple):
    """What was counted: events, and what else a report adds up."""

    events: int = 0
    amount: int = 0

    def __add__(self, other: object) -> Sums:
        assert isinstance(other, Sums)
        return Sums(self.events + other.events, self.amount + other.amount)


class Truth:
    """What was made up, by property, day and report; `dimensions` are those of the catalogue, in its order."""

    def __init__(self, path: Path, dimensions: Mapping[str, list[str]]) -> None:
        self._told = orjson.loads(path.read_bytes())["properties"]
        self._dimensions = dimensions

    def of(self, property: str) -> Any:
        """All of a property, as it lies in the file."""
        return self._told[property]

    def days(self, property: str) -> list[str]:
        """The days told of, the first one first."""
        return sorted(self._told[property]["days"])

    def visitor_days(self, property: str, first: str, last: str) -> int:
        """Callers of each day, added up."""
        days = self._told[property]["days"].items()
        return sum(told["visitors"] for day, told in days if first <= day <= last)

    def total(self, property: str, report: str, first: str, last: str, **where: str) -> Sums:
        """The sums of a report over days, of rows that have these values."""
        return sum((sums for _, sums in self._rows(property, report, first, last, where)), Sums())

    def by(self, property: str, report: str, dimension: str, first: str, last: str, **where: str) -> dict[str, Sums]:
        """The same, by one dimension."""
        place = self._dimensions[report].index(dimension)
        found: dict[str, Sums] = {}
        for values, sums in self._rows(property, report, first, last, where):
            found[values[place]] = found.get(values[place], Sums()) + sums
        return found

    def by_day(self, property: str, report: str, first: str, last: str) -> Counter[str]:
        """Events of each day."""
        days = self._told[property]["days"].items()
        return Counter(
            {day: sum(row[-2] for row in told["reports"].get(report, [])) for day, told in days if first <= day <= last}
        )

    def _rows(
        self, property: str, report: str, first: str, last: str, where: Mapping[str, str]
    ) -> Iterator[tuple[list[str], Sums]]:
        wanted = {self._dimensions[report].index(name): value for name, value in where.items()}
        for day, told in self._told[property]["days"].items():
            if not first <= day <= last:
                continue
            for *values, events, amount in told["reports"].get(report, []):
                if all(values[place] == value for place, value in wanted.items()):
                    yield values, Sums(events, amount)
