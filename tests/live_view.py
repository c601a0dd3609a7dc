"""Somebody who watches the live view of a running collector over a real socket."""

from __future__ import annotations

import http.client
from types import TracebackType
from typing import Any, Self

import orjson

from tests.stack import TOKEN, Stack


class Watcher:
    """One open stream; in a block, which closes it."""

    def __init__(self, stack: Stack, query: str, token: str | None = TOKEN) -> None:
        host, _, port = stack.analyst.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=10)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection.request("GET", f"/api/v1/live?{query}", headers=headers)
        self.response = self._connection.getresponse()

    def next(self) -> dict[str, Any]:
        """What the next event says; nothing where the stream has ended."""
        lines = [self.response.readline() for _ in range(3)]
        if not any(lines):
            return {}
        assert lines[0] == b"event: minutes\n"
        assert lines[2] == b"\n"
        said: dict[str, Any] = orjson.loads(lines[1].removeprefix(b"data: "))
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.response.close()
        self._connection.close()


def live(stack: Stack, property_id: str) -> dict[str, Any]:
    """What the live view of a property says now."""
    with Watcher(stack, f"property={property_id}") as watcher:
        return watcher.next()
