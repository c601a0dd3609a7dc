"""Sends requests over many connections at once, and counts what was answered.

Every second connection comes from the trusted proxy, the others straight from a canary address on this machine, whose
forwarding headers are not believed. A connection is kept for some requests, as browsers do. Threads, not tasks: what is
sent are bytes that no HTTP library would send.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from collector.tools.prove.forms import PEER
from collector.tools.prove.requests import Pieces
from collector.tools.wire import Said, connect, hear

PROXY = "127.0.0.1"
CONNECTIONS = 16
PATIENCE_S = 10.0
REUSED = 50  # requests over one connection


def send(address: str, requests: Iterable[Pieces], told: Callable[[int], None]) -> Counter[int]:
    """Send everything; how often which status came, 0 for no answer. `told` is called with what was sent meanwhile."""
    left, lock = iter(requests), Lock()

    def take() -> Iterator[Pieces]:
        while True:
            with lock:
                pieces = next(left, None)
                told(1)
            if pieces is None:
                return
            yield pieces

    with ThreadPoolExecutor(CONNECTIONS) as together:
        counted = list(together.map(lambda at: _send(address, take(), (PEER, PROXY)[at % 2]), range(CONNECTIONS)))
    return sum(counted, Counter())


def _send(address: str, requests: Iterable[Pieces], source: str) -> Counter[int]:
    statuses: Counter[int] = Counter()
    connection: socket.socket | None = None
    for number, pieces in enumerate(requests):
        said = None
        if connection is not None:
            said = _said(connection, pieces)
        if said is None or not said.status:
            with contextlib.suppress(OSError):
                connection = connect(address, source, PATIENCE_S)
                said = _said(connection, pieces)
        statuses[said.status if said else 0] += 1
        if connection and (said is None or said.closed or b"close" in said.head.lower() or number % REUSED == 0):
            connection.close()
            connection = None
    if connection:
        connection.close()
    return statuses


def _said(connection: socket.socket, pieces: Pieces) -> Said | None:
    """The answer to one request; None if the connection broke."""
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
            for piece in pieces:
                connection.sendall(piece)
        return hear(connection)
    except OSError:
        return None
