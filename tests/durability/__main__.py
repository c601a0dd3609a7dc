"""Prove it: run every scenario, or those that are named, and print a table of what was lost and what was doubled.

Exits with 1 if anything was lost or doubled, or went wrong otherwise.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
from pathlib import Path

import click
import structlog

from collector.tools.bench.machine import real_disk
from tests.durability.outcome import Scenario
from tests.durability.progress import told
from tests.durability.run import Ran, run
from tests.durability.scenarios import SCENARIOS
from tests.durability.table import table, versions

LARGEST_SEED = 999_999


@click.command(help=__doc__)
@click.option("--full", is_flag=True, help="Many rounds instead of some: takes 40 minutes, not one.")
@click.option("--only", multiple=True, metavar="NAME", help="Scenarios whose name holds this; may be given again.")
@click.option("--rounds", type=click.IntRange(1), help="So many rounds, whatever the scenario's own numbers are.")
@click.option("--seed", type=click.IntRange(0), help="What to draw everything from. Default: a new one.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this file, too.")
@click.pass_obj
def main(
    scenarios: tuple[Scenario, ...] | None,
    *,
    full: bool,
    only: tuple[str, ...],
    rounds: int | None,
    seed: int | None,
    output: Path | None,
) -> None:
    known = scenarios or SCENARIOS
    chosen = [scenario for scenario in known if not only or any(name in scenario.name for name in only)]
    if not chosen:
        raise click.BadParameter(f"one of: {', '.join(scenario.name for scenario in known)}", param_hint="--only")
    # Told to end, a scenario still stops what it started and takes its mounts away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    seed = random.SystemRandom().randint(1, LARGEST_SEED) if seed is None else seed
    facts = versions(real_disk() or Path(tempfile.gettempdir()))
    runs: list[Ran] = []
    for scenario in chosen:
        runs.append(run(scenario, rounds or (scenario.full if full else scenario.quick), seed))
        told(f"{scenario.name}: {'good' if runs[-1].is_good else 'NOT GOOD'}, {runs[-1].seconds:.0f} s")
    text = table(facts, runs)
    click.echo(text, nl=False)
    if output:
        output.write_text(text, "utf-8")
    sys.exit(not all(ran.is_good for ran in runs))


if __name__ == "__main__":
    # Parts that work in this process are made to fail on purpose: what they say of it is no news.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    main()
