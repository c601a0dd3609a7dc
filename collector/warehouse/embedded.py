"""The ClickHouse engine inside this process (chDB): one folder, one process, one client per thread.

Importing chdb starts the engine, so it happens here, late, and nothing may fork afterwards. The engine writes insert
payloads to $TMPDIR: whoever starts the process gives it a private one before this module opens anything. Two processes
on one folder destroy each other's view of it, and the second only gets an empty error: the lock says it plainly.
The engine has no users: its clients run statements of this package only, never text of an analyst.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Misconfigured, Unavailable
from collector.warehouse.engine import FAILURES, QUERY_MEMORY_BYTES, QUERY_TIME_S, THREADS, away

# In this order: nothing can be set any more after readonly.
_READER_SETTINGS = {"max_execution_time": QUERY_TIME_S, "max_memory_usage": QUERY_MEMORY_BYTES, "readonly": 1}


class Embedded:
    """An open engine (engine.py); leaving open_embedded's block closes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clients: WeakSet[Client] = WeakSet()

    def writer(self) -> Client:
        """A client that may insert: the loader's."""
        return self._client({})

    def reader(self) -> Client:
        """A client that can only read, for a bounded time and within bounded memory: the analysts'."""
        return self._client(_READER_SETTINGS)

    def _client(self, settings: dict[str, int]) -> Client:
        try:
            client = clickhouse_connect.get_client(
                interface="chdb",
                path=str(self._folder),
                settings={"session_timezone": "UTC", "max_threads": THREADS, **settings},
            )
        except ImportError:
            raise Misconfigured(
                "the embedded engine is not installed: install collector[embedded], or name a ClickHouse server"
                " (COLLECTOR_CLICKHOUSE)"
            ) from None
        except FAILURES as error:
            raise away("the embedded engine does not start", error) from error
        self._clients.add(client)
        return client

    def cancel(self) -> None:
        """End running queries, so that their threads can be joined; inserts are let finish. From any thread."""
        with suppress(Error, Unavailable):  # then they end by themselves: readers are bounded by QUERY_TIME_S
            self.writer().command("KILL QUERY WHERE query NOT LIKE 'KILL%' AND query NOT LIKE 'INSERT%' SYNC")

    def close(self) -> None:
        """End running queries, then close every client: exiting with a query running crashes the engine."""
        self.cancel()
        while self._clients:
            self._clients.pop().close()


@contextmanager
def open_embedded(folder: Path) -> Iterator[Embedded]:
    """Open the engine on its folder for the block; raises Misconfigured if another process has it open.

    Also for a path that is no text: the engine knows none. Raises Unavailable if the engine does not start.
    """
    if not str(folder).isprintable():
        raise Misconfigured("data: the ClickHouse engine in the process takes a path of printable UTF-8 only")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder.with_name(folder.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(f"another process has the database in {folder} open") from None
        engine = Embedded(folder)
        _held = engine.writer()  # starts the engine here, not in the thread that happens to ask, and keeps it open
        try:
            yield engine
        finally:
            engine.close()
    finally:
        os.close(lock)
