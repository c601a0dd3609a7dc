"""The real collector for tests: `collector serve` as a process, reached through its ports like anybody would.

A Stack owns a data directory. It starts the supervisor in a process group of its own, keeps what it says in a file,
finds its children in /proc, kills them by role, and asserts at the end that all of it ended as promised.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.calling import Reply, call
from tests.engine_choice import engine_environ
from tests.exposition import series_in

TOKEN = "test-token-that-is-long-enough-to-be-one"
ROOT = Path(__file__).parent.parent
# How long is waited for what must come before a test fails: it measures nothing, and two tests run at a time.
PATIENCE_S = 60.0
STOP_PATIENCE_S = 10.0
POLL_S = 0.02

# Where a test measures: the defaults, instead of what lets the other tests wait less.
AS_IN_USE = {"COLLECTOR_SEGMENT_S": "10", "COLLECTOR_LIVE_FOLD_S": "3600", "COLLECTOR_LOG_LEVEL": "INFO"}

Role = str  # "worker" or "warehouse"


class Stack:
    """One `collector serve` on free ports, with its own data; starts itself, call stop() at the end.

    config   text of the configuration; None for the built-in example
    workers  how many, None: as the configuration says, and where the ports are, too
    environ  more environment, e.g. {"COLLECTOR_SEGMENT_S": "10"}
    code     folder of the checkout that runs; program: what of it serves
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        workers: int | None = 1,
        environ: Mapping[str, str] | None = None,
        code: Path = ROOT,
        program: str = "collector",
    ) -> None:
        self.data = self.data_in(folder)
        self.log_file = folder / "collector.log"
        self._config = folder / "collector.toml" if config is not None else None
        if config is not None:
            self.configure(config)
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}
        self._environ |= {
            "COLLECTOR_ANALYST_TOKEN": TOKEN,
            "COLLECTOR_SEGMENT_S": "0.2",
            "COLLECTOR_LIVE_FOLD_S": "0",
            "COLLECTOR_LOG_LEVEL": "DEBUG",
            **engine_environ(self.data),
            **(environ or {}),
        }
        self._workers = workers
        self._code = code
        self._program = program
        self.public = self.analyst = "127.0.0.1:0"
        self.start()

    # --- life ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def data_in(folder: Path) -> Path:
        """Where the data of a stack in that folder will lie, for who must prepare it."""
        return folder / "deep" / "data"

    def start(self) -> None:
        """Start it (again, on the ports it had) and wait until it is healthy; nothing runs on if it is not."""
        self.begin()
        try:
            self.wait_healthy()
        except AssertionError:
            self.sweep()
            raise

    def begin(self) -> None:
        """Start it (again, on the ports it had), and wait for nothing."""
        self.process = self.launch()

    def wait_healthy(self) -> None:
        """Wait until it takes events and questions; fails if it ends instead."""
        give_up = time.monotonic() + PATIENCE_S
        while not self._is_healthy():
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.log_text}"
            assert time.monotonic() < give_up, f"serve is not healthy:\n{self.log_text}"
            time.sleep(POLL_S)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start one more `serve` on the same data and ports, without waiting for anything."""
        options = ["--data", str(self.data)]
        if self._workers:
            options += ["--workers", str(self._workers), "--public", self.public, "--analyst", self.analyst]
        options += ["--config", str(self._config)] if self._config else []
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self._program, "serve", *options],
                cwd=self._code,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def command(
        self, *arguments: str, told: str | None = None, patience_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line of the collector on the same data and configuration; `told` is its standard input."""
        where = {"COLLECTOR_DATA": str(self.data)} | ({"COLLECTOR_CONFIG": str(self._config)} if self._config else {})
        return subprocess.run(
            [sys.executable, "-m", "collector", *arguments],
            cwd=ROOT,
            env=self._environ | where,
            input=told,
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )

    def stop(self) -> None:
        """Tell it to stop, as an operator would, and assert that all of it ended well and in time."""
        children = self.children()
        self.process.terminate()
        self._ended(children, expected=0)

    def kill_supervisor(self) -> list[int]:
        """SIGKILL the supervisor; returns the pids its children had."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        return children

    def restart(self) -> None:
        """Stop it, if it still runs, and start it on the same data and ports."""
        if self.process.poll() is None:
            self.stop()
        self.start()

    def configure(self, config: str) -> None:
        """Write another configuration, for the next start or reload."""
        assert self._config
        self._config.write_text(config, "utf-8")

    def hang_up(self) -> None:
        """Tell it to reload, as an operator would."""
        os.kill(self.process.pid, signal.SIGHUP)

    def reload(self) -> None:
        """Tell it to reload, and wait until every process is a new one."""
        before = self.said("event=reloaded")
        self.hang_up()
        eventually(lambda: self.said("event=reloaded") > before, "reloaded")

    def said(self, words: str) -> int:
        """How often its log has these words."""
        return self.log_text.count(words)

    def kill(self, role: Role, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a child of that role (the first worker); returns its pid."""
        pid = self.children(role)[0]
        os.kill(pid, number)
        return pid

    def sweep(self) -> None:
        """Leave nothing running, whatever happened before."""
        for pid in [self.process.pid, *self.children()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def children(self, role: Role | None = None) -> list[int]:
        """The pids of its living children, of one role or all, oldest first."""
        return sorted(pid for pid, its_role in self.living().items() if role in (None, its_role))

    def living(self) -> dict[int, Role]:
        """Its living children by pid, each with its role."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                command = (stat.parent / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(parent) == self.process.pid and state != "Z" and b"child" in command:
                found[int(stat.parent.name)] = command[command.index(b"child") + 1].decode()
        return found

    @property
    def log_text(self) -> str:
        """Everything it said, over all starts."""
        return self.log_file.read_text("utf-8", "replace")

    # --- the public port ----------------------------------------------------------------------------------------------

    def post(self, events: object, headers: Mapping[str, str] | None = None) -> Reply:
        """Send an event, a list of events, or bytes as they are."""
        body = events if isinstance(events, bytes) else orjson.dumps(events)
        return self.request("POST", "/v1/events", body, {"Content-Type": "application/json", **(headers or {})})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request to the public port on a connection of its own."""
        return call(self.public, method, path, body, headers)

    # --- the analyst port ---------------------------------------------------------------------------------------------

    def ask(self, report: str, **parameters: str | int) -> dict[str, Any]:
        """The answer to a report; parameters as in the API (`from_` and `to` for the days)."""
        reply = self.ask_raw(report, **parameters)
        assert reply.status == 200, reply
        answer: dict[str, Any] = reply.json
        return answer

    def ask_raw(self, report: str, **parameters: str | int) -> Reply:
        """What the analyst port says to a question, good or bad."""
        query = urlencode({name.rstrip("_"): value for name, value in parameters.items()})
        return self.analyst_request(f"/api/v1/reports/{report}?{query}")

    def analyst_request(self, path: str, token: str | None = TOKEN) -> Reply:
        """GET something of the analyst port."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return call(self.analyst, "GET", path, None, headers)

    def metrics(self) -> dict[str, float]:
        """Every series by its name as Prometheus writes it, e.g. collector_events_refused_total{code="not_json"}."""
        reply = self.analyst_request("/metrics")
        assert reply.status == 200, reply
        return series_in(reply.body)

    def counted(self, name: str) -> int:
        """A counter added up over its labels; `name` without collector_ and _total."""
        series = f"collector_{name}_total"
        return int(sum(value for key, value in self.metrics().items() if key.partition("{")[0] == series))

    def wait_loaded(self, events: int) -> None:
        """Wait until so many events of this start are verified in the database, or known to be counted before."""
        ends = ("events_loaded", "events_duplicate")
        eventually(lambda: sum(map(self.counted, ends)) >= events, f"{events} events loaded")

    # --- inside -------------------------------------------------------------------------------------------------------

    def _is_healthy(self) -> bool:
        try:
            holder = orjson.loads((self.data / "lock").read_bytes())
            if holder["pid"] != self.process.pid or not holder["public"]:
                return False
            self.public, self.analyst = holder["public"], holder["analyst"]
            # The second waits for the warehouse, and is answered also where that has no database.
            return self.request("GET", "/healthz").status == 200 and self.analyst_request("/readyz", None).status > 0
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _ended(self, children: Sequence[int], *, expected: int) -> None:
        try:
            status = self.process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.sweep()
            raise AssertionError(f"serve did not end in time:\n{self.log_text}") from None
        assert status == expected, self.log_text
        assert not [pid for pid in children if is_alive(pid)]
        assert "Traceback" not in self.log_text, self.log_text


def eventually(promise: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for what another process does; fails by the name of what did not come. A patience given is a promise."""
    give_up = time.monotonic() + patience_s
    while not promise():
        assert time.monotonic() < give_up, f"not within {patience_s:g} s: {what}"
        time.sleep(POLL_S)


def is_alive(pid: int) -> bool:
    """Whether a process still runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
