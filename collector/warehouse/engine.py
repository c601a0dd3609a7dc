"""What the warehouse needs of a ClickHouse engine, be it inside this process or a server.

A client belongs to the thread that uses it; whoever met an error closes its client and asks for another one, so that
an engine that was away is found again. Only `Unavailable` and `Misconfigured` leave an engine: the texts of ClickHouse
and of its client may hold statements, addresses and names.
"""

from __future__ import annotations

from typing import Protocol

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Unavailable

QUERY_TIME_S = 10
QUERY_MEMORY_BYTES = 1_000_000_000
THREADS = 2

FAILURES = (Error, OSError)
"""What a call of a client raises: OSError, because the embedded engine's client writes what it inserts to a file."""


class Engine(Protocol):
    """An engine that is in use. Its clients may be made in any thread."""

    def writer(self) -> Client:
        """A client that may insert and make tables; raises Unavailable while the database is away."""
        ...

    def reader(self) -> Client:
        """A client that can only read, for a bounded time and within bounded memory; raises Unavailable."""
        ...

    def cancel(self) -> None:
        """End what runs, so that the threads that wait for it can be joined: the engine will be closed. Any thread."""
        ...

    def close(self) -> None:
        """End what runs and let go of the database."""
        ...


def away(what: str, error: BaseException | None) -> Unavailable:
    """What to raise for a client's error: says what did not work and ClickHouse's number, never ClickHouse's text."""
    code = error.code if isinstance(error, Error) else None
    return Unavailable(f"{what} (ClickHouse error {code})" if code else what)
