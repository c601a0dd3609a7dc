"""A ClickHouse server, reached over HTTP: http(s)://USER:PASSWORD@HOST:PORT/DATABASE.

The connections are this module's own, so that cancel() can cut those that hang; the proxies that the environment
names are for the world, not for a database, and are not used. Sessions and compression are off: a request depends on
nothing but itself. The password is sent in a header and is in no address, log line, error or representation.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import get_pool_manager

from collector.errors import Misconfigured, NotMade
from collector.warehouse.engine import FAILURES, QUERY_MEMORY_BYTES, QUERY_TIME_S, THREADS, away

CONNECT_TIMEOUT_S = 3  # it is tried twice
READ_TIMEOUT_S = QUERY_TIME_S + 5
WRITE_TIMEOUT_S = 60  # the largest batch takes 2 s; a server that took longer than this is asked later
_PORTS = {"http": 8123, "https": 8443}
_DATABASE = re.compile(r"[A-Za-z0-9_-]{0,64}")
_RULE = "clickhouse: must be http(s)://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of a password as %XX"

# The last: what a majority has confirmed, and all of it, or nothing (quorum.py); of tables that are not replicated all.
_SETTINGS: dict[str, int | str] = {
    "session_timezone": "UTC",
    "max_threads": THREADS,
    "select_sequential_consistency": 1,
}
# readonly=1 would also forbid the settings that come with every request.
_READER_SETTINGS: dict[str, int | str] = {
    **_SETTINGS,
    "max_execution_time": QUERY_TIME_S,
    "max_memory_usage": QUERY_MEMORY_BYTES,
    "readonly": 2,
}
_ALLOWED = "SELECT name, value, min, max, readonly FROM system.settings WHERE name IN {names:Array(String)}"


class _Place(NamedTuple):
    """Where a server is and who asks there. Never printed."""

    interface: str
    host: str
    port: int
    username: str
    password: str
    database: str


class Server:
    """A ClickHouse server (engine.py); raises Misconfigured, without the address, if the address is none.

    Nothing is sent before a client is asked for. A database that is not there is made with the first writer or, unless
    `makes`, told by NotMade.
    """

    def __init__(self, url: str, *, makes: bool = True) -> None:
        self._place = _place(url)
        self._makes = makes
        self._open: WeakSet[Any] = WeakSet()
        self._closed = False
        self._pool = get_pool_manager()
        self._pool.pool_classes_by_scheme = {
            scheme: _reporting(pool, self._opened) for scheme, pool in self._pool.pool_classes_by_scheme.items()
        }

    @property
    def database(self) -> str:
        """The database that is named, `default` where none is."""
        return self._place.database or "default"

    def administrator(self) -> Client:
        """A client of no database, that may do what its user may: for `collector migrate`."""
        return self._client({}, READ_TIMEOUT_S + WRITE_TIMEOUT_S)

    def writer(self) -> Client:
        """A client that may insert: the loader's."""
        database = self._place.database
        client = self._client(_SETTINGS, WRITE_TIMEOUT_S)
        try:
            if database and not client.command(
                "SELECT count() FROM system.databases WHERE name = {name:String}", parameters={"name": database}
            ):
                if not self._makes:
                    raise NotMade("the server has no database of that name")
                client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        except FAILURES as error:
            raise away("the database cannot be made", error) from error
        client.database = database or None
        return client

    def reader(self) -> Client:
        """A client that can only read, within the limits the user may set or has: the analysts'."""
        client = self._client(_READER_SETTINGS, READ_TIMEOUT_S)
        client.database = self._place.database or None
        return client

    def _client(self, settings: dict[str, int | str], timeout_s: int) -> Client:
        place = self._place
        try:
            client = clickhouse_connect.get_client(
                interface=place.interface,
                host=place.host,
                port=place.port,
                username=place.username,
                password=place.password,
                compress=False,
                connect_timeout=CONNECT_TIMEOUT_S,
                send_receive_timeout=timeout_s,
                autogenerate_session_id=False,
                pool_mgr=self._pool,
                show_clickhouse_errors="scrub",
            )
            _set(client, settings)
        except FAILURES as error:
            raise away("the database server cannot be used", error) from error
        return client

    def cancel(self) -> None:
        """Cut every connection and open none any more. What a server was asked to insert it may go on inserting."""
        self._closed = True
        for connection in list(self._open):
            if connection.sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # TLS, too, without a farewell

    def close(self) -> None:
        """Cut every connection and forget them."""
        self.cancel()
        self._pool.clear()

    def _opened(self, connection: Any) -> None:
        """Called with every new connection."""
        self._open.add(connection)
        if self._closed:
            raise ConnectionAbortedError("the engine is closed")


def _place(url: str) -> _Place:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may be a part of the password
        raise Misconfigured(_RULE) from None
    database = unquote(parts.path.removeprefix("/"))
    username = unquote(parts.username or "default")
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.query
        or parts.fragment
        or ":" in username  # cannot be told in the header
        or not _DATABASE.fullmatch(database)
    ):
        raise Misconfigured(_RULE)
    return _Place(
        interface=parts.scheme,
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        username=username,
        password=unquote(parts.password or ""),
        database=database,
    )


def _set(client: Client, settings: dict[str, int | str]) -> None:
    """Give every request of the client these settings, as far as its user may change them.

    A user that may only read, or has settings fixed, keeps its own; one that may change them within limits gets the
    nearest. What an insert needs is not left to this: writing.py looks whether it is in force.
    """
    rows = client.query(_ALLOWED, parameters={"names": list(settings)}).result_rows
    for name, value, lowest, highest, is_fixed in rows:
        wanted: Any = settings[name]
        if is_fixed or str(value) == str(wanted):
            continue
        if isinstance(wanted, int):
            wanted = min(max(wanted, int(lowest or wanted)), int(highest or wanted))
        client.set_client_setting(name, wanted)


def _reporting(pool: Any, opened: Callable[[Any], None]) -> Any:
    """The same class of urllib3's pools, but `opened` is called with every connection that was made."""
    made = pool.ConnectionCls

    def connect(connection: Any) -> None:
        made.connect(connection)
        opened(connection)

    connection_class = type(made.__name__, (made,), {"connect": connect})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection_class})
