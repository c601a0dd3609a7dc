"""`collector replay`: recorded page hits, sent again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from collector.tools import replay


@click.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="URL", help="The public port, as http://127.0.0.1:8080")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Hits per second. Default: all.")
@click.option("--connections", type=click.IntRange(1, 1000), default=8, show_default=True, help="At the same time.")
def replay_command(file: Path, to: str, rate: float | None, connections: int) -> None:
    """Send the recorded page hits of FILE (tab-separated) to a collector, and tell what became of them.

    Each goes with its own address in X-Forwarded-For: the collector must trust this machine (trusted_proxies).
    """
    sys.exit(replay.run(file, to, rate, connections))
