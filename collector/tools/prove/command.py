"""`collector prove`: its options. watched.py does it, and run.py has the story.

Every process of the collector imports this, for it is a command; none may import what is searched for, or it would be
found in all of them: so the rest is imported when the command runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

FEWEST = 100


@click.command("prove")
@click.option("--strict", is_flag=True, help="Run with --strict-memory: then nothing may be in memory either.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write all of it here.")
@click.option("--requests", type=click.IntRange(min=FEWEST), default=10_000, metavar="N", help="Default: 10000")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Work here, and keep it.")
def prove_command(*, strict: bool, report: Path | None, requests: int, keep: Path | None) -> None:
    """Prove that nothing of a caller is left: start a collector of its own, send, kill, stop, and search everything.

    The collector that may already run here is not touched. What is searched: data as they are and decoded, spool,
    quarantine, temporary files, log, metrics, environment, open files and the memory of every process, for everything
    that was sent and for the day's keys, in some 300 forms. Each search must also find what is planted for it.

    Without --strict, what is found in freed memory is told, and is no failure; a key is, wherever it is found.

    Exit status: 0 clean, 1 something was found, 2 a search failed its control or the run could not be done. Takes a
    minute or two, and needs the embedded engine.
    """
    from collector.tools.prove.watched import watched  # noqa: PLC0415 - above: none may hold what is searched for

    sys.exit(watched(strict=strict, report=report, requests=requests, keep=keep))
