"""What was run, on what, and what came of it, as Markdown."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from collector.tools.bench.machine import file_system
from tests.durability.run import Ran
from tests.stack import ROOT

COLUMNS = ("fault", "rounds", "acknowledged", "lost", "doubled", "seed", "seconds", "note")
LONGEST_NOTE = 200
# In a process of its own: importing chDB starts the engine.
_ENGINE = "import chdb; print(chdb.__version__, chdb.engine_version)"


def versions(folder: Path) -> dict[str, str]:
    """What the result depends on besides the seeds; `folder` is where the data lies."""
    return {
        "collector": _commit(),
        "Python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "clickhouse-connect": version("clickhouse-connect"),
        "chDB": _engine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": file_system(folder),
    }


def table(facts: dict[str, str], runs: Iterable[Ran]) -> str:
    """Versions, then a row for each run."""
    lines = [", ".join(f"{name} {value}" for name, value in facts.items()), ""]
    lines += [_line(COLUMNS), _line("---" for _ in COLUMNS)]
    return "\n".join([*lines, *(_line(_row(ran)) for ran in runs), ""])


def _row(ran: Ran) -> tuple[str, ...]:
    counts, note = ("-", "-", "-"), f"not run: {ran.missing}"
    if ran.failure:
        note = f"FAILED: {ran.failure}"
    elif ran.outcome:
        outcome = ran.outcome
        counts = (f"{outcome.acknowledged:,}", f"{outcome.lost:,}", f"{outcome.doubled:,}")
        note = outcome.note
    return (ran.scenario.name, f"{ran.rounds:,}", *counts, str(ran.seed), f"{ran.seconds:.1f}", _short(note))


def _short(note: str) -> str:
    line = " ".join(note.split()).replace("|", "/")
    return line if len(line) <= LONGEST_NOTE else line[:LONGEST_NOTE] + "..."


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _commit() -> str:
    """The commit of this checkout, marked where files differ from it; without git the declared version."""
    try:
        return _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return version("collector")


@cache
def _engine() -> str:
    chdb, engine = _output(sys.executable, "-c", _ENGINE).split()
    return f"{chdb} (engine {engine})"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
