"""`make fuzz`: every target in turn for its share of the time, at the lowest priority; 1 if anything was found.

Inputs that led somewhere stay in .fuzz/, so that the next run goes on where this one ended. What was found is made
small and becomes a row of tests/data/fuzz_found.jsonl.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click

from tests.fuzz.found import Found, keep, smaller
from tests.fuzz.targets import MODULE_OF, TARGETS

FOLDER = Path(".fuzz")
_COVERED = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_EXECUTED = re.compile(r"number_of_executed_units: (\d+)")
_GRACE_S = 1_800  # for what comes before the first input, on a machine that has other things to do


@click.command()
@click.option("--seconds", default=600, show_default=True, help="For all targets together.")
@click.option("--target", "names", multiple=True, type=click.Choice([*TARGETS]), help="Only these.")
def main(seconds: int, names: tuple[str, ...]) -> None:
    """Fuzz."""
    os.nice(19)
    chosen = names or tuple(TARGETS)
    share = max(1, seconds // len(chosen))
    click.echo(f"{'target':<12} {'seconds':>8} {'executions':>12} {'coverage':>16}  found")
    found = [each for name in chosen if (each := _fuzzed(name, share))]
    for each in found:
        click.echo(f"{each.target}: {each.why}: {each.data!r}")
    sys.exit(bool(found))


def _fuzzed(name: str, seconds: int) -> Found | None:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    before = {*folder.glob("found-*")}
    command = [sys.executable, "-m", "tests.fuzz.one", MODULE_OF[name], name, str(seconds), str(folder)]
    said = folder / "said.log"
    with said.open("wb") as log:
        ended = subprocess.run(command, stdout=log, stderr=log, check=False, timeout=seconds + _GRACE_S)
    text = said.read_text("utf-8", "replace")
    covered = _COVERED.findall(text)
    growth = f"{next((c for what, c, _ in covered if what == 'INITED'), '?')} -> {covered[-1][1]}" if covered else "-"
    new = sorted({*folder.glob("found-*")} - before)
    found = _kept(name, new, text) if new or ended.returncode else None
    executed = _EXECUTED.findall(text) or ["?"]
    click.echo(f"{name:<12} {seconds:>8} {executed[-1]:>12} {growth:>16}  {found.why if found else 'nothing'}")
    return found


def _kept(name: str, files: list[Path], text: str) -> Found:
    """What was found, made small and kept; as it is, where it fails only once."""
    if not files:
        return Found(name, f"the process ended: {text[-200:]}", b"")
    data = files[0].read_bytes()
    found = smaller(TARGETS[name], data)
    if found is None:
        return Found(name, "did not happen again", data)
    keep(found)
    return found


if __name__ == "__main__":
    main()
