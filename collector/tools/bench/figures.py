"""What is told of a bench: a line a figure, its goal if it has one, and how it compares with the benches before.

A figure is a ratio of two servers measured in turns, or a number of the collector alone. Numbers of these machines are
noisy: goals are ratios where there is something to compare with. The history file has one line of JSON a bench. Pure
functions but for that file; called by command.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from collector.tools.bench.database import Loading, Stored
from collector.tools.bench.growth import Growth
from collector.tools.bench.rounds import BATCHES, HITS, PACED, Run, Runs

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 12  # benches before
TWO_WORKERS = "two workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound that a figure is to keep."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether it is kept."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: its values, one a round, and the two they were made of where it is a ratio."""

    name: str
    unit: str
    values: Sequence[float]
    of: str = ""
    goal: Goal | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)


_GOALS = {
    "requests/s": Goal(bound=0.50, at_least=True),
    "CPU per hit": Goal(bound=2.4),
    "latency, 99 %, at one rate": Goal(bound=4),
}
BATCH_GOAL = Goal(bound=4, at_least=True)
WORKERS_GOAL = Goal(bound=1.6, at_least=True)
GROWTH_GOAL = Goal(bound=10)
WORKERS_NEED = 4  # cores: two workers, the warehouse, and wrk


def compared(left: str, right: str, found: Sequence[dict[str, Runs]], *, goals: bool) -> list[Figure]:
    """What the right side's figures are of the left side's, round by round."""
    of: dict[str, tuple[str, Callable[[Run], float]]] = {
        "requests/s": (HITS, lambda run: run.load.hits_per_s),
        "CPU per hit": (HITS, lambda run: run.cpu_us),
        "hits/s, batches of 50": (BATCHES, lambda run: run.load.hits_per_s),
        "CPU per hit, batches of 50": (BATCHES, lambda run: run.cpu_us),
        "latency, median, at one rate": (PACED, lambda run: run.load.p50_ms),
        "latency, 99 %, at one rate": (PACED, lambda run: run.load.p99_ms),
    }
    figures = []
    for name, (way, read) in of.items():
        lefts = [read(runs[left][way]) for runs in found]
        rights = [read(runs[right][way]) for runs in found]
        ratios = [b / a if a else 0.0 for a, b in zip(lefts, rights, strict=True)]
        told = f"{_short(median(lefts))} and {_short(median(rights))}"
        figures.append(
            Figure(name=name, unit=f"of {left}", values=ratios, of=told, goal=_GOALS.get(name) if goals else None)
        )
    batches = [runs[right][BATCHES].load.hits_per_s / runs[right][HITS].load.hits_per_s for runs in found]
    goal = BATCH_GOAL if goals else None
    return [*figures, Figure(name="hits/s in batches", unit="of single", values=batches, goal=goal)]


def of_workers(found: Sequence[dict[str, Runs]], right: str, cores: int) -> Figure:
    """Two workers against one; a goal where there are cores for them."""
    ratios = [runs[TWO_WORKERS][HITS].load.hits_per_s / runs[right][HITS].load.hits_per_s for runs in found]
    goal = WORKERS_GOAL if cores >= WORKERS_NEED else None
    return Figure(name="requests/s, two workers", unit="of one", values=ratios, of=f"{cores} cores", goal=goal)


def of_growth(growth: Growth) -> list[Figure]:
    """Memory over millions of hits."""
    after = f"{growth.hits:,} hits, {growth.agents:,} agents"
    return [
        Figure(
            name=f"memory, {role}",
            unit="MB more",
            values=[growth.grown_mb(role)],
            of=f"{growth.end_mb[role]:.0f} MB after {after}",
            goal=GROWTH_GOAL if role == "worker" else None,
        )
        for role in growth.end_mb
    ]


def of_database(loading: Loading, stored: Stored) -> list[Figure]:
    """Loading, sealing, bytes, questions."""
    asked = stored.asked_ms.values()
    return [
        Figure(
            name="loading a backlog", unit="events/s", values=[loading.events_per_s], of=f"{loading.events:,} events"
        ),
        Figure(name="loading, CPU", unit="us an event", values=[loading.cpu_us]),
        Figure(
            name="sealing", unit="cells/s", values=[stored.cells / stored.seal_s], of=f"{stored.cells:,} rows of hot"
        ),
        *(
            Figure(
                name=f"bytes a million events, {table}",
                unit="bytes",
                values=[stored.bytes_per_million(table)],
                of=f"{stored.events_of[table]:,} events, {stored.rows[table]:,} rows",
            )
            for table in sorted(stored.rows)
        ),
        Figure(name="questions, median", unit="ms", values=[median(asked)], of=f"{len(asked)} questions"),
        Figure(
            name="questions, slowest",
            unit="ms",
            values=[max(asked)],
            of=max(stored.asked_ms, key=stored.asked_ms.__getitem__),
        ),
    ]


def table(figures: Iterable[Figure], before: Sequence[dict[str, Any]]) -> str:
    """One line a figure: median, least and most, goal, what it is of, and how it went in the benches before."""
    lines = [f"{'figure':<32}{'median':>12}  {'least to most':<18}{'':<12}{'goal':<16}{'before':<14}of"]
    for figure in figures:
        spread = f"{_short(min(figure.values))} to {_short(max(figure.values))}" if len(figure.values) > 1 else ""
        goal = f"{figure.goal} {'met' if figure.goal.met(figure.value) else 'MISSED'}" if figure.goal else ""
        trend = bars([each["figures"][figure.name] for each in before if figure.name in each["figures"]])
        value = f"{_short(figure.value):>12}  {spread:<18}{figure.unit:<12}"
        lines.append(f"{figure.name:<32}{value}{goal:<16}{trend:<14}{figure.of}")
    return "\n".join(line.rstrip() for line in lines)


def bars(values: Sequence[float]) -> str:
    """The last of these values as little bars, from 0 to the largest."""
    last = values[-_SHOWN:]
    most = max(last, default=0.0)
    return "".join(_BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1)] if most > 0 else " " for value in last)


def history(file: Path) -> list[dict[str, Any]]:
    """The benches of a history file, oldest first; none if there is no such file."""
    return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.is_file() else []


def remember(file: Path, figures: Iterable[Figure], **about: str) -> None:
    """Add a bench to a history file."""
    line = {**about, "figures": {figure.name: round(figure.value, 4) for figure in figures}}
    with file.open("ab") as lines:
        lines.write(orjson.dumps(line) + b"\n")


def _short(value: float) -> str:
    if abs(value) >= 1000:  # noqa: PLR2004 - four figures say enough
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004 - three do
