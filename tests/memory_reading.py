"""A warehouse of the tests: cells and sealed rows put there by hand, read by the same questions as the real one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Product, Registry, Site
from collector.catalogue.reports import Report
from collector.cell import CellKey, Counters
from collector.warehouse.reading import SealedRow

DAY_S = 86_400
NOTHING: frozenset[str] = frozenset()
SITE, OTHER_SITE, PLAYER = "www.example.org", "shop.example.org", "player"

REGISTRY = Registry(
    sites={name: Site(id=name, hosts=(name,), routes=("/**",), goals=NOTHING) for name in (SITE, OTHER_SITE)},
    products={
        PLAYER: Product(
            id=PLAYER,
            versions=NOTHING,
            channels=NOTHING,
            origins=NOTHING,
            slots=NOTHING,
            items=NOTHING,
            features=NOTHING,
            platforms=NOTHING,
        )
    },
    links={},
    downloads=(),
)


def seconds(text: str) -> int:
    """Epoch seconds of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@dataclass(slots=True)
class SteppedClock:
    """Stands still until it is told another time."""

    at: float

    def now(self) -> float:
        return self.at


@dataclass(slots=True)
class MemoryReading:
    """Cells and sealed rows by node. `looks` counts how often cells were read; `through`, `epochs`: what seals say."""

    declarations: Declarations
    cells_by_node: dict[int, dict[CellKey, Counters]] = field(default_factory=lambda: defaultdict(dict))
    looks: int = 0
    through: dict[int, int] = field(default_factory=dict)
    rows: list[tuple[str, str, SealedRow]] = field(default_factory=list)
    epochs: dict[tuple[int, int], int] = field(default_factory=dict)

    def put(  # noqa: PLR0913 - each but two has a default, and all of them a name
        self,
        report: str,
        when: str,
        *values: str,
        events: int,
        networks: int | None = None,
        amount: int = 0,
        epoch: int = 1,
        node: int = 1,
        property_id: str = SITE,
    ) -> None:
        """Add to a cell; every event is of a new visitor, and of a new network unless said otherwise."""
        key = CellKey(report, property_id, seconds(when), values, epoch)
        new = events if networks is None else networks
        self.cells_by_node[node].setdefault(key, Counters()).add(
            Counters(events=events, visitors=events, networks=new, firsts=new, amount=amount)
        )

    def sealed_through(self) -> dict[int, int]:
        return self.through

    def sealed(
        self,
        report: Report,
        property_id: str,
        from_day: int,
        to_day: int,
        interval: str | None,
        dimensions: Collection[str],
    ) -> list[SealedRow]:
        return [
            row._replace(
                values=tuple(
                    value if name in dimensions else "" for name, value in zip(report.by, row.values, strict=True)
                )
            )
            for name, of, row in self.rows
            if (name, of) == (report.name, property_id)
            and from_day <= row.bucket // DAY_S <= min(to_day, self.through.get(row.node, -1))
        ]

    def sealed_epochs(self, report: Report, property_id: str, from_day: int, to_day: int) -> dict[tuple[int, int], int]:
        rows = self.sealed(report, property_id, from_day, to_day, None, ())
        present = {(row.bucket // DAY_S, row.node) for row in rows}
        return {part: epochs for part, epochs in self.epochs.items() if part in present}

    def cells(
        self, report: Report, property_id: str, from_day: int, to_day: int
    ) -> list[tuple[int, tuple[str, ...], int, int, Counters]]:
        self.looks += 1
        return self._cells(report, property_id, from_day, to_day)

    def _cells(
        self, report: Report, property_id: str, from_day: int, to_day: int
    ) -> list[tuple[int, tuple[str, ...], int, int, Counters]]:
        return [
            (key.bucket, key.values, node, key.epoch, counters)
            for node, cells in self.cells_by_node.items()
            for key, counters in cells.items()
            if key.report == report.name
            and key.property == property_id
            and max(from_day, self.through.get(node, -1) + 1) <= key.bucket // DAY_S <= to_day
        ]

    def bounds(self, property_id: str, from_day: int, to_day: int) -> list[tuple[int, int, str, int, int, int]]:
        found: defaultdict[tuple[int, int, str, int], dict[tuple[str, ...], Counters]] = defaultdict(dict)
        for report in self.declarations.reports.values():
            for bucket, values, node, epoch, counters in self._cells(report, property_id, from_day, to_day):
                cell = found[bucket // DAY_S, node, report.name, epoch].setdefault(values, Counters())
                cell.add(counters)
        return [
            (*key, max(one.networks for one in cells.values()), sum(one.firsts for one in cells.values()))
            for key, cells in found.items()
        ]
