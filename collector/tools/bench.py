"""Measures the collector against a bare aiohttp application, or against another commit of itself: `make bench`.

In turns, pair after pair, so that a machine that grows slower or faster falls on both sides: start one, warm it up for
3 s, load it (tools/load.py), wait for the aftermath, stop it; the same with the other. Per run: answers a second
as wrk saw them, and the CPU of the server's whole process tree per answer, from just before the load to 3 s after it,
so that loading into the database is in it. A run with a failed answer, or whose hits were not all counted, is void.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import orjson

from collector.tools.contender import Contender, Counted, Unusable, Version, bare, collector, with_countries
from collector.tools.earlier import NoSuchVersion, checked_out
from collector.tools.load import CONNECTIONS, Load, run_load
from collector.tools.machine import APPENDS, described, fdatasync_ms, file_system, real_disk

WARM_UP_S = 3  # caches filled, pages taken: the state a running server is in
AFTERMATH_S = 3.0
LOADING_PATIENCE_S = 30.0
GOAL_REQUESTS, GOAL_CPU = 0.38, 3.0  # of the bare application's
WRK_IS_THE_LIMIT = 0.9

Start = Callable[[], AbstractContextManager[Contender]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contender under load, once.

    cpu_us  CPU of the whole tree per answer, aftermath included
    late    events accepted but not yet in the database when the CPU was read: work that is missing in cpu_us
    void    why it counts for nothing, if so
    """

    name: str
    load: Load
    cpu_us: float
    late: int
    void: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of both sides: every run's value, and what the right side's is of the left side's, pair by pair."""

    name: str
    left: list[float]
    right: list[float]

    @property
    def ratios(self) -> list[float]:
        """Right by left."""
        return [right / left if left else 0.0 for left, right in zip(self.left, self.right, strict=True)]


def measure(name: str, start: Start, seconds: int, seed: int) -> Run:
    """Start a contender, load it, and tell what it did and what that cost."""
    with start() as contender:
        # Other networks than the measured load's, the same known addresses.
        run_load(contender.port, WARM_UP_S, seed + 1_000_000)
        before = _all_loaded(contender)
        cpu_s = contender.cpu_s()
        load = run_load(contender.port, seconds, seed)
        time.sleep(AFTERMATH_S)
        cpu_s = contender.cpu_s() - cpu_s
        at_once = contender.counted()
        after = _all_loaded(contender)
    late = at_once.accepted - at_once.loaded if at_once else 0
    cpu_us = cpu_s / max(load.requests, 1) * 1e6
    return Run(name=name, load=load, cpu_us=cpu_us, late=late, void=_void(load, before, after))


def _all_loaded(contender: Contender) -> Counted | None:
    """What it counted, once all it accepted is in the database or our patience is at its end."""
    give_up = time.monotonic() + LOADING_PATIENCE_S
    while True:
        counted = contender.counted()
        if counted is None or counted.accepted == counted.loaded or time.monotonic() > give_up:
            return counted
        time.sleep(0.2)


def _void(load: Load, before: Counted | None, after: Counted | None) -> str:
    if load.bad_answers or load.broken or not load.requests:
        return f"{load.bad_answers} bad answers, {load.broken} broken or late of {load.requests}"
    if before is None or after is None:
        return ""
    accepted, loaded = after.accepted - before.accepted, after.loaded - before.loaded
    # When the time is over wrk leaves up to one hit per connection without reading its answer.
    if not load.requests <= accepted <= load.requests + CONNECTIONS:
        return f"{load.requests} hits were acknowledged, {accepted} counted at the door"
    return "" if loaded == accepted else f"{accepted} events were accepted, {loaded} loaded"


def _pairs(left: tuple[str, Start], right: tuple[str, Start], count: int, seconds: int) -> Iterator[tuple[Run, Run]]:
    """Run both in turns; void pairs are told and left out."""
    for number in range(1, count + 1):
        runs = []
        for name, start in (left, right):
            click.echo(f"pair {number} of {count}  {name:<12}", nl=False)
            run = measure(name, start, seconds, seed=number)
            late = f", {run.late:,} loaded later" if run.late else ""
            void = f"  VOID: {run.void}" if run.void else ""
            click.echo(f"{run.load.requests_per_s:>10,.0f} requests/s {run.cpu_us:>8.1f} us CPU a hit{late}{void}")
            runs.append(run)
        if not any(run.void for run in runs):
            yield runs[0], runs[1]


def _figures(pairs: list[tuple[Run, Run]]) -> list[Figure]:
    of: dict[str, Callable[[Run], float]] = {
        "requests/s": lambda run: run.load.requests_per_s,
        "CPU us per hit": lambda run: run.cpu_us,
        "median latency, ms": lambda run: run.load.p50_ms,
        "99 % latency, ms": lambda run: run.load.p99_ms,
        "wrk's CPU, % of a core": lambda run: run.load.wrk_cpu_ratio * 100,
    }
    return [
        Figure(name=name, left=[read(left) for left, _ in pairs], right=[read(right) for _, right in pairs])
        for name, read in of.items()
    ]


