"""`collector prove`: the options, the progress bar, the exit status. run.py has the story."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from collector.tools.prove.node import CannotBeDone
from collector.tools.prove.report import in_full, in_short
from collector.tools.prove.run import SHARES, Plan, Proof, prove

LEAKS, NOT_DONE = 1, 2
FEWEST = 100


@click.command("prove", short_help="Prove that nothing of a caller is left.")
@click.option("--strict", is_flag=True, help="Run with --strict-memory: then nothing may be in memory either.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write all of it here.")
@click.option(
    "--requests", type=click.IntRange(min=FEWEST), default=10_000, metavar="N", help="How many. Default: 10000"
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Work here, and keep it.")
def prove_command(*, strict: bool, report: Path | None, requests: int, keep: Path | None) -> None:
    """Prove that nothing of a caller is left: start a collector of its own, send, kill, stop, and search everything.

    The collector that may already run here is not touched. What is searched: data as they are and decoded, spool,
    quarantine, temporary files, log, metrics, environment, open files and the memory of every process, for everything
    that was sent and for the day's keys, in some 300 forms. Each search must also find what is planted for it.

    Exit status: 0 clean, 1 something was found, 2 a search failed its control or the run could not be done.
    Takes about a minute, and needs the embedded engine.
    """
    try:
        with _folder(keep) as folder:
            proof = _watched(Plan(requests=requests, strict=strict), folder)
    except (CannotBeDone, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(NOT_DONE)
    if report:
        report.write_text(in_full(proof), "utf-8")
    click.echo(in_short(proof), nl=False)
    sys.exit(NOT_DONE if proof.failed_controls else LEAKS if proof.leaks else 0)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """An empty folder: the one that is to be kept, else one that is gone after the block."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="collector-prove-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise CannotBeDone(f"{keep} is not empty")
    yield keep.absolute()


def _watched(plan: Plan, folder: Path) -> Proof:
    """The proof, with a bar of what is sent and a word about what is done."""
    doing = [""]
    length = int(plan.requests * sum(SHARES))

    def shown(_: Any) -> str:
        return doing[0]

    with click.progressbar(length=length, label="prove", item_show_func=shown, file=sys.stderr) as bar:

        def told(what: str, sent: int) -> None:
            doing[0] = what
            bar.update(sent, what)

        return prove(plan, folder, told)
