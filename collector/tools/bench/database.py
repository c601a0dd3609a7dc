"""What the database takes: loading what waits, sealing a day, answering the dashboard, bytes on disk.

Loading is measured through the front door: the warehouse process is stopped while hits come in, then goes on. The rest
is measured on made-up days of the built-in example (tools/simulate), filled into an empty folder by a process of its
own, since a process that has had the engine inside is not to start others: `python -m collector.tools.bench.database
DATA` prints it as JSON. Called by command.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import orjson

from collector.assembly import answers_of, engine_of, open_days_of, sealer_of, writing_of
from collector.catalogue.declarations import Declarations, read_declarations
from collector.data_folder import hold
from collector.errors import Code
from collector.metrics import Metrics
from collector.named_files import region_of
from collector.settings import read_settings
from collector.spool.segment import Life
from collector.stats.answer import Answers
from collector.stats.question import Question
from collector.stats.refusing import BadQuestion
from collector.tools.bench.contender import Collector, Unusable
from collector.tools.bench.load import run_load
from collector.tools.bench.rounds import BATCH, LOADING_PATIENCE_S, all_loaded
from collector.tools.simulate.days import Days
from collector.tools.simulate.history import SEALS_AT_S, SteppedClock, fill
from collector.warehouse.tables import DAY_S, HOT, SEALED

DAYS, VISITORS = 30, 2_000
BACKLOG_S = 15
ASKED = 5  # times each question is asked; its median counts

_LIES = """
SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() GROUP BY table
"""
_OPEN_EVENTS = "SELECT sum(events) FROM hot WHERE report = '' AND property = ''"  # as the markers of its batches say


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """A backlog loaded: events a second, and CPU of the warehouse process for each."""

    events: int
    events_per_s: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Made-up days in the database.

    events      of all days; rows and bytes on disk by table, before the last days were sealed
    cells       of the last days, sealed in seal_s
    asked_ms    each question of every report over all days: the median of its times
    """

    events: int
    rows: dict[str, int]
    bytes_on_disk: dict[str, int]
    events_of: dict[str, int]
    cells: int
    seal_s: float
    asked_ms: dict[str, float]

    def bytes_per_million(self, table: str) -> float:
        """Bytes on disk for a million events of the days that lie in a table."""
        return self.bytes_on_disk.get(table, 0) / max(self.events_of.get(table, 0), 1) * 1e6


def load_backlog(start: Callable[[], AbstractContextManager[Collector]]) -> Loading:
    """Let hits wait while the warehouse process stands still, then see how fast they are loaded."""
    with start() as contender:
        all_loaded(contender)
        (warehouse,) = contender.pids("child", "warehouse")
        os.kill(warehouse, signal.SIGSTOP)
        try:
            load = run_load(contender.port, BACKLOG_S, 4_000_000, events=BATCH)
            time.sleep(1.5)  # the last segment is closed
        finally:
            os.kill(warehouse, signal.SIGCONT)
        began, cpu_s = time.monotonic(), contender.cpu_s()
        counted = all_loaded(contender)
        took = time.monotonic() - began
        cpu_s = contender.cpu_s() - cpu_s
        if not counted or counted.loaded < load.hits:
            raise Unusable(f"{load.hits} hits were not loaded within {LOADING_PATIENCE_S:.0f} s")
    return Loading(events=counted.loaded, events_per_s=counted.loaded / took, cpu_us=cpu_s / counted.loaded * 1e6)


def store(folder: Path) -> Stored:
    """Measure on made-up days, in a process of its own."""
    command = (sys.executable, "-m", "collector.tools.bench.database", str(folder / "made-up"))
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Unusable(done.stderr.decode(errors="replace")[-2000:])
    return Stored(**orjson.loads(done.stdout.splitlines()[-1]))


def _measured(data: Path) -> Stored:
    settings = read_settings({"data": str(data)}, {})
    declarations = read_declarations()
    today = int(time.time()) // DAY_S
    span = range(today - DAYS, today)
    country_of = region_of(settings).country
    days = Days(settings.registry, country_of, seed=1, first=span[0], days=DAYS, visitors=VISITORS)
    folder = hold(data, patience_s=0.0)
    made = fill(settings, folder, days, span, time.time(), lambda _: None)
    metrics = Metrics(declarations.kinds, Code)
    clock = SteppedClock(today * DAY_S + SEALS_AT_S)
    with engine_of(settings) as engine, open_days_of(settings, declarations, clock) as open_days:
        writing = writing_of(engine, declarations, metrics)
        writing.connect()
        lies = {str(table): (int(rows), int(size)) for table, rows, size in writing.ask(_LIES)}
        ((open_events,),) = writing.ask(_OPEN_EVENTS)
        answers = answers_of(settings, declarations, engine, clock, open_days)
        asked_ms = _asked_ms(answers, declarations, settings.registry.properties)
        cells = lies[HOT.name][0]
        clock.at += 3 * DAY_S
        life = Life(int(folder.node(), 16), 0)
        sealer = sealer_of(data, life, declarations, writing, clock, metrics, open_days)
        began = time.monotonic()
        sealer.seal_due()
        seal_s = time.monotonic() - began
    folder.release()
    return Stored(
        events=made.events,
        rows={table: rows for table, (rows, _) in lies.items()},
        bytes_on_disk={table: size for table, (_, size) in lies.items()},
        events_of={HOT.name: int(open_events), SEALED.name: made.events - int(open_events)},
        cells=cells,
        seal_s=seal_s,
        asked_ms=asked_ms,
    )


def _asked_ms(answers: Answers, declarations: Declarations, properties: Iterable[str]) -> dict[str, float]:
    """Every report by each of its dimensions and by day, of each property it can be asked of, over all days."""
    found = {}
    for report in declarations.reports.values():
        for by in ("", *report.by):
            for name in properties:
                parameters = [("property", name), ("period", f"{DAYS}d"), ("interval", "day")]
                try:
                    question = answers.read(report.name, parameters + ([("by", by)] if by else []))
                except BadQuestion:  # a site's report of a product
                    continue
                found[" ".join(filter(None, (report.name, by, name)))] = _median_ms(answers, question)
    return found


def _median_ms(answers: Answers, question: Question) -> float:
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        answers.ask(question)
        took.append(time.perf_counter() - began)
    return median(took) * 1000


if __name__ == "__main__":
    sys.stdout.write("\n" + orjson.dumps(asdict(_measured(Path(sys.argv[1])))).decode() + "\n")
