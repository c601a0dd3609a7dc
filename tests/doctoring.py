"""A collector in health, to be broken and examined: what `collector doctor` says of it, line by line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector.disk import DISK, Disk
from collector.doctor.examine import Patient, Running, examine
from collector.doctor.line import Line, State, from_json
from collector.spool.reader import SpoolReader
from collector.warehouse.engine import Engine
from collector.warehouse.seals import Seals
from collector.warehouse.writing import Writing
from tests.loading import DECLARATIONS
from tests.stack import ROOT

DAY_S = 86_400
NODE = 77


@dataclass
class ShiftedClock:
    """The machine's clock, set by so many seconds."""

    by_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.by_s


def patient_of(engine: Engine, data: Path, disk: Disk = DISK) -> Patient:
    now_s = time.time()
    return Patient(
        data=data,
        quota_bytes=10**9,
        clock=ShiftedClock(),
        began_s=now_s - time.monotonic(),
        declarations=DECLARATIONS,
        country=lambda: 1,
        reader=SpoolReader(disk, data / "spool", DECLARATIONS.layouts, DECLARATIONS.digest),
        seals=Seals(Writing(engine, makes=False)),
        node=NODE,
        running=Running(epoch=3, key_day=lambda: int(now_s) // DAY_S),
    )


def line(patient: Patient, name: str) -> Line:
    """What is said of one thing, which is there once."""
    (found,) = [each for each in examine(patient) if each.name == name]
    assert found.todo or found.state is State.OK
    return found


def lines_of(told: str) -> dict[str, Line]:
    """What `collector doctor --json` printed, by name."""
    return {line.name: line for line in from_json(orjson.loads(told))}


def doctor(data: Path, **settings: str) -> dict[str, Line]:
    """What the command says of a data directory, under COLLECTOR_ settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}
    command = [sys.executable, "-m", "collector", "doctor", "--json", "--data", str(data)]
    environ |= {f"COLLECTOR_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return lines_of(done.stdout)
