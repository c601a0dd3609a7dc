"""The collector that is put to the proof: `collector serve` as a process, on free ports, in a folder of its own.

    FOLDER/collector.toml   its configuration (requests.py)
    FOLDER/collector.log    everything it says, over all starts
    FOLDER/data, tmp        its data directory, and the TMPDIR it is given

It runs at log level DEBUG with asyncio's own debugging, which is when most is said. Processes are found in /proc by
their parent, and killed by role. Nothing here looks for anything: scan.py and memory.py do.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from collector.data_folder import holder_of
from collector.tools.prove.requests import CONFIGURATION

PRODUCT = (sys.executable, "-m", "collector")
ROLES = ("worker", "warehouse")
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 20.0
LOADING_PATIENCE_S = 60.0
_POLL_S = 0.05
_BESIDE = Path(__file__).parents[3]  # where the package lies: the collector that runs is this one
_DEBUG = {"PYTHONASYNCIODEBUG": "1", "COLLECTOR_LOG_LEVEL": "debug", "COLLECTOR_SEGMENT_S": "0.5"}


class CannotBeDone(Exception):
    """The run cannot go on; says why. Nothing is proven then."""


class Node:
    """One collector; start() and stop() any number of times, `end` leaves nothing running.

    command  what is run instead of `python -m collector`: tests put a mutation there
    """

    def __init__(
        self, folder: Path, command: Sequence[str] = PRODUCT, environ: Mapping[str, str] | None = None, workers: int = 2
    ) -> None:
        self.folder = folder
        self.data, self.tmp, self.log = folder / "data", folder / "tmp", folder / "collector.log"
        self.token = secrets.token_hex(16)
        self.public = self.analyst = ""
        self._command = [*command, "serve", "--workers", str(workers), "--config", str(folder / "collector.toml")]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("COLLECTOR_")}
        settings = {"DATA": str(self.data), "PUBLIC": "127.0.0.1:0", "ANALYST": "127.0.0.1:0"}
        given = {f"COLLECTOR_{name}": text for name, text in settings.items()}
        ours = {"TMPDIR": str(self.tmp), "COLLECTOR_ANALYST_TOKEN": self.token, **given}
        self._environ = {**kept, **_DEBUG, **ours, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.tmp.mkdir(parents=True, exist_ok=True)
        (folder / "collector.toml").write_text(CONFIGURATION, "utf-8")

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until both ports answer; raises CannotBeDone."""
        with self.log.open("ab") as said:
            self._process = subprocess.Popen(
                self._command,
                cwd=_BESIDE,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._until(self._answers, "it answers", START_PATIENCE_S)

    def stop(self) -> None:
        """End it by SIGTERM, as an operator would; raises CannotBeDone if it does not end well."""
        process = self._running()
        process.terminate()
        try:
            status = process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise CannotBeDone(f"the collector did not end within {STOP_PATIENCE_S:g} s of SIGTERM") from None
        if status:
            raise CannotBeDone(f"the collector ended with {status}; its last words: {self._last_words()}")

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process and self._process.poll() is None:
            for pid in (self._process.pid, *self.children()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def kill(self, role: str) -> None:
        """SIGKILL the first process of a role, and wait until another answers in its place."""
        pid = min(pid for pid, its_role in self.children().items() if its_role == role)
        os.kill(pid, signal.SIGKILL)
        self._until(lambda: pid not in self.children() and self._answers(), f"another {role} answers", START_PATIENCE_S)

    # --- what runs ----------------------------------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Every process of it by pid, each with its role."""
        return {self._running().pid: "supervisor"} | self.children()

    def children(self) -> dict[int, str]:
        """The living children of the supervisor, each with its role."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                words = (stat.parent / "cmdline").read_bytes().split(b"\0")
                role = next((role for role in ROLES if role.encode() in words), "child")
                if int(parent) == self._running().pid and state != "Z":
                    found[int(stat.parent.name)] = role
        return found

    def metrics(self) -> bytes:
        """What /metrics says, empty if it does not answer."""
        return _get(self.analyst, "/metrics", self.token)

    def counted(self, name: str) -> int:
        """A counter of events, summed over its labels: received, accepted, loaded, quarantined ..."""
        families = text_string_to_metric_families(self.metrics().decode())
        samples = [
            sample for family in families if family.name == f"collector_events_{name}" for sample in family.samples
        ]
        return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))

    def wait_loaded(self) -> None:
        """Wait until nothing waits in the spool any more: no segment with events, no frozen batch."""
        self._until(lambda: not self._waiting(), "everything is loaded", LOADING_PATIENCE_S)

    def _waiting(self) -> list[Path]:
        return [*self.data.glob("spool/w*/*"), *self.data.glob("frozen/*.batches")]

    # --- inside -------------------------------------------------------------------------------------------------------

    def _answers(self) -> bool:
        holder = holder_of(self.data)
        if not holder or holder.pid != self._running().pid or not holder.public:
            return False
        self.public, self.analyst = holder.public, holder.analyst
        return bool(_get(self.public, "/healthz", "")) and bool(self.metrics())

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise CannotBeDone("the collector does not run")
        return self._process

    def _until(self, promise: Callable[[], bool], what: str, patience_s: float) -> None:
        give_up = time.monotonic() + patience_s
        while not promise():
            if self._running().poll() is not None:
                raise CannotBeDone(f"the collector ended; its last words: {self._last_words()}")
            if time.monotonic() > give_up:
                raise CannotBeDone(f"not within {patience_s:g} s: {what}")
            time.sleep(_POLL_S)

    def _last_words(self) -> str:
        return self.log.read_text("utf-8", "replace")[-1000:]


def _get(address: str, path: str, token: str) -> bytes:
    """The body of a good answer, else nothing."""
    host, _, port = address.rpartition(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=10)) as asked:
        try:
            asked.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = asked.getresponse()
            return answer.read() if answer.status == http.client.OK else b""
        except (OSError, http.client.HTTPException):
            return b""
