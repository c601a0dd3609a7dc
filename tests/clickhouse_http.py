"""A ClickHouse server for tests, to be killed, restarted and made to fail: `python -m tests.clickhouse_http PORT DIR`.

It serves the HTTP interface of ClickHouse from the embedded engine, in a process of its own (clickhouse_serving.py),
for a real server cannot be had everywhere tests run. Faults (POST /__fault), each for the next `count` statements that
hold `match`:

    status         answered with `status` (500, 503, 429), nothing run
    error          answered with the ClickHouse error `code`, nothing run
    reset_before   the connection is reset before anything runs; reset_upload: while the body still comes
    reset_during   ... `seconds` after it began to run, and it goes on running
    reset_after    ... after it ran, before the answer
    truncate       ... in the middle of the answer; shorten: the answer ends there as if that were all of it
    delay          runs only after `seconds`, unless it is killed meanwhile, whether the client still waits or not
    kill_before, kill_mid, kill_after   SIGKILL before it runs, `seconds` after it began, after it ran
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.calling import call
from tests.clickhouse_serving import serve
from tests.stack import ROOT, eventually

USER = "collector"
PASSWORD = "p@ss/wörd:%23#?"
START_PATIENCE_S = 30.0


class ClickHouseHttp:
    """One such server on a free port, with its own folder; starts itself, call stop() at the end.

    users   name -> {"password": ..., "settings": {...}}; there is always USER with PASSWORD
    config  the engine's own configuration, read at every start: whose rights everybody has there
    """

    def __init__(self, folder: Path, *, users: Mapping[str, Any] | None = None, config: Path | None = None) -> None:
        self._folder = folder
        self._config = {"CLICKHOUSE_HTTP_CONFIG": str(config)} if config else {}
        self._users = {USER: {"password": PASSWORD}, **(users or {})}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.process = self.start()

    def url(self, database: str = "counts", *, user: str = USER) -> str:
        """What COLLECTOR_CLICKHOUSE is set to for it."""
        return f"http://{user}:{quote(self._users[user]['password'], safe='')}@{self.address}/{database}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it (again, on its port and folder) and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.clickhouse_http", self.address.rpartition(":")[2], str(self._folder)],
            cwd=ROOT,
            env=os.environ | {"CLICKHOUSE_HTTP_USERS": json.dumps(self._users)} | self._config,
        )
        eventually(self._answers, "the ClickHouse server answers", START_PATIENCE_S)
        return self.process

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kill it, if it still runs, and start it again."""
        self.kill()
        self.start()

    def wait_killed(self) -> None:
        """Wait until it has killed itself, as a fault told it to."""
        self.process.wait(START_PATIENCE_S)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def inject(
        self, kind: str, *, match: str = "", count: int = 1, seconds: float = 0.0, status: int = 500, code: int = 0
    ) -> None:
        """Have the next statements that hold `match` fail; the kinds are at the top of this file."""
        fault = {"kind": kind, "match": match, "count": count, "seconds": seconds, "status": status, "code": code}
        assert call(self.address, "POST", "/__fault", json.dumps(fault).encode()).status == 200

    def heal(self) -> None:
        """Forget the faults that no statement met."""
        assert call(self.address, "DELETE", "/__fault").status == 200

    def faults(self) -> int:
        """How many statements the injected faults still wait for."""
        return int(call(self.address, "GET", "/__fault").json["faults"])

    def running(self) -> int:
        """How many statements wait or run."""
        return int(call(self.address, "GET", "/__fault").json["running"])

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the ClickHouse server ended with {self.process.returncode}"
        try:
            return call(self.address, "GET", "/ping").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
