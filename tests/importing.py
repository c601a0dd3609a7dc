"""An import that is driven in this process, under a stepped clock, killed before whichever step one likes.

What it hands over is sealed by a collector's real sealer, in a real engine. Days lie far ahead, so that the engine,
which knows no other clock than the machine's, keeps what is sealed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from collector.catalogue.registry import Registry
from collector.door.judge import Judge
from collector.settings import read_settings
from collector.tools.import_log.counting import Counting
from collector.tools.import_log.hits import Excluded, Hits
from collector.tools.import_log.run import ImportLog, Told
from collector.warehouse.engine import Engine
from collector.worker import judge_of
from tests.loading import DECLARATIONS
from tests.memory_reading import REGISTRY, SITE, SteppedClock
from tests.sealing import DAY_S, FIRST_DAY, Node, SteppedDisk, Steps

ONE_SITE = Registry(sites={SITE: REGISTRY.sites[SITE]}, products={}, links={}, downloads=())
TODAY = FIRST_DAY + 30
NOTHING = Excluded()


@cache
def judge() -> Judge:
    """What judges hits of both sites, as at the door."""
    return judge_of(replace(read_settings({}, {}), registry=REGISTRY), DECLARATIONS)


@dataclass
class Importer:
    """Somebody who imports into one data folder, and the collector that owns it."""

    engine: Engine
    data: Path
    chunk_lines: int = 10
    registry: Registry = ONE_SITE
    site: str | None = None
    excluded: Excluded = NOTHING
    steps: Steps = field(default_factory=Steps)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = SteppedClock(TODAY * DAY_S + 1_000)
        self.node = Node(self.engine, self.data, self.clock, self.steps)

    def run(self, *paths: Path) -> Told | None:
        """Import; raises KilledError where the steps say so."""
        return ImportLog(
            disk=SteppedDisk(self.steps),
            data=self.data,
            declarations=DECLARATIONS,
            hits=Hits(self.registry, self.site, self.excluded),
            counting=lambda epoch: Counting(DECLARATIONS, judge(), epoch),
            setup=f"{self.site} {self.excluded}",
            seal=self._seal,
            clock=self.clock,
            notice=self.notices.append,
            chunk_lines=self.chunk_lines,
        ).run(paths)

    def counted(self, *paths: Path) -> Told:
        """What an import of something new came to."""
        told = self.run(*paths)
        assert told is not None
        return told

    def begin(self) -> None:
        """The next life of the collector, too."""
        self.steps.at, self.steps.taken = 0, []
        self.node.begin()

    def files(self) -> list[str]:
        """What lies in the folders that an import uses, but for what is remembered."""
        folders = [self.data / name for name in ("imports", "sealing", "frozen")]
        return sorted(str(path.relative_to(self.data)) for folder in folders for path in folder.rglob("*"))

    def _seal(self) -> None:
        self.node.load()
        self.node.sealer.seal_due()


def hits_by(client: Client, nodes: tuple[str, ...], column: str = "d1", report: str = "pages") -> Counter[Any]:
    """Sealed hits of a report by a column, over some nodes named in hex."""
    found: Counter[Any] = Counter()
    for node in nodes:
        query = (
            f"SELECT {column} AS value, sum(events) FROM sealed WHERE report = {{r:String}} AND node = {{n:UInt64}}"
            " GROUP BY value"
        )
        for value, events in client.query(query, parameters={"r": report, "n": int(node, 16)}).result_rows:
            found[value] += int(events)
    return found


def all_rows(client: Client) -> list[tuple[Any, ...]]:
    """Everything that lies in both tables, markers, too."""
    return [
        tuple(row)
        for table in ("hot", "sealed")
        for row in client.query(f"SELECT * FROM {table} ORDER BY ALL").result_rows
    ]