def _table(left: str, right: str, figures: list[Figure]) -> str:
    lines = [f"{'median (least to most)':<24}{left:>28}{right:>28}{f'{right} / {left}':>28}"]
    for figure in figures:
        cells = (_spread(figure.left, 1), _spread(figure.right, 1), _spread(figure.ratios, 2))
        lines.append(f"{figure.name:<24}" + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    digits = 0 if median(values) >= 1000 else digits  # noqa: PLR2004 - four figures say enough
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def _goals(figures: list[Figure]) -> list[str]:
    requests, cpu = median(figures[0].ratios), median(figures[1].ratios)
    return [
        f"goal: at least {GOAL_REQUESTS} of bare's requests/s: {requests:.2f}, {_met(requests >= GOAL_REQUESTS)}",
        f"goal: at most {GOAL_CPU} times bare's CPU per hit: {cpu:.2f}, {_met(cpu <= GOAL_CPU)}",
    ]


def _met(met: bool) -> str:  # noqa: FBT001 - one word for one fact
    return "met" if met else "MISSED"


def _disk(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "file_system": file_system(folder), "fdatasync_ms": fdatasync_ms(folder)}


def _told(seconds: int, machine: dict[str, str], disk: dict[str, Any]) -> str:
    country = "with" if with_countries() else "without"
    return f"""\
load     wrk, {CONNECTIONS} connections, {seconds} s after {WARM_UP_S} s of warm-up; single page hits,
         200 paths, 4 agents, 1 hit in 5 from a new network
server   one worker, segments 1 s, {country} a country database
         CPU is that of the whole process tree up to {AFTERMATH_S:.0f} s after the load
disk     {disk["folder"]} ({disk["file_system"]}): 4 KB appended and made durable in {disk["fdatasync_ms"]:.2f} ms
         (fdatasync, median of {APPENDS})
machine  {", ".join(f"{name} {value}" for name, value in machine.items())}
"""


def _write(file: Path, about: dict[str, Any], pairs: list[tuple[Run, Run]], figures: list[Figure]) -> None:
    """Everything as JSON: machine, disk, every run, every figure with its ratios."""
    runs = [asdict(run) | {"requests_per_s": run.load.requests_per_s} for pair in pairs for run in pair]
    compared = {figure.name: asdict(figure) | {"ratios": figure.ratios} for figure in figures}
    file.write_bytes(orjson.dumps(about | {"runs": runs, "figures": compared}, option=orjson.OPT_INDENT_2))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--against", metavar="COMMIT", help="Compare with the collector of that commit instead of with bare.")
@click.option("--pairs", default=3, show_default=True, type=click.IntRange(min=1), help="Runs of each, in turns.")
@click.option("--seconds", default=8, show_default=True, type=click.IntRange(min=1), help="Length of one load.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write everything here, too."
)
def main(against: str | None, pairs: int, seconds: int, json_file: Path | None) -> None:
    """Measure the collector against a bare aiohttp application, in turns, and say how it compares.

    Exit status 1 if no figure can be given: a program is missing, or a run was void.
    """
    if shutil.which("wrk") is None:
        raise click.ClickException("the load is made by wrk, which is not installed; on Debian: apt install wrk")
    folder = real_disk()
    if folder is None:
        raise click.ClickException("every temporary folder lies in memory; set TMPDIR to one on a disk")
    machine, disk = described(), _disk(folder)
    click.echo(_told(seconds, machine, disk))
    try:
        with ExitStack() as stack:
            now = ("now" if against else "collector", lambda: collector(Version(name="now"), folder))
            if against:
                then = stack.enter_context(checked_out(against))
                other: tuple[str, Start] = (then.name, lambda: collector(then, folder))
            else:
                other = ("bare", bare)
            good = list(_pairs(other, now, pairs, seconds))
    except (Unusable, NoSuchVersion) as error:
        raise click.ClickException(str(error)) from None
    if not good:
        raise click.ClickException("every pair was void")
    figures = _figures(good)
    goals = [] if against else _goals(figures)
    click.echo("\n" + "\n".join([_table(other[0], now[0], figures), "", *goals]))
    if max(figures[4].left) > WRK_IS_THE_LIMIT * 100:
        click.echo(f"wrk itself was the limit: {other[0]} is faster than shown")
    if json_file:
        _write(json_file, {"machine": machine, "disk": disk, "goals": goals}, good, figures)
    if len(good) < pairs:
        click.echo(f"{pairs - len(good)} of {pairs} pairs were void", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
