"""Which engine the collectors of the tests stand before: COLLECTOR_TEST_ENGINE, read once per process of pytest.

    (unset)   the embedded one, inside the collector: what `make test` runs
    http      one tests/clickhouse_http.py for all of them, a database each: `make test-http`
    server    the real server that COLLECTOR_TEST_CLICKHOUSE names, a database each, dropped at the end

Whoever names an engine of its own in a Stack's environment keeps it. `needs_embedded` is on tests that look into the
engine's own folder, or hand it over: where it lies in a server there is none.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from collector.errors import Unavailable
from collector.warehouse.server import Server

REAL_SERVER = os.environ.get("COLLECTOR_TEST_CLICKHOUSE", "")
ENGINE = os.environ.get("COLLECTOR_TEST_ENGINE", "")
assert ENGINE in ("", "http", "server"), "COLLECTOR_TEST_ENGINE is http or server, or not set"
assert ENGINE != "server" or REAL_SERVER, "COLLECTOR_TEST_ENGINE=server needs COLLECTOR_TEST_CLICKHOUSE"

needs_embedded = pytest.mark.skipif(bool(ENGINE), reason="looks into the folder of the embedded engine")

_made: set[str] = set()


def engine_environ(data: Path) -> Mapping[str, str]:
    """What a collector on this data directory is to be started with; the same data, the same database."""
    if not ENGINE:
        return {}
    database = f"stack_{hashlib.sha256(bytes(data)).hexdigest()[:16]}"
    if ENGINE == "http":
        return {"COLLECTOR_CLICKHOUSE": _harness().url(database)}
    if not _made:
        atexit.register(_drop)
    _made.add(database)
    return {"COLLECTOR_CLICKHOUSE": urlsplit(REAL_SERVER)._replace(path=f"/{database}").geturl()}


@cache
def _harness() -> Any:
    from tests.clickhouse_http import ClickHouseHttp  # noqa: PLC0415 - it waits with what tests/stack.py has

    folder = Path(tempfile.mkdtemp(prefix="collector-test-http-"))
    harness = ClickHouseHttp(folder)

    def end() -> None:
        harness.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return harness


def _drop() -> None:
    with closing(Server(REAL_SERVER)) as server, suppress(Unavailable):
        client = server.writer()
        for database in _made:
            client.command(f"DROP DATABASE IF EXISTS {database}")
