"""One proof as somebody watches it: a folder for it, a bar while it goes on, what it says, and the exit status."""

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


def watched(*, strict: bool, report: Path | None, requests: int, keep: Path | None) -> int:
    """Prove, and tell; returns the exit status of `collector prove`."""
    try:
        with _folder(keep) as folder:
            proof = _watched(Plan(requests=requests, strict=strict), folder)
    except (CannotBeDone, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return NOT_DONE
    if report:
        report.write_text(in_full(proof), "utf-8")
    click.echo(in_short(proof), nl=False)
    return status_of(proof)


def status_of(proof: Proof) -> int:
    """The exit status that says what was found; where a search failed its control, nothing it found or not counts."""
    return NOT_DONE if proof.failed_controls else LEAKS if proof.leaks else 0


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
