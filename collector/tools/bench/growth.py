"""How a collector grows: the memory of its processes over millions of hits, every request with an agent of its own.

Measured after the first 500,000 hits, when caches are full and tables are begun, and at the end. What is shared by all
(the day's filters) is counted in each process, once: it does not grow. Called by command.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import click

from collector.tools.bench.contender import Collector
from collector.tools.bench.load import run_load
from collector.tools.bench.rounds import all_loaded, void

SETTLED_AT = 500_000
EVENTS = 5  # hits of each request: a million agents bring five million
STEP_S = 10
ROLES = ("worker", "warehouse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Resident memory in MB by role, after about SETTLED_AT hits and at the end; void: why it counts for nothing."""

    hits: int
    agents: int
    settled_mb: dict[str, float]
    end_mb: dict[str, float]
    void: str

    def grown_mb(self, role: str) -> float:
        """How much it grew after the first hits."""
        return self.end_mb[role] - self.settled_mb[role]


def grow(start: Callable[[], AbstractContextManager[Collector]], hits: int) -> Growth:
    """Send so many hits, a fifth as many requests, each with its own agent."""
    sent = agents = seed = 0
    settled: dict[str, float] = {}
    wrong = ""
    with start() as contender, click.progressbar(length=hits, label="hits") as bar:
        while sent < hits and not wrong:
            before = all_loaded(contender)
            load = run_load(contender.port, STEP_S, 3_000_000 + seed, events=EVENTS, own_agents=seed + 1)
            wrong = void(load, before, all_loaded(contender))
            seed += 1
            sent, agents = sent + load.hits, agents + load.requests
            bar.update(load.hits)
            if not settled and sent >= SETTLED_AT:
                settled = _resident_mb(contender)
        end = _resident_mb(contender)
    return Growth(hits=sent, agents=agents, settled_mb=settled or end, end_mb=end, void=wrong)


def _resident_mb(contender: Collector) -> dict[str, float]:
    return {role: max(map(_rss_mb, contender.pids(role)), default=0.0) for role in ROLES}


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
