"""The servers of the bench: the bare application, and the collector of this or of another commit, each started afresh.

A contender is started, waited for until it is really up (the collector: both ports answer and the engine runs), asked
what CPU its whole process tree has used and what it counted, and ended with its process group. Never reused: each run
has a data directory, keys and ports of its own. Called by rounds.py.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from collector.built import COUNTRIES

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 12.0
ASK_TIMEOUT_S = 20.0
_POLL_S = 0.05
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_CONFIGURATION = """\
trusted_proxies = ["127.0.0.0/8"]

[[site]]
id = "www.example.org"
hosts = ["www.example.org"]
routes = ["/**"]
"""
PACKAGE = Path(__file__).parents[2]


class Unusable(Exception):
    """A contender that does not come up, or ends under load; carries the last it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A collector to be measured: the Python to run it with and the folder its package lies in."""

    name: str
    python: str = sys.executable
    tree: Path = field(default=PACKAGE.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a collector says of itself: events accepted at the door, and verified in the database."""

    accepted: int
    loaded: int


class Contender:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._process = process
        self._log = log

    def cpu_s(self) -> float:
        """User and system time of the process and all its descendants, ended ones included."""
        return tree_cpu_s(self._process.pid)

    def counted(self) -> Counted | None:
        """What it counted so far; None for one that does not count."""
        return None

    def answers(self) -> bool:
        """Whether it is up."""
        return _status(self.port, "/") is not None

    def wait(self) -> None:
        """Return when it is up; raises Unusable."""
        give_up = time.monotonic() + START_PATIENCE_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise Unusable(f"it does not come up:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it and all it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_PATIENCE_S)


class Collector(Contender):
    """A collector that runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, analyst_port: int, token: str) -> None:
        super().__init__(process, port, log)
        self._analyst_port = analyst_port
        self._token = token

    def answers(self) -> bool:
        """Whether both ports answer: the analyst port does once the engine runs."""
        return _status(self.port, "/healthz") == http.client.OK and bool(self._metrics())

    def counted(self) -> Counted:
        """Summed over all kinds and processes."""
        sums = {"accepted": 0.0, "loaded": 0.0}
        for family in text_string_to_metric_families(self._metrics()):
            name = family.name.removeprefix("collector_events_")
            if name in sums:
                sums[name] += sum(sample.value for sample in family.samples if sample.name.endswith("_total"))
        return Counted(accepted=int(sums["accepted"]), loaded=int(sums["loaded"]))

    def pids(self, *words: str) -> list[int]:
        """The processes of this collector whose command line has all these words."""
        found = []
        for pid in tree(self._process.pid):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                found += [pid] if set(words) <= set(command) else []
        return found

    def _metrics(self) -> str:
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self._analyst_port, timeout=ASK_TIMEOUT_S)
        ) as asked:
            try:
                asked.request("GET", "/metrics", headers={"Authorization": f"Bearer {self._token}"})
                answer = asked.getresponse()
                return answer.read().decode() if answer.status == http.client.OK else ""
            except (OSError, http.client.HTTPException):
                return ""


@contextlib.contextmanager
def bare() -> Iterator[Contender]:
    """The bare application, up for as long as the context."""
    with tempfile.TemporaryDirectory(prefix="collector-bench-") as folder:
        port, log = free_port(), Path(folder) / "log"
        command = [sys.executable, "-m", "collector.tools.bench.bare", str(port)]
        with _up(Contender(_started(command, log, PACKAGE.parent, {}), port, log)) as contender:
            yield contender


@contextlib.contextmanager
def collector(version: Version, disk: Path, workers: int = 1) -> Iterator[Collector]:
    """A collector with segments of a second, its data in a new folder on `disk`."""
    with tempfile.TemporaryDirectory(prefix="collector-bench-", dir=disk) as folder:
        here = Path(folder)
        (here / "collector.toml").write_text(_CONFIGURATION)
        port, analyst_port, token = free_port(), free_port(), secrets.token_hex(16)
        settings = {
            "CONFIG": str(here / "collector.toml"),
            "DATA": str(here / "data"),
            "PUBLIC": f"127.0.0.1:{port}",
            "ANALYST": f"127.0.0.1:{analyst_port}",
            "ANALYST_TOKEN": token,
            "WORKERS": str(workers),
            "SEGMENT_S": "1",
        }
        # Another commit's tree has no built files: both versions look countries up in the same database.
        if COUNTRIES.is_file():
            settings["GEOIP_DB"] = str(COUNTRIES)
        environment = {f"COLLECTOR_{name}": value for name, value in settings.items()}
        log = here / "log"
        process = _started([version.python, "-m", "collector", "serve"], log, version.tree, environment)
        running = Collector(process, port, log, analyst_port, token)
        with _up(running):
            yield running


def with_countries() -> bool:
    """Whether collectors have a country database to look callers up in."""
    return COUNTRIES.is_file()


def tree_cpu_s(root: int) -> float:
    """User and system seconds of a process, its descendants, and the ended ones they waited for."""
    return sum(tree(root).values()) / _CLOCK_TICKS


def tree(root: int) -> dict[int, int]:
    """The clock ticks that a process and each of its living descendants used, by its pid."""
    parents, ticks = {}, {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked; what it used is its parent's now
            # proc_pid_stat(5): after the name in brackets come state, ppid, ...; utime stime cutime cstime are 14 to 17
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            pid = int(entry.name)
            parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    found = {}
    for pid, used in ticks.items():
        ancestor = pid
        while ancestor not in (root, 0):
            ancestor = parents.get(ancestor, 0)
        if ancestor == root:
            found[pid] = used
    return found


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(command: list[str], log: Path, tree: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process that is the first of a group of its own; it imports the package from `tree`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}
    with log.open("wb") as said:
        return subprocess.Popen(
            command,
            cwd=tree,
            env={**inherited, "PYTHONPATH": str(tree), **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
        )


@contextlib.contextmanager
def _up(contender: Contender) -> Iterator[Contender]:
    try:
        contender.wait()
        yield contender
    finally:
        contender.stop()


def _status(port: int, path: str) -> int | None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_TIMEOUT_S)) as asked:
        try:
            asked.request("GET", path)
            return asked.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
