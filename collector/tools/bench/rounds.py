"""Rounds of servers under the same loads, in turns, so that a machine that grows slower or faster falls on all.

A round starts every server and warms it up for 3 s; then each is loaded three ways, one server right after the other:
hits, one a request, as fast as answers come; the same in batches of 50; and hits at a rate that all can take, for
their latency. Who has no turn idles, and the order is turned round each time: a server after the other, each started
for its own loads, made a commit 1.2 times as dear as itself on a machine with neighbours (measured).
Per load: hits a second as wrk saw them, and the CPU of the server's whole process tree per hit, from just before the
load to 3 s after it, so that loading into the database is in it; merges that come later are in nobody's figure. A
failed answer, or a hit that was not counted, makes a round void. Called by command.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import click

from collector.tools.bench.contender import Contender, Counted
from collector.tools.bench.load import CONNECTIONS, Load, run_load

WARM_UP_S = 3  # caches filled, pages taken: the state a running server is in
AFTERMATH_S = 3.0
LOADING_PATIENCE_S = 120.0
BATCH = 50  # one caller, 50 paths
HITS, BATCHES, PACED = "hits", "batches", "paced"

Start = Callable[[], AbstractContextManager[Contender]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One server under one load.

    cpu_us  CPU of the whole tree per hit, aftermath included
    late    events accepted but not yet in the database when the CPU was read: work that is missing in cpu_us
    void    why it counts for nothing, if so
    """

    name: str
    way: str
    load: Load
    cpu_us: float
    late: int
    void: str


Runs = Mapping[str, Run]  # by way


def rounds(sides: Mapping[str, Start], count: int, seconds: int, rate: float) -> Iterator[dict[str, Runs]]:
    """Run every side in turns; void rounds are told and left out. `rate`: requests a second of the paced load."""
    for number in range(1, count + 1):
        with ExitStack() as stack:
            up = [(name, stack.enter_context(start())) for name, start in sides.items()]
            for _, contender in up:
                # Other networks than the measured load's, the same known addresses.
                run_load(contender.port, WARM_UP_S, number + 1_000_000)
                all_loaded(contender)
            found: dict[str, dict[str, Run]] = {name: {} for name in sides}
            for at, way in enumerate((HITS, BATCHES, PACED)):
                for name, contender in up if (number + at) % 2 else reversed(up):
                    run = found[name][way] = _run(name, way, contender, seconds, number, rate)
                    click.echo(f"round {number} of {count}  {_told(run)}")
        if not any(run.void for runs in found.values() for run in runs.values()):
            yield dict(found)


def pace(start: Start) -> float:
    """Requests a second that this server takes at its leisure: half of what it takes at most."""
    with start() as contender:
        run_load(contender.port, WARM_UP_S, 2_000_000)
        return run_load(contender.port, WARM_UP_S, 2_000_001).requests_per_s / 2


def all_loaded(contender: Contender) -> Counted | None:
    """What it counted, once all it accepted is in the database or our patience is at its end."""
    give_up = time.monotonic() + LOADING_PATIENCE_S
    while True:
        counted = contender.counted()
        if counted is None or counted.accepted == counted.loaded or time.monotonic() > give_up:
            return counted
        time.sleep(0.2)


def void(load: Load, before: Counted | None, after: Counted | None) -> str:
    """Why a load counts for nothing; empty if nothing is wrong with it."""
    if load.bad_answers or load.broken or not load.requests:
        return f"{load.bad_answers} bad answers, {load.broken} broken or late of {load.requests}"
    if before is None or after is None:
        return ""
    accepted, loaded = after.accepted - before.accepted, after.loaded - before.loaded
    # When the time is over wrk leaves up to one request per connection without reading its answer.
    if not load.hits <= accepted <= load.hits + CONNECTIONS * load.events:
        return f"{load.hits} hits were acknowledged, {accepted} counted at the door"
    return "" if loaded == accepted else f"{accepted} events were accepted, {loaded} loaded"


def _run(name: str, way: str, contender: Contender, seconds: int, seed: int, rate: float) -> Run:
    """Load a server in one way, and tell what it did and what that cost."""
    before = all_loaded(contender)
    cpu_s = contender.cpu_s()
    events = BATCH if way == BATCHES else 1
    load = run_load(contender.port, seconds, seed, events=events, requests_per_s=rate if way == PACED else 0)
    time.sleep(AFTERMATH_S)
    cpu_s = contender.cpu_s() - cpu_s
    at_once = contender.counted()
    after = all_loaded(contender)
    late = at_once.accepted - at_once.loaded if at_once else 0
    cpu_us = cpu_s / max(load.hits, 1) * 1e6
    return Run(name=name, way=way, load=load, cpu_us=cpu_us, late=late, void=void(load, before, after))


def _told(run: Run) -> str:
    late = f", {run.late:,} loaded later" if run.late else ""
    wrong = f"  VOID: {run.void}" if run.void else ""
    speed = f"{run.load.hits_per_s:>10,.0f} hits/s {run.cpu_us:>8.1f} us CPU a hit {run.load.p99_ms:>8.1f} ms p99"
    return f"{run.name:<12}{run.way:<10}{speed}{late}{wrong}"
